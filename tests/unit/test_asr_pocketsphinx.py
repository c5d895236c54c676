"""The PocketSphinx engine, with its own model."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from recordings import FIVE_TURNS_S, beginning

from models.asr import PocketSphinxSettings, Segment, build
from models.asr.pocketsphinx_engine import PocketSphinxAsr
from models.asr.pocketsphinx_pool import DecoderPool, DecoderProcess
from models.audio import decode
from models.errors import InputError
from models.spans import Span

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SAMPLES = Path(__file__).resolve().parents[2] / "models" / "samples"
Pcm = NDArray[np.float32]
SECOND = 16_000
EXCUSE_ME = Span(0.0, 1.6)
"""Where the dialogue says so, with nothing else around it."""


class Spans:
    """A voice detector that answers what it was told to."""

    def __init__(self, *spans: Span) -> None:
        self.spans = list(spans)

    def speech(self, pcm: Pcm) -> list[Span]:
        return self.spans


@pytest.fixture(scope="module")
def turns() -> list[dict[str, Any]]:
    """What is said in the recording, and when."""
    loaded: list[dict[str, Any]] = json.loads((SAMPLES / "dialogue.json").read_text())["turns"]
    return [turn for turn in loaded if turn["end"] < FIVE_TURNS_S]


@pytest.fixture(scope="module")
def dialogue() -> Pcm:
    pcm = beginning(FIVE_TURNS_S)
    pcm.setflags(write=False)
    return pcm


@pytest.fixture(scope="module")
def asr() -> Iterator[PocketSphinxAsr]:
    engine = build(PocketSphinxSettings(workers=2))
    assert isinstance(engine, PocketSphinxAsr)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def segments(asr: PocketSphinxAsr, dialogue: Pcm) -> list[Segment]:
    return list(asr.transcribe(dialogue).segments)


@pytest.fixture(scope="module")
def one_decoder() -> Iterator[PocketSphinxAsr]:
    """An engine of one process, for tests that end it; it hears what `Spans` tells it."""
    engine = PocketSphinxAsr(PocketSphinxSettings(workers=1), Spans(EXCUSE_ME))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def excuse_me(one_decoder: PocketSphinxAsr, dialogue: Pcm) -> list[Segment]:
    """What it hears there."""
    segments = list(one_decoder.transcribe(dialogue).segments)
    assert text_of(segments) == "excuse me"
    return segments


@pytest.fixture
def without_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have decoder processes load no model: they say that they are ready, and wait."""
    program = tmp_path / "ready.py"
    program.write_text("import sys; sys.stdout.buffer.write(b'\\2\\0\\0\\0{}'); sys.stdout.flush(); sys.stdin.read()")
    monkeypatch.setattr("models.asr.pocketsphinx_pool._PROGRAM", program)


def words_of(turns: list[dict[str, Any]]) -> str:
    return " ".join(word for turn in turns for word in turn["words"])


