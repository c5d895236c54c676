"""Fine-tuning: the split, when it stops, and the command from folders to a checkpoint that the engine takes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from checkpoints.wavlm import build_tiny_detector, build_tiny_wavlm
from numpy.typing import NDArray
from pydantic import TypeAdapter
from spoof_folders import make_folders, write_cut_off, write_wav

from models.spoof import CHUNK_SAMPLES, CompactSettings, SpoofSettings, build
from models.spoof.calibration import Calibration
from models.vad import SileroVad
from training.spoof.chunk_bank import ChunkBank, fill_bank
from training.spoof.compact_learner import CompactLearner
from training.spoof.folders import BONA_FIDE, SPOOF, Recording, find_recordings, spoken_chunks
from training.spoof.learner import balanced, fine_tune
from training.spoof.split import split
from training.spoof.train import main

pytestmark = [pytest.mark.unit, pytest.mark.slow]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_folders(tmp_path_factory.mktemp("folders"))


def recordings(label: int, **files_of: int) -> list[Recording]:
    kind = "fake" if label else "real"
    return [
        Recording(Path(f"{kind}/{name}/{i}"), label, name) for name, count in files_of.items() for i in range(count)
    ]


def loose(label: int, count: int) -> list[Recording]:
    return [Recording(Path(f"{label}/{index}"), label, None) for index in range(count)]


def groups_of(side: list[Recording], label: int) -> set[str | None]:
    return {one.group for one in side if one.label == label}


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_on_one_side_of_the_split(seed: int) -> None:
    everything = recordings(BONA_FIDE, a=5, b=5, c=5, d=5, e=5) + recordings(SPOOF, x=9, y=3, z=3)
    train, dev = split(everything, 0.2, seed)
    assert sorted(train + dev, key=str) == sorted(everything, key=str)
    for label in (BONA_FIDE, SPOOF):
        assert groups_of(train, label)
        assert groups_of(dev, label)
        assert not groups_of(train, label) & groups_of(dev, label)


@pytest.mark.parametrize("seed", range(5))
def test_a_speaker_and_the_clone_of_that_voice_are_on_the_same_side(seed: int) -> None:
    everything = recordings(BONA_FIDE, a=4, b=4, c=4, d=4) + recordings(SPOOF, a=2, b=2, other=2)
    train, dev = split(everything, 0.25, seed)
    for side in (train, dev):
        assert groups_of(side, BONA_FIDE)
        assert groups_of(side, SPOOF)
    assert not {one.group for one in train} & {one.group for one in dev}


def test_files_in_no_sub_folder_and_a_single_sub_folder_are_split_by_file() -> None:
    train, dev = split(loose(BONA_FIDE, 10) + recordings(SPOOF, only=10), 0.2, 0)
    assert len([one for one in dev if one.label == BONA_FIDE]) == 2
    assert len([one for one in dev if one.label == SPOOF]) == 2
    assert len(train) == 16


def test_the_same_seed_gives_the_same_split() -> None:
    everything = loose(BONA_FIDE, 20) + loose(SPOOF, 20)
    assert split(everything, 0.3, 3) == split(everything, 0.3, 3)
    assert split(everything, 0.3, 3) != split(everything, 0.3, 4)


def test_a_class_of_one_file_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="class spoof"):
        split(loose(BONA_FIDE, 5) + loose(SPOOF, 1), 0.2, 0)


def bank_of(labels: list[int], groups: list[str] | None = None) -> ChunkBank:
    count = len(labels)
    names = groups or [str(index) for index in range(count)]
    return ChunkBank(np.zeros(count, np.float32), np.arange(count + 1), np.array(labels), np.array(names))


class Scripted:
    """A learner whose held-out logits after each epoch are given; it learns by counting epochs."""

    def __init__(self, *logits: list[float]) -> None:
        self.logits_after = logits
        self.learnt = 0

    def describe(self, speech: NDArray[np.float32]) -> NDArray[Any]:
        return speech

    def steps(self, bank: ChunkBank) -> int:
        return 2

    def epoch(self, bank: ChunkBank) -> Iterator[float]:
        self.learnt += 1
        yield from (0.5, 0.3)

    def logits(self, bank: ChunkBank) -> NDArray[np.float32]:
        return np.array(self.logits_after[self.learnt], np.float32)

    def snapshot(self) -> int:
        return self.learnt

    def restore(self, snapshot: int) -> None:
        self.learnt = snapshot

    def save(self, folder: Path, calibration: Calibration) -> SpoofSettings:
        raise NotImplementedError


def test_training_stops_when_the_held_out_error_stops_falling_and_keeps_the_best() -> None:
    bad, good, worse = [0.0, 1.0, 0.5, 2.0], [-2.0, -1.0, 1.0, 2.0], [-1.0, 2.0, 0.0, 3.0]
    learner = Scripted(bad, good, worse, worse, worse, good)
    dev = bank_of([0, 0, 1, 1])
    best, epochs = fine_tune(learner, dev, dev, epochs=9, patience=2)
    assert best == 1
    assert learner.learnt == 1
    assert [epoch.number for epoch in epochs] == [0, 1, 2, 3]
    assert [epoch.dev_eer for epoch in epochs] == [0.5, 0.0, 0.5, 0.5]
    assert epochs[1].loss == pytest.approx(0.4)


def test_among_equal_errors_the_lower_loss_is_better() -> None:
    learner = Scripted([-1.0, 1.0], [-2.0, 2.0], [-3.0, 3.0], [-0.1, 0.1])
    assert fine_tune(learner, bank_of([0, 1]), bank_of([0, 1]), epochs=3, patience=3)[0] == 2


def test_batches_hold_half_of_each_class_and_all_groups_alike() -> None:
    bank = bank_of([0] * 91 + [1] * 10, ["big"] * 90 + ["small"] + ["x"] * 10)
    rows = np.concatenate([balanced(bank, 10, np.random.default_rng(seed)) for seed in range(100)])
    assert (bank.labels[rows] == 1).mean() == 0.5
    assert (bank.groups[rows] == "small").mean() == pytest.approx(0.25, abs=0.06)


def test_a_bank_holds_each_chunk_and_its_variants_but_nothing_of_damaged_files(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    found = find_recordings(*folders)[:2]
    damaged = write_cut_off(tmp_path / "cut.flac")
    asked = [found[0], Recording(damaged, SPOOF, "x"), found[1]]
    bank, unusable = fill_bank(tmp_path / "bank", asked, lambda speech: speech, variants=[lambda speech: -speech])
    assert [one.path for one in unusable] == [damaged]
    assert len(bank) == 4
    assert set(bank.groups) == {"speaker0"}
    assert bank.labels.tolist() == [0] * 4
    assert len(bank.rows) == bank.offsets[-1] == 4 * CHUNK_SAMPLES
    np.testing.assert_array_equal(bank[1], -bank[0])
    again, _ = fill_bank(tmp_path / "again", found, lambda speech: speech)
    np.testing.assert_array_equal(again[1], bank[2])


def served(told: str) -> SpoofSettings:
    """The settings in the YAML that the command prints."""
    settings: SpoofSettings = TypeAdapter(SpoofSettings).validate_python(yaml.safe_load(told)["spoof"]["engine"])
    return settings


def score_of(settings: SpoofSettings) -> float:
    chunk = np.random.default_rng(0).normal(0, 0.1, (1, CHUNK_SAMPLES)).astype(np.float32)
    return float(build(settings).score(chunk, np.array([CHUNK_SAMPLES]))[0])


def arguments(folders: tuple[Path, Path], out: Path, *more: str) -> list[str]:
    return ["--real", str(folders[0]), "--fake", str(folders[1]), "--out", str(out), *more]


def test_the_compact_network_learns_and_its_checkpoint_scores_as_it_did_in_training(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    learner = CompactLearner(None, batch=12, learning_rate=1e-3, seed=0)
    found = find_recordings(*folders)
    bank, _ = fill_bank(tmp_path / "bank", found, learner.describe)
    best, epochs = fine_tune(learner, bank, bank, epochs=3, patience=3)
    assert epochs[best].dev_loss < epochs[0].dev_loss
    settings = learner.save(tmp_path, Calibration(0.5, 0.25))
    vad = SileroVad()
    windows = np.stack([spoken.chunk.window for one in found for spoken in spoken_chunks(one.path, vad)])
    served_score = build(settings).score(windows, np.full(len(windows), CHUNK_SAMPLES, np.int64))
    np.testing.assert_allclose(served_score, Calibration(0.5, 0.25).probability(learner.logits(bank)), atol=0.02)


def test_a_fine_tuned_compact_checkpoint_is_served(
    folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folders, tmp_path / "out", "--epochs", "3", "--batch", "8")) == 0
    told = capfd.readouterr()
    settings = served(told.out)
    assert settings.engine == "compact"
    assert settings.model == str(tmp_path / "out" / "compact.onnx")
    assert score_of(settings) != score_of(CompactSettings())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [epoch["number"] for epoch in report["training"]["epochs"]][:2] == [0, 1]
    assert report["training"]["train_files"] + report["training"]["dev_files"] == 12
    assert report["files"]["bona_fide"] + report["files"]["spoof"] == report["training"]["dev_files"]
    assert (tmp_path / "out" / "det.png").exists()
    assert "## Training" in (tmp_path / "out" / "report.md").read_text()
    assert not list((tmp_path / "out").glob("chunks-*"))
    assert "held-out EER" in told.err


def test_the_head_of_wavlm_learns_alone_and_its_checkpoint_is_served(
    folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backbone = build_tiny_wavlm(tmp_path / "backbone")
    more = ("--engine", "wavlm", "--backbone", str(backbone), "--epochs", "2", "--learning-rate", "1e-3")
    assert main(arguments(folders, tmp_path / "out", *more, "--degraded-copies", "0")) == 0
    settings = served(capfd.readouterr().out)
    assert settings.engine == "wavlm"
    content = torch.load(tmp_path / "out" / "wavlm.pt", weights_only=True)
    assert set(content) == {"model_state_dict", "calibration"}
    assert content["calibration"]["scale"] > 0
    from safetensors.torch import load_file

    for name, tensor in load_file(backbone / "model.safetensors").items():
        torch.testing.assert_close(content["model_state_dict"]["wavlm." + name], tensor)
    assert 0 <= score_of(settings) <= 1


def test_the_last_layers_learn_where_asked_for(folders: tuple[Path, Path], tmp_path: Path) -> None:
    start = build_tiny_detector(tmp_path / "start")
    more = ("--engine", "wavlm", "--from", str(start), "--backbone", str(start.parent), "--unfreeze", "1")
    fast = ("--epochs", "1", "--learning-rate", "1e-2", "--degraded-copies", "0")
    assert main(arguments(folders, tmp_path / "out", *more, *fast)) == 0
    before = torch.load(start, weights_only=True)
    after = torch.load(tmp_path / "out" / "wavlm.pt", weights_only=True)["model_state_dict"]
    moved = {name.split(".")[3] for name in before if "encoder.layers" in name and not before[name].equal(after[name])}
    best = json.loads((tmp_path / "out" / "report.json").read_text())["training"]["best_epoch"]
    assert moved == ({"1"} if best else set())
    assert before["wavlm.feature_projection.projection.weight"].equal(
        after["wavlm.feature_projection.projection.weight"]
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--engine", "wavlm"), "hf download"),
        (("--from", "/none/compact.onnx"), "/none/compact.onnx"),
        (("--real", "/none"), "no folder /none"),
    ],
)
def test_the_command_says_what_is_missing(
    folders: tuple[Path, Path], tmp_path: Path, more: tuple[str, ...], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folders, tmp_path / "out", *more)) == 1
    said = capfd.readouterr().err
    assert "\ntrain: " in "\n" + said
    assert told in said


def test_the_command_fails_when_a_class_has_no_speech(
    folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        write_wav(tmp_path / "fake" / name, np.zeros(32_000, np.float32))
    assert main(arguments((folders[0], tmp_path / "fake"), tmp_path / "out")) == 1
    assert "no speech of class spoof" in capfd.readouterr().err


def test_too_many_layers_to_unfreeze_are_refused(
    folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backbone = build_tiny_wavlm(tmp_path / "backbone")
    more = ("--engine", "wavlm", "--backbone", str(backbone), "--unfreeze", "3")
    assert main(arguments(folders, tmp_path / "out", *more)) == 1
    assert "2 layers" in capfd.readouterr().err
