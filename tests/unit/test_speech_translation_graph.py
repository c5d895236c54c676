"""The speech-to-speech graph over roles without models."""

import asyncio
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from fake_roles import FakeAsr, FakeSpeech, FakeTranslation, find_speech, numbered, said, silence
from fake_roles.speech import letters
from fake_roles.translation import QUALITY
from numpy.typing import NDArray
from structlog.testing import capture_logs

from deployments.errors import RoleUnavailable
from graphs.common.progress import Progress, result_of
from graphs.common.recordings import SharedRecording
from graphs.common.voices import Speaker
from graphs.translation.graph import (
    IN_FLIGHT,
    MAX_SPEED,
    AudioMade,
    Recognised,
    SpeechFailed,
    SpeechTranslationGraph,
    Spoken,
    Translated,
    TranslationEvent,
    UtteranceEnd,
    UtteranceTranslated,
)
from graphs.translation.report import SpeechTranslation, TranslatedUtterance
from graphs.translation.text import TranslationGraph
from models.errors import InputError
from models.speech import Voice

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

RATE = 8000
ANNA = Voice("anna", "Anna", ("es",), "anna", RATE)
SPEAKER = Speaker(ANNA, "es", None, "anna")


def hearing(*texts: str, language: str = "en") -> FakeAsr:
    return FakeAsr(numbered(*texts), language=language)


def speaking() -> FakeSpeech:
    return FakeSpeech(ANNA, pieces=letters)


def graph(asr: FakeAsr, speech: FakeSpeech | None = None) -> SpeechTranslationGraph:
    return SpeechTranslationGraph(asr, TranslationGraph(FakeTranslation()), speech or speaking(), find_speech)


def recording(*parts: NDArray[np.float32]) -> SharedRecording:
    pcm = np.concatenate(parts)
    pcm.flags.writeable = False
    return SharedRecording(pcm, pcm)


class Told:
    """Everything that a translation tells."""

    def __init__(self) -> None:
        self.pieces: list[NDArray[np.float32]] = []
        self.utterances: list[TranslatedUtterance] = []
        self.progress: list[float] = []

    async def add(self, event: TranslationEvent) -> None:
        match event:
            case AudioMade(samples):
                self.pieces.append(samples)
            case UtteranceTranslated(utterance):
                self.utterances.append(utterance)
            case Progress(fraction):
                self.progress.append(fraction)

    @property
    def audio(self) -> NDArray[np.float32]:
        return np.concatenate(self.pieces)


async def run(
    over: SpeechTranslationGraph,
    *parts: NDArray[np.float32],
    source: str | None = "en",
    target: str = "es",
    speaker: Speaker | None = SPEAKER,
) -> tuple[SpeechTranslation, Told]:
    told = Told()
    events = over.run(recording(*parts), source=source, target=target, speaker=speaker, correlation_id="c")
    return await result_of(events, SpeechTranslation, told.add), told


async def events(over: SpeechTranslationGraph, pcm: NDArray[np.float32], **options: Any) -> list[Any]:
    asked = {"source": "en", "target": "es", "speaker": SPEAKER, **options}
    return [event async for event in over.utterance(pcm, **asked)]


async def test_an_utterance_is_recognised_translated_and_spoken() -> None:
    found = await events(graph(hearing("good day")), said(1, 2))
    assert found[:2] == [Recognised("good day", "en"), Translated("GOOD DAY", QUALITY, suspect=False)]
    first, second, end = found[2:]
    assert isinstance(first, Spoken) and isinstance(second, Spoken) and isinstance(end, UtteranceEnd)
    assert (first.text, second.text, first.sample_rate) == ("GOOD DAY", "", RATE)
    assert len(first.samples) + len(second.samples) == 0.8 * RATE
    assert set(end.timings) == {"asr", "translation", "speech"}


