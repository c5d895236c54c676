"""Festival as a process that stays: with a stand-in of its protocol, and with its Russian voice where that is."""

# ruff: noqa: RUF001 - Cyrillic

import gc
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from models.errors import MissingWeights
from models.speech import FestivalSettings, SpeechEngine, SpeechModel, Voice, build, speak
from models.speech import festival as festival_engine
from models.speech.festival import FestivalEngine, _readable, installed
from models.speech.festival_process import FestivalDied, FestivalProcess, FestivalTooSlow

pytestmark = pytest.mark.unit

real = pytest.mark.skipif(not installed(), reason=f"no Festival here: {festival_engine.INSTALL}")
SENTENCES = ("Доброе утро.", "Сегодня хорошая погода, и мы пойдём гулять в парк.")
TEXT = " ".join(SENTENCES)

# Answers each text with as many samples as it has letters; some words are orders.
STAND_IN = f"""#!{sys.executable}
import os, re, struct, sys, time, wave
out = sys.stdout.buffer
for line in sys.stdin:
    if line.startswith("(voice_"):
        if "broken" in line:
            sys.exit(3)
    elif "READY" in line:
        out.write(b"READY\\n")
    elif found := re.match(r'\\(unwind-protect \\(speak_text "([^"]*)"', line):
        text = found[1]
        if text == "die":
            sys.exit(1)
        if text == "sleep":
            time.sleep(60)
        if text == "fail":
            out.write(b"FAIL\\n")
        elif text == "noise":
            out.write(b"WAVE\\n" + b"x" * 100)
        else:
            sound = struct.pack(f"<{{len(text)}}h", *range(1, len(text) + 1))
            out.write(b"WAVE\\nRIFF" + struct.pack("<I", 36 + len(sound)) + b"WAVEfmt ")
            out.write(struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + struct.pack("<I", len(sound)))
            out.write(sound)
    out.flush()
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "festival"
    path.write_text(STAND_IN)
    path.chmod(0o700)
    return str(path)


@pytest.fixture
def stand_in(program: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FestivalEngine]:
    monkeypatch.setattr(festival_engine.shutil, "which", lambda _name: program)
    monkeypatch.setattr(festival_engine, "installed", lambda: True)
    monkeypatch.setattr(festival_engine, "trimmed", lambda samples, _rate: samples)
    yield FestivalEngine(FestivalSettings(timeout_s=10))


def said(engine: FestivalEngine | SpeechEngine, text: str, speed: float = 1.0) -> NDArray[np.float32]:
    voice = engine.voices[0]
    pieces = engine.load(voice.model).synthesize(text, voice=voice, language="ru", speed=speed, reference=None)
    return np.concatenate([np.empty(0, np.float32), *pieces])


def _letters(model: SpeechModel, count: int) -> int:
    voice = festival_engine._VOICE
    return sum(map(len, model.synthesize("a" * count, voice=voice, language="ru", speed=1.0, reference=None)))


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_one_process_speaks_one_text_after_the_other(stand_in: FestivalEngine) -> None:
    before = children()
    assert [len(said(stand_in, text)) for text in ("abc", "abcdef", "a")] == [3, 6, 1]
    assert len(children() - before) == 1


def test_a_process_that_died_is_replaced_and_the_text_is_spoken(stand_in: FestivalEngine) -> None:
    before = children()
    said(stand_in, "abc")
    (first,) = children() - before
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)] if psutil.pid_exists(first) else [], timeout=10)
    assert len(said(stand_in, "abcd")) == 4
    assert len(children() - before) == 1 and first not in children()


def test_a_text_that_ends_every_process_fails_and_the_next_is_spoken(stand_in: FestivalEngine) -> None:
    with pytest.raises(FestivalDied):
        said(stand_in, "die")
    with pytest.raises(FestivalDied, match="no WAV"):
        said(stand_in, "noise")
    with pytest.raises(ValueError, match="can't read"):
        said(stand_in, "fail")
    assert len(said(stand_in, "abcd")) == 4


def test_a_text_that_takes_too_long_ends_its_process(program: str) -> None:
    process = FestivalProcess(program, "any", 10.0)
    process._timeout = 0.3
    with pytest.raises(FestivalTooSlow):
        process.speak("sleep")
    assert not psutil.pid_exists(process.pid)


def test_several_processes_speak_at_once(program: str, stand_in: FestivalEngine) -> None:
    before = children()
    model = FestivalEngine(FestivalSettings(processes=2)).load("msu_ru_nsh_clunits")
    with ThreadPoolExecutor(4) as threads:
        spoken = threads.map(partial(_letters, model), range(1, 20))
        assert list(spoken) == list(range(1, 20))
    assert 1 <= len(children() - before) <= 2
    del model, spoken, threads
    gc.collect()
    assert children() == before


@pytest.mark.parametrize("text", ['a" (system "touch /tmp/x") "', "back\\slash", "line\nbreak", "\x00"])
def test_signs_that_would_end_the_text_never_reach_the_process(program: str, text: str) -> None:
    with pytest.raises(ValueError, match="quote, a backslash or a control"):
        FestivalProcess(program, "any", 10.0).speak(text)


def test_texts_are_given_in_signs_that_the_voice_reads() -> None:
    assert _readable("«Кавычки» — тире (скобки); з+амок ... ?! café кто-то т.е. 12:30") == (
        "Кавычки, тире, скобки, з+амок. cafe кто-то т е. 12 30"
    )
    assert _readable('" (system "ls") \\ 日本 ...') == "system ls,"
    assert _readable("— ! + 日本") == ""


def test_what_is_missing_is_said_with_the_command_that_brings_it(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(festival_engine.shutil, "which", lambda _name: None)
    with pytest.raises(MissingWeights, match="apt-get install -y festival festvox-ru"):
        build(FestivalSettings())
    with pytest.raises(FestivalDied):
        FestivalProcess(program, "broken", 10.0)


@pytest.fixture(scope="module")
def engine() -> SpeechEngine:
    return build(FestivalSettings())


@real
def test_the_russian_voice_speaks_within_the_range_and_without_silence_around_it(engine: SpeechEngine) -> None:
    voice: Voice = engine.voices[0]
    assert (voice.languages, voice.gender, voice.engine, voice.quality) == (("ru",), "male", "festival", "good")
    chunks = list(speak(engine.load(voice.model), TEXT, voice=voice, language="ru"))
    assert [chunk.text for chunk in chunks if chunk.text] == list(SENTENCES)
    samples = np.concatenate([chunk.samples for chunk in chunks])
    assert 3.0 < len(samples) / voice.sample_rate < 8.0
    assert 0.2 < np.abs(samples).max() < 1.0
    heard = np.flatnonzero(np.abs(samples) > 0.02)
    assert heard[0] < 0.1 * voice.sample_rate and len(samples) - heard[-1] < 0.2 * voice.sample_rate


@real
def test_its_speed_is_as_asked_and_stress_is_heard(engine: SpeechEngine) -> None:
    normal = len(said(engine, TEXT))
    assert len(said(engine, TEXT, 2.0)) == pytest.approx(normal / 2, rel=0.05)
    assert len(said(engine, TEXT, 0.5)) == pytest.approx(normal * 2, rel=0.05)
    assert len(said(engine, "з+амок")) != len(said(engine, "зам+ок"))


@real
@pytest.mark.parametrize(
    "text", ["12:30, т.е. (скоро)…", "ъ", 'a" (quit) "', "日本語", "С́лово, №5 & co — 100%", "щ" * 100]
)
def test_texts_of_all_kinds_are_taken(engine: SpeechEngine, text: str) -> None:
    said(engine, text)
    assert len(said(engine, "да")) > 0
