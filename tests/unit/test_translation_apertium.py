"""Apertium: finding pairs, the stream format, and pipelines that stay, against stand-ins and the installed programs."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import InputError
from models.translation import ApertiumSettings, Sentence
from models.translation.apertium import ApertiumTranslator
from models.translation.apertium_modes import find_modes, parse
from models.translation.apertium_stream import from_stream, to_stream

pytestmark = [pytest.mark.unit, pytest.mark.slow]

# Upper case in place of a translation. "crash" ends it, "hang" silences it; what is in [] passes.
PROGRAM = f"""#!{sys.executable}
import sys, time
if len(sys.argv) > 3: open(sys.argv[3], "a").write("started\\n")
held = b""
while True:
    byte = sys.stdin.buffer.read(1)
    if not byte: break
    held += byte
    if byte == b"\\0":
        if b"crash" in held: sys.stdout.buffer.write(b"\\0"); sys.stdout.flush(); sys.exit(1)
        if b"hang" in held: time.sleep(60)
        sys.stdout.buffer.write(held.upper()); sys.stdout.flush(); held = b""
"""
PASS = f"""#!{sys.executable}
import os
while (data := os.read(0, 4096)): os.write(1, data)
os.write(1, b"\\0")
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with unpacked packages of the pair English to Kazakh, and nothing installed."""
    monkeypatch.setattr("models.translation.apertium_modes.DATA", Path("/usr/share/no-apertium"))
    programs, modes = tmp_path / "usr/bin", tmp_path / "usr/share/no-apertium/modes"
    programs.mkdir(parents=True)
    modes.mkdir(parents=True)
    for name, text in (("fake-translate", PROGRAM), ("fake-pass", PASS)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (modes.parent / "starts.bin").write_text("")
    (modes / "eng-kaz.mode").write_text(
        "fake-translate $1 '/usr/share/no-apertium/starts.bin' | fake-pass $2 | fake-pass\n"
    )
    return tmp_path


def started(root: Path) -> int:
    return (root / "usr/share/no-apertium/starts.bin").read_text().count("started")


@pytest.fixture
def engine(root: Path) -> Iterator[ApertiumTranslator]:
    made = ApertiumTranslator(ApertiumSettings(root=root, workers=1, sentence_timeout=60.0))
    yield made
    made.close()


def translate(engine: ApertiumTranslator, *texts: str) -> list[str]:
    return [done.text for done in engine.translate([Sentence(text, "en", "kk") for text in texts])]


def test_pairs_are_found_in_unpacked_packages_by_their_short_codes(engine: ApertiumTranslator) -> None:
    assert engine.pairs == {"en": frozenset({"kk"})}


def test_programs_stay_running_between_calls(engine: ApertiumTranslator, root: Path) -> None:
    assert translate(engine, "one.", "two.") == ["ONE.", "TWO."]
    assert translate(engine, "three.") == ["THREE."]
    assert started(root) == 1


def test_a_batch_larger_than_the_pipes_comes_through(engine: ApertiumTranslator) -> None:
    texts = [f"sentence {number} {'word ' * 100}end." for number in range(400)]
    assert translate(engine, *texts) == [text.upper() for text in texts]


def test_a_killed_program_is_replaced_and_no_half_answer_is_taken(engine: ApertiumTranslator, root: Path) -> None:
    translate(engine, "one.")
    for victim in range(3):
        os.kill(engine.pool.pids[victim], signal.SIGKILL)
        assert translate(engine, "two.", "three.") == ["TWO.", "THREE."]
    assert started(root) == 4


def test_a_sentence_that_makes_the_programs_end_is_refused_alone(engine: ApertiumTranslator) -> None:
    with pytest.raises(InputError, match="fails on one of the sentences") as refused:
        translate(engine, "one.", "crash.", "two.")
    assert refused.value.code == "untranslatable"
    assert translate(engine, "one.", "two.") == ["ONE.", "TWO."]


def test_a_sentence_that_silences_the_programs_is_refused_when_its_time_is_over(root: Path) -> None:
    engine = ApertiumTranslator(ApertiumSettings(root=root, workers=1, sentence_timeout=2.0))
    try:
        with pytest.raises(InputError, match="fails on one of the sentences"):
            translate(engine, "hang.")
    finally:
        engine.close()


def test_programs_that_fail_on_any_text_are_no_fault_of_the_text(root: Path) -> None:
    (root / "usr/bin/fake-pass").write_text("#!/bin/sh\nexit 1\n")
    engine = ApertiumTranslator(ApertiumSettings(root=root, workers=1, sentence_timeout=2.0))
    with pytest.raises(RuntimeError, match="on any text"):
        translate(engine, "one.")


def test_threads_share_the_pipelines_and_get_their_own_sentences(root: Path) -> None:
    engine = ApertiumTranslator(ApertiumSettings(root=root, workers=2))
    barrier = threading.Barrier(6)

    def caller(number: int) -> list[str]:
        barrier.wait()
        return [text for turn in range(5) for text in translate(engine, f"caller {number} turn {turn}.")]

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(caller, range(6)))
    engine.close()
    assert results == [[f"CALLER {number} TURN {turn}." for turn in range(5)] for number in range(6)]
    assert started(root) <= 2


def test_closing_ends_the_programs(engine: ApertiumTranslator) -> None:
    translate(engine, "one.")
    pids = engine.pool.pids
    assert len(pids) == 3
    engine.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(RuntimeError, match="ended"):
        translate(engine, "one.")


def test_without_pairs_the_engine_starts_and_says_how_to_get_one(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(root / "usr")
    engine = ApertiumTranslator(ApertiumSettings())
    assert engine.pairs == {}
    assert "apt-get install apertium apertium-eng-spa" in caplog.text
    with pytest.raises(InputError, match="apt-get install apertium apertium-eng-spa") as refused:
        engine.translate([Sentence("Hello.", "en", "es")])
    assert (refused.value.code, refused.value.field) == ("unsupported_pair", "target")


def test_a_pair_whose_programs_are_missing_is_left_out(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "usr/bin/fake-pass").unlink()
    assert find_modes(root) == {}
    assert "not installed: fake-pass" in caplog.text


@pytest.mark.parametrize("line", ["a | b > /etc/passwd", "a; rm -rf x", "a `b`", "a $(b)", "a && b", "a | | b", "a\nb"])
def test_a_mode_that_is_more_than_a_pipeline_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"more than|missing"):
        parse(line)


AWKWARD = [
    "[x]",
    "^word<n>$",
    "a\\b",
    "{c} <d> @e f/g",
    "~ * # + =",
    "[<STREAMCMD:SETVAR:x>]",
    "]",
    "[",
    "\\",
    "^",
    "$",
    "\\[",
    "[]",
    ".[]",
    "😀",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_what_means_something_to_the_stream_comes_back_as_it_was(text: str) -> None:
    assert from_stream(to_stream(text), text) == text


def test_control_characters_can_not_end_a_sentence_early() -> None:
    assert b"\0" not in to_stream("one\0two\ntree")
    assert from_stream(to_stream("one\0two"), "one\0two") == "one two"


installed = pytest.mark.skipif(("en", "es") not in find_modes(), reason="apertium-eng-spa is not installed")


@pytest.fixture(scope="module")
def apertium() -> Iterator[ApertiumTranslator]:
    made = ApertiumTranslator(ApertiumSettings())
    yield made
    made.close()


def spanish(engine: ApertiumTranslator, *texts: str) -> list[str]:
    return [done.text for done in engine.translate([Sentence(text, "en", "es") for text in texts])]


@installed
def test_apertium_translates_english_to_spanish_and_back(apertium: ApertiumTranslator) -> None:
    assert spanish(apertium, "The house is red.", "a red house") == ["La casa es roja.", "Una casa roja"]
    back = apertium.translate([Sentence("La casa es roja.", "es", "en"), Sentence("The cat.", "en", "es")])
    assert [done.text for done in back] == ["The house is red.", "El gato."]


@installed
def test_apertium_leaves_unknown_words_unmarked(apertium: ApertiumTranslator) -> None:
    assert spanish(apertium, "zzyzx *w") == ["zzyzx *w"]


@installed
@pytest.mark.parametrize("text", AWKWARD)
def test_apertium_is_not_thrown_off_by_its_own_marks(apertium: ApertiumTranslator, text: str) -> None:
    assert spanish(apertium, text, "The house is red.")[1] == "La casa es roja."
