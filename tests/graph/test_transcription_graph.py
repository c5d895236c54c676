"""The transcription graph over fakes in this process, and once over the real roles in Serve's local testing mode."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from anyio import wait_all_tasks_blocked
from checkpoints.whisper import build_tiny_whisper
from fake_roles import FakeAsr, FakeDiarization, FakeSpoof, voice
from ray import serve
from recordings import THREE_TURNS_S, beginning

from deployments.asr import AsrClient, asr_deployment
from deployments.diarization import DiarizationClient, diarization_deployment
from graphs.common.concurrency import EVENTS_AHEAD
from graphs.common.progress import Diarized, Progress, result_of
from graphs.common.recordings import SharedRecording
from graphs.transcription.graph import (
    LanguageRecognised,
    SegmentRecognised,
    TranscriptionGraph,
    TranscriptionOptions,
)
from graphs.transcription.transcript import Transcript
from models.asr import FasterWhisperSettings, PocketSphinxSettings, Segment, Word
from models.audio import SAMPLE_RATE
from models.diarization import ClusteringSettings, SpeakerTurn
from models.errors import InputError

pytestmark = [pytest.mark.graph, pytest.mark.anyio, pytest.mark.slow]

PCM = np.zeros(SAMPLE_RATE * 4, np.float32)
RECORDING = SharedRecording(PCM, PCM)
SEGMENTS = [
    Segment(0.0, 1.0, "good morning", (Word("good", 0.0, 0.4), Word("morning", 0.5, 1.0))),
    Segment(2.0, 3.0, "hello", (Word("hello", 2.0, 3.0),)),
]
TURNS = (SpeakerTurn(0.0, 1.2, "SPEAKER_00"), SpeakerTurn(1.9, 3.2, "SPEAKER_01"))


def hearing() -> FakeAsr:
    return FakeAsr(*SEGMENTS)


def graph(asr: FakeAsr, diarization: FakeDiarization) -> TranscriptionGraph:
    return TranscriptionGraph(asr, diarization, FakeSpoof())


async def transcribed(
    over: TranscriptionGraph,
    options: TranscriptionOptions | None = None,
    recording: SharedRecording = RECORDING,
    correlation_id: str = "",
) -> Transcript:
    return await result_of(
        over.run(recording, options or TranscriptionOptions(), correlation_id=correlation_id), Transcript
    )


async def test_words_and_turns_become_who_said_what() -> None:
    asr, diarization = hearing(), FakeDiarization(*TURNS)
    options = TranscriptionOptions(language="en", max_speakers=3)
    transcript = await transcribed(graph(asr, diarization), options, correlation_id="cid")
    assert [(turn.speaker, turn.text) for turn in transcript.turns] == [
        ("SPEAKER_00", "good morning"),
        ("SPEAKER_01", "hello"),
    ]
    assert transcript.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert transcript.spoof is None
    assert set(transcript.timings) == {"asr", "diarization", "merge"}
    assert (asr.asked, asr.correlation_ids) == (["en"], ["cid"])
    assert diarization.asked == [
        {
            "recording": PCM,
            "num_speakers": None,
            "min_speakers": None,
            "max_speakers": 3,
            "correlation_id": "cid",
        }
    ]


async def test_diarization_and_recognition_run_at_the_same_time() -> None:
    # Recognition waits for what only diarization does: one after the other would never end.
    asr, diarization = hearing(), FakeDiarization(*TURNS)
    asr.gates[0] = diarization.called
    async with asyncio.timeout(10):
        transcript = await transcribed(graph(asr, diarization))
    assert len(transcript.turns) == 2


async def test_segments_come_as_they_are_recognised_with_progress_and_the_transcript_last() -> None:
    events = [event async for event in graph(hearing(), FakeDiarization(*TURNS)).run(RECORDING, TranscriptionOptions())]
    *told, transcript = events
    assert [event for event in told if not isinstance(event, Diarized)] == [
        LanguageRecognised("en"),
        SegmentRecognised(SEGMENTS[0]),
        Progress(0.25),
        SegmentRecognised(SEGMENTS[1]),
        Progress(0.75),
    ]
    assert [event for event in told if isinstance(event, Diarized)] == [Diarized(TURNS)]
    assert isinstance(transcript, Transcript)


async def test_the_first_segment_comes_while_the_diarizer_is_at_work() -> None:
    class Slow(FakeDiarization):
        async def diarize(self, recording: Any, **options: Any) -> tuple[SpeakerTurn, ...]:
            await asyncio.Event().wait()
            return TURNS

    async with asyncio.timeout(10), aclosing(graph(hearing(), Slow()).run(RECORDING, TranscriptionOptions())) as events:
        assert await anext(events) == LanguageRecognised("en")
        assert await anext(events) == SegmentRecognised(SEGMENTS[0])


class Talkative(FakeAsr):
    """Recognises a thousand segments without a pause."""

    recognised = 0
    closed = False

    async def transcribe(self, recording: Any, **options: Any) -> AsyncGenerator[Any, None]:
        try:
            yield "en"
            for self.recognised in range(1, 1001):
                yield SEGMENTS[0]
        finally:
            self.closed = True


async def test_recognition_does_not_outrun_a_slow_reader_beyond_the_bound() -> None:
    asr = Talkative()
    async with aclosing(graph(asr, FakeDiarization(*TURNS)).run(RECORDING, TranscriptionOptions())) as events:
        for taken in range(1, 6):
            await anext(events)
            await wait_all_tasks_blocked()
            # Each segment is two events.
            assert asr.recognised <= (taken + EVENTS_AHEAD) / 2 + 1


async def test_a_reader_who_leaves_stops_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    asr, cancelled = Talkative(), asyncio.Event()

    class Slow(FakeDiarization):
        async def diarize(self, recording: Any, **options: Any) -> tuple[SpeakerTurn, ...]:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return TURNS

    transcribe, streams = asr.transcribe, []

    def held(*args: Any, **named: Any) -> Any:
        # Nobody but the graph closes the stream: not the garbage collector either.
        streams.append(transcribe(*args, **named))
        return streams[0]

    monkeypatch.setattr(asr, "transcribe", held)
    async with asyncio.timeout(10), aclosing(graph(asr, Slow()).run(RECORDING, TranscriptionOptions())) as events:
        async for event in events:
            if isinstance(event, SegmentRecognised):
                break
    assert asr.closed
    assert cancelled.is_set()


async def test_a_stage_that_fails_stops_the_other_and_keeps_its_error() -> None:
    asr = hearing()
    asr.gates[0] = asyncio.Event()
    refusal = InputError("bad_number", "Too many.", field="num_speakers")
    with pytest.raises(InputError) as raised:
        async with asyncio.timeout(10):
            await transcribed(graph(asr, FakeDiarization().failing(diarize=refusal)))
    assert raised.value is refusal
    assert asr.stopped == [0]


async def test_every_speakers_voice_is_judged_where_it_is_asked_for() -> None:
    spoof = FakeSpoof()
    options = TranscriptionOptions(spoof=True)
    pcm = np.concatenate((voice(0.0, 1.5), voice(1.0, 2.5)))
    over = TranscriptionGraph(hearing(), FakeDiarization(*TURNS), spoof)
    transcript = await transcribed(over, options, SharedRecording(pcm, pcm), correlation_id="cid")
    assert [lengths.tolist() for lengths in spoof.calls] == [[19_200, 20_800]]
    assert spoof.correlation_ids == {"cid"}
    assert transcript.spoof is not None
    assert [(s.speaker, s.verdict, s.p_spoof, s.speech_seconds) for s in transcript.spoof.speakers] == [
        ("SPEAKER_00", "bona_fide", 0.0, 1.2),
        ("SPEAKER_01", "spoof", 1.0, 1.3),
    ]
    assert transcript.spoof.engine == "fake"
    assert set(transcript.timings) == {"asr", "diarization", "spoof", "merge"}
    named = transcript.renamed({"SPEAKER_01": "Anna"})
    assert named.spoof is not None
    assert [speaker.speaker for speaker in named.spoof.speakers] == ["SPEAKER_00", "Anna"]


@pytest.fixture(scope="module")
def served_graph() -> Iterator[TranscriptionGraph]:
    asr = serve.run(
        asr_deployment.bind(PocketSphinxSettings(workers=1), 1), name="asr", route_prefix=None, _local_testing_mode=True
    )
    diarization = serve.run(
        diarization_deployment.bind(ClusteringSettings(), 1),
        name="diarization",
        route_prefix=None,
        _local_testing_mode=True,
    )
    yield TranscriptionGraph(AsrClient(asr), DiarizationClient(diarization), FakeSpoof())


async def test_the_real_roles_hear_two_speakers_in_the_bundled_dialogue(served_graph: TranscriptionGraph) -> None:
    pcm = beginning(THREE_TURNS_S)
    pcm.flags.writeable = False  # as it comes out of Ray's object store
    transcript = await transcribed(served_graph, recording=SharedRecording(pcm, pcm))
    assert transcript.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert "train" in " ".join(turn.text for turn in transcript.turns)


async def test_whisper_takes_the_recognisers_place_by_its_settings_alone(
    served_graph: TranscriptionGraph, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Random weights: what it writes is gibberish, how it travels through deployment and graph is not.
    model = build_tiny_whisper(tmp_path_factory.mktemp("whisper"))
    settings = FasterWhisperSettings(model=str(model), device="cpu", compute_type="float32", batch_size=2)
    whisper = serve.run(asr_deployment.bind(settings, 1), name="whisper", route_prefix=None, _local_testing_mode=True)
    whispering = TranscriptionGraph(AsrClient(whisper), served_graph.diarization, served_graph.spoof)
    pcm = beginning(THREE_TURNS_S)
    transcript = await transcribed(whispering, TranscriptionOptions(language="kk"), SharedRecording(pcm, pcm))
    assert transcript.language == "kk"
    assert len(transcript.diarization) > 1
    assert all(0 <= s.start <= s.end <= transcript.duration + 0.1 for s in transcript.segments)
    with pytest.raises(InputError, match="klingon"):
        await transcribed(whispering, TranscriptionOptions(language="klingon"), SharedRecording(pcm, pcm))