def text_of(segments: list[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


def test_the_bundled_dialogue_is_recognised(segments: list[Segment], turns: list[dict[str, Any]]) -> None:
    assert jiwer.wer(words_of(turns), text_of(segments)) < 0.15


def test_real_speech_is_recognised(asr: PocketSphinxAsr, librispeech: Path) -> None:
    lines = (librispeech / "test-clean" / "transcripts.txt").read_text().splitlines()
    spoken = {name: text.lower() for name, text in (line.split(maxsplit=1) for line in lines)}
    heard = []
    for name in spoken:
        with (librispeech / "test-clean" / f"{name}.flac").open("rb") as file:
            heard.append(text_of(list(asr.transcribe(decode(file)).segments)))

    assert jiwer.wer(list(spoken.values()), heard) < 0.3


def test_words_lie_in_the_turn_that_spoke_them(segments: list[Segment], turns: list[dict[str, Any]]) -> None:
    for word in (word for segment in segments for word in segment.words):
        assert any(turn["start"] - 0.25 < word.start and word.end < turn["end"] + 0.25 for turn in turns), word


def test_segments_and_words_are_in_order_and_span_each_other(segments: list[Segment]) -> None:
    starts = [segment.start for segment in segments]

    assert starts == sorted(starts)
    for segment in segments:
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
        assert segment.text == " ".join(word.text for word in segment.words)
        assert all(word.start < word.end for word in segment.words)
        assert all(left.end <= right.start for left, right in pairwise(segment.words))


def test_words_are_plain_and_carry_no_probability(segments: list[Segment]) -> None:
    words = [word for segment in segments for word in segment.words]

    assert all(word.text.replace("'", "").isalpha() for word in words)
    assert {word.probability for word in words} == {None}


def test_the_language_is_english_and_no_other(asr: PocketSphinxAsr, dialogue: Pcm) -> None:
    assert asr.transcribe(dialogue).language == "en"
    assert asr.transcribe(dialogue, language="en").language == "en"
    with pytest.raises(InputError, match="'ru'; it has: en") as refused:
        asr.transcribe(dialogue, language="ru")
    assert (refused.value.code, refused.value.field) == ("unsupported_language", "language")


@pytest.mark.parametrize("pcm", [np.zeros(0, np.float32), np.zeros(32_000, np.float32)], ids=["empty", "silent"])
def test_no_speech_gives_no_segments(asr: PocketSphinxAsr, pcm: Pcm) -> None:
    assert list(asr.transcribe(pcm).segments) == []


def test_what_was_recognised_before_changes_nothing(
    one_decoder: PocketSphinxAsr, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough that what a decoder remembers would move a word.
    monkeypatch.setattr(one_decoder, "_voice_detector", Spans(Span(0.0, 2.9)))
    expected = list(one_decoder.transcribe(dialogue).segments)
    assert list(one_decoder.transcribe(dialogue[3 * SECOND : 5 * SECOND] * np.float32(0.1)).segments)

    assert list(one_decoder.transcribe(dialogue).segments) == expected != []


def test_several_threads_get_each_their_own_recording(asr: PocketSphinxAsr, dialogue: Pcm) -> None:
    cuts = [dialogue[round(start * SECOND) : round((start + 1.6) * SECOND)] for start in (0.0, 3.0, 10.3)]
    alone = [list(asr.transcribe(cut).segments) for cut in cuts]
    assert len({text_of(segments) for segments in alone} - {""}) == 3

    with ThreadPoolExecutor(len(cuts)) as threads:
        together = list(threads.map(lambda cut: list(asr.transcribe(cut).segments), cuts))

    assert together == alone


def test_utterances_are_decoded_only_a_few_ahead_of_the_reader(
    one_decoder: PocketSphinxAsr, dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [EXCUSE_ME, *(Span(start, start + 2.5) for start in np.arange(2.5, 15.0, 2.5))]
    monkeypatch.setattr(one_decoder, "_voice_detector", Spans(*spans, *spans))
    decoded: list[int] = []
    decode_one = one_decoder._pool.decode

    def counted(pcm: bytes) -> object:
        decoded.append(len(pcm))
        return decode_one(pcm)

    monkeypatch.setattr(one_decoder._pool, "decode", counted)
    reading = one_decoder.transcribe(dialogue).segments
    assert decoded == []

    assert next(reading).words
    reading.close()  # type: ignore[attr-defined]
    # The one thread comes to this when it has done or dropped everything before it.
    one_decoder._executor.submit(int).result()

    assert len(decoded) <= 2


def test_a_decoder_that_dies_fails_its_utterance_and_is_replaced(
    one_decoder: PocketSphinxAsr, excuse_me: list[Segment], dialogue: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pid,) = one_decoder._pool.pids
    send = DecoderProcess._send

    def killed_first(process: DecoderProcess, body: bytes) -> None:
        os.kill(pid, signal.SIGKILL)
        send(process, body)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="ended with status -9"):
        patch.setattr(DecoderProcess, "_send", killed_first)
        list(one_decoder.transcribe(dialogue).segments)

    assert list(one_decoder.transcribe(dialogue).segments) == excuse_me
    assert one_decoder._pool.pids != (pid,)


def test_a_decoder_that_died_while_idle_is_replaced_unnoticed(
    one_decoder: PocketSphinxAsr, excuse_me: list[Segment], dialogue: Pcm
) -> None:
    (pid,) = one_decoder._pool.pids
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)])

    assert list(one_decoder.transcribe(dialogue).segments) == excuse_me


@pytest.mark.usefixtures("without_models")
def test_a_closed_pool_says_so_however_often_it_is_asked() -> None:
    pool = DecoderPool(1, {})
    pool.close()

    for _ in range(2):
        with pytest.raises(RuntimeError, match="were ended"):
            pool.decode(bytes(32_000))
    assert pool.pids == ()


def test_a_decoder_that_cannot_start_is_said_at_once() -> None:
    with pytest.raises(RuntimeError, match="ended with status 1"):
        DecoderPool(2, {"hmm": "/nowhere", "loglevel": "FATAL"})


@pytest.mark.usefixtures("without_models")
def test_closing_ends_the_decoder_processes() -> None:
    engine = PocketSphinxAsr(PocketSphinxSettings(workers=2), Spans())
    pids = engine._pool.pids
    assert all(psutil.pid_exists(pid) for pid in pids)

    engine.close()

    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.usefixtures("without_models")
def test_an_engine_nobody_holds_ends_its_processes() -> None:
    engine = PocketSphinxAsr(PocketSphinxSettings(workers=1), Spans())
    (pid,) = engine._pool.pids

    del engine

    assert not psutil.pid_exists(pid)