@pytest.mark.parametrize("heard", ["", "[Music]", "um", "Thank you for watching!"])
async def test_noise_is_neither_translated_nor_spoken(heard: str) -> None:
    speech = speaking()
    found = await events(graph(hearing(heard), speech), said(1, 2))
    assert [type(event) for event in found] == [UtteranceEnd]
    assert speech.speeds == []


async def test_an_utterance_that_is_in_the_target_language_passes_as_it_is() -> None:
    found = await events(graph(hearing("buenos dias", language="es")), said(1, 2), source=None)
    assert found[:2] == [Recognised("buenos dias", "es"), Translated("buenos dias", None, suspect=False)]


async def test_speech_that_fails_is_told_and_leaves_the_text() -> None:
    speech = speaking()
    speech.failures["GOOD DAY"] = InputError("unspeakable", "Nobody can say that.", field="text")
    found = await events(graph(hearing("good day"), speech), said(1, 2))
    assert found[1].text == "GOOD DAY"
    assert found[2] == SpeechFailed("unspeakable", "Nobody can say that.")
    assert isinstance(found[3], UtteranceEnd)


async def test_an_utterance_can_stay_unspoken() -> None:
    found = await events(graph(hearing("good day")), said(1, 2), speaker=None)
    assert [type(event) for event in found] == [Recognised, Translated, UtteranceEnd]


async def test_a_translation_keeps_the_time_line_of_its_recording() -> None:
    parts = (silence(1), said(1, 2), silence(1), said(2, 3), silence(2))
    report, told = await run(graph(hearing("one", "two and")), *parts)
    assert [(u.start, u.end, u.source_text, u.target_text) for u in report.utterances] == [
        (1.0, 3.0, "one", "ONE"),
        (4.0, 7.0, "two and", "TWO AND"),
    ]
    assert [(u.audio_start, u.audio_end, u.speed) for u in report.utterances] == [(1.0, 1.3, 1.0), (4.0, 4.7, 1.0)]
    assert report.utterances == tuple(told.utterances)
    assert report.audio is not None
    assert (report.audio.duration, report.audio.spoken, report.audio.hurried, report.audio.max_drift) == (9.0, 2, 0, 0)
    voiced = np.flatnonzero(told.audio)
    assert len(told.audio) == 9 * RATE
    assert voiced.tolist() == [*range(RATE, round(1.3 * RATE)), *range(4 * RATE, round(4.7 * RATE))]
    assert told.progress == sorted(told.progress)
    assert (report.source, report.target, report.voice) == ("en", "es", "anna")
    assert {"vad", "asr", "translation", "speech"} == set(report.timings)


async def test_speech_that_is_too_long_is_hurried_to_fit() -> None:
    speech = speaking()
    report, _told = await run(graph(hearing("a" * 12, "b"), speech), said(1, 0.9), silence(0.1), said(2, 1))
    first, second = report.utterances
    assert sorted(speech.speeds) == [("A" * 12, 1.0), ("A" * 12, 1.2), ("B", 1.0)]
    assert (first.speed, first.audio_start, first.audio_end) == (1.2, 0.0, 1.0)
    assert (second.speed, second.audio_start) == (1.0, 1.0)
    assert report.audio is not None
    assert (report.audio.hurried, report.audio.max_drift) == (1, 0.0)


async def test_what_can_not_be_hurried_enough_delays_the_next_and_is_never_cut() -> None:
    speech = speaking()
    report, told = await run(graph(hearing("a" * 27, "b" * 9), speech), said(1, 0.9), silence(0.1), said(2, 1))
    first, second = report.utterances
    assert (first.speed, first.audio_end) == (MAX_SPEED, 2.0)
    # It begins when the first one ends and hurries, because nothing is left of its own time.
    assert (second.audio_start, second.speed) == (2.0, MAX_SPEED)
    assert report.audio is not None
    assert report.audio.max_drift == pytest.approx(1.0, abs=0.01)
    assert report.audio.duration == pytest.approx(2.0 + 0.9 / MAX_SPEED, abs=0.01)
    assert np.all(told.audio == 0.5)


