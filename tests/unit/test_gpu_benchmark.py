"""What the benchmark of a GPU decides without one: its report, its refusals, its parts of the GPU."""

import sys

import pytest

from benchmarks.gpu import MemoryWatch, compared, fractions, main, refusal, taking_turns
from benchmarks.gpu_roles import FRACTIONS

pytestmark = pytest.mark.unit

MEBIBYTE = 1024**2


def test_a_process_above_its_share_is_told_from_one_inside_and_one_that_is_not_known() -> None:
    held = {"asr": 700 * MEBIBYTE, "spoof": 100 * MEBIBYTE}
    report = compared(held, {"asr": 0.5, "spoof": 0.1, "tts": 0.1}, 1000 * MEBIBYTE)
    assert report == {
        "asr": {"num_gpus": 0.5, "held_mib": 700, "share_mib": 500, "inside": False},
        "spoof": {"num_gpus": 0.1, "held_mib": 100, "share_mib": 100, "inside": True},
        "tts": {"num_gpus": 0.1, "held_mib": None, "share_mib": 100, "inside": None},
    }


def test_without_a_gpu_nothing_is_compared() -> None:
    assert compared({"asr": MEBIBYTE}, {"asr": 0.5}, None) == {"asr": {"num_gpus": 0.5, "held_mib": 1}}


def test_the_most_that_a_process_held_is_kept() -> None:
    held = iter([3, 9, None, 5] + [1] * 100_000)
    process: object = object()
    with MemoryWatch({"asr": process}, lambda asked: next(held) if asked is process else None) as watch:  # type: ignore[dict-item]
        for _sample in range(4):
            watch._sample()
    assert watch.most == {"asr": 9}


def test_ways_take_turns_after_a_warm_up() -> None:
    done: list[str] = []

    def way(name: str) -> float:
        done.append(name)
        return 1.0

    rates = taking_turns({"served": lambda: way("served"), "bare": lambda: way("bare")}, 2)
    assert done == ["served", "bare"] * 3
    assert [len(values) for values in rates.values()] == [2, 2]


def test_the_usual_parts_fit_on_one_gpu_and_others_are_checked() -> None:
    assert sum(FRACTIONS.values()) < 1
    assert fractions(["asr=0.1"]) == {**FRACTIONS, "asr": 0.1}
    with pytest.raises(ValueError, match="no role 'asrr'"):
        fractions(["asrr=0.1"])
    with pytest.raises(ValueError, match="there is one"):
        fractions(["asr=0.9"])


def test_without_a_gpu_it_refuses_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gpu.gpu_bytes", lambda: None)
    assert refusal("cpu") is None
    assert "no GPU here" in (refusal("cuda") or "")
    monkeypatch.setattr("benchmarks.gpu.gpu_bytes", lambda: 1)
    assert refusal("cuda") is None


def test_the_command_ends_with_2_where_the_driver_shows_no_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.gpu.gpu_bytes", lambda: None)
    monkeypatch.setattr(sys, "argv", ["benchmarks.gpu"])
    assert main() == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