async def test_the_next_utterances_are_recognised_while_one_is_spoken_but_not_without_bound() -> None:
    asr, speech = hearing(*"abcdefgh"), speaking()
    speech.gates["A"] = asyncio.Event()
    parts = [part for number in range(1, 9) for part in (said(number, 1), silence(1))]
    running = asyncio.create_task(run(graph(asr, speech), *parts))
    await asyncio.gather(*(asr.begun[number].wait() for number in range(1, IN_FLIGHT + 1)))
    await asyncio.gather(*(speech.begun[letter].wait() for letter in "ABCDEFGH"[:IN_FLIGHT]))
    assert not running.done()
    assert {number for number, event in asr.begun.items() if event.is_set()} == set(range(1, IN_FLIGHT + 1))
    speech.gates["A"].set()
    report, _told = await running
    assert "".join(utterance.source_text for utterance in report.utterances) == "abcdefgh"


async def test_utterances_are_told_in_order_whatever_their_roles_take() -> None:
    asr = hearing("a", "b", "c")
    asr.gates = {1: asyncio.Event(), 2: asyncio.Event()}
    running = asyncio.create_task(run(graph(asr), said(1, 1), silence(1), said(2, 1), silence(1), said(3, 1)))
    await asr.begun[3].wait()
    asr.gates[2].set()
    asr.gates[1].set()
    _report, told = await running
    assert [utterance.target_text for utterance in told.utterances] == ["A", "B", "C"]


async def test_noise_leaves_a_pause() -> None:
    report, told = await run(graph(hearing("(laughs)", "so")), said(1, 1), silence(1), said(2, 1))
    assert [utterance.source_text for utterance in report.utterances] == ["so"]
    assert np.flatnonzero(told.audio)[0] == 2 * RATE
    assert told.progress == [pytest.approx(1 / 3, abs=0.01), 1.0]


async def test_one_failure_of_speech_keeps_the_text_and_the_rest_goes_on() -> None:
    speech = speaking()
    speech.failures["A"] = RuntimeError("a kernel died")
    with capture_logs():
        report, told = await run(graph(hearing("a", "b"), speech), said(1, 1), silence(1), said(2, 1))
    first, second = report.utterances
    assert (first.target_text, first.audio_start) == ("A", None)
    assert first.speech_error == "The translation could not be spoken."
    assert (second.audio_start, second.speech_error) == (2.0, None)
    assert report.audio is not None
    assert (report.audio.spoken, report.audio.failed) == (1, 1)
    assert len(told.audio) == 3 * RATE


async def test_a_translation_of_which_nothing_could_be_spoken_fails() -> None:
    speech = speaking()
    speech.failures = {text: RuntimeError(text) for text in "AB"}
    with capture_logs(), pytest.raises(RuntimeError, match="A"):
        await run(graph(hearing("a", "b"), speech), said(1, 1), silence(1), said(2, 1))


async def test_a_voice_that_is_out_of_reach_leaves_no_gap_but_fails_the_attempt() -> None:
    speech = speaking()
    speech.failures["B"] = RoleUnavailable("no replica can be reached")
    with pytest.raises(RoleUnavailable):
        await run(graph(hearing("a", "b"), speech), said(1, 1), silence(1), said(2, 1))


async def test_a_cancelled_translation_stops_its_roles() -> None:
    asr, speech = hearing("a", "b"), speaking()
    asr.gates[2] = asyncio.Event()
    speech.gates["A"] = asyncio.Event()
    running = asyncio.create_task(run(graph(asr, speech), said(1, 1), silence(1), said(2, 1)))
    await asr.begun[2].wait()
    await speech.begun["A"].wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (asr.stopped, speech.stopped) == ([2], ["A"])


async def test_each_utterance_comes_after_its_audio_and_a_reader_who_leaves_stops_the_roles() -> None:
    asr = hearing("a", "b")
    asr.gates[2] = asyncio.Event()
    spoken = recording(silence(1), said(1, 1), silence(1), said(2, 1))
    seen = []
    async with (
        asyncio.timeout(10),
        aclosing(graph(asr).run(spoken, source="en", target="es", speaker=SPEAKER)) as stream,
    ):
        async for event in stream:
            seen.append(event)
            if isinstance(event, Progress):
                break
        await asr.begun[2].wait()
    pause, speech, utterance, progress = seen
    assert isinstance(pause, AudioMade) and len(pause.samples) == RATE and not pause.samples.any()
    assert isinstance(speech, AudioMade) and speech.samples.all()
    assert isinstance(utterance, UtteranceTranslated) and utterance.utterance.audio_start == 1.0
    assert progress == Progress(0.5)
    assert asr.stopped == [2]


async def test_leaving_an_utterance_early_stops_its_recogniser() -> None:
    asr = hearing("a")
    asr.gates[1] = asyncio.Event()
    first = asyncio.ensure_future(anext(graph(asr).utterance(said(1, 1), source="en", target="es", speaker=None)))
    await asr.begun[1].wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert asr.stopped == [1]


async def test_an_unnamed_language_is_detected_once_for_the_whole_recording() -> None:
    asr = hearing("a", "b")
    report, _told = await run(graph(asr), silence(1), said(1, 1), silence(1), said(2, 1), source=None)
    assert report.source == "en"
    assert asr.asked == [None, "en", "en"]


async def test_a_recording_in_the_target_language_is_refused_once_it_is_heard() -> None:
    with pytest.raises(InputError) as refused:
        await run(graph(hearing("a", language="es")), said(1, 1), source=None)
    assert (refused.value.code, refused.value.field) == ("same_language", "target")


@pytest.mark.parametrize(
    ("source", "target", "code", "says"),
    [
        ("en", "kk", "unsupported_pair", "there is no translation from 'en' to 'kk'. Pairs: en-es, en-fr"),
        ("ru", "es", "unsupported_pair", "there is no translation from 'ru' to 'es'. Pairs: en-es, en-fr"),
        (None, "kk", "unsupported_pair", "nothing is translated to 'kk'. Targets: es, fr"),
        ("en", "en", "same_language", "The recording is in en already."),
    ],
)
async def test_a_pair_that_does_not_go_is_refused_with_those_that_do(
    source: str | None, target: str, code: str, says: str
) -> None:
    asr = hearing("a")
    with pytest.raises(InputError) as refused:
        await run(graph(asr), said(1, 1), source=source, target=target)
    assert (refused.value.code, refused.value.message, refused.value.field) == (code, says, "target")
    assert asr.asked == []


async def test_a_silent_recording_becomes_a_silent_translation() -> None:
    report, told = await run(graph(hearing()), silence(25), source=None)
    assert (report.source, report.utterances) == (None, ())
    assert len(told.audio) == 25 * RATE
    assert max(len(piece) for piece in told.pieces) <= 10 * RATE


async def test_without_a_speaker_there_is_text_alone() -> None:
    report, told = await run(graph(hearing("a")), said(1, 1), speaker=None)
    assert (report.audio, report.voice, told.pieces) == (None, None, [])
    assert report.utterances[0].target_text == "A"


async def test_a_voice_that_speaks_at_another_rate_than_it_says_is_a_fault() -> None:
    lying = Speaker(ANNA, "es", None, "anna")

    class Lying(FakeSpeech):
        def synthesize(self, text: str, **options: Any) -> Any:
            slower = type(ANNA)(ANNA.id, ANNA.name, ANNA.languages, ANNA.model, 2 * RATE)
            return super().synthesize(text, **{**options, "voice": slower})

    with capture_logs(), pytest.raises(RuntimeError, match="anna speaks at 16000 Hz, not 8000"):
        await run(graph(hearing("a"), Lying(ANNA, pieces=letters)), said(1, 1), speaker=lying)
