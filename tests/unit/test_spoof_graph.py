"""The spoof graph over the fakes of ``fake_roles``."""

import asyncio
import tracemalloc
from contextlib import aclosing
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fake_roles import FakeDiarization, FakeSpoof, find_speech, silence, voice
from fake_roles.spoof import BANDS
from numpy.typing import NDArray

from graphs.common.progress import Diarized, result_of
from graphs.common.recordings import SharedRecording, blocks_of
from graphs.spoof.graph import Blocks, ChunksScored, SpoofGraph, SpoofOptions
from graphs.spoof.report import SpoofBands, SpoofChunk, SpoofReport, verdict
from graphs.spoof.speakers import CALLS_AT_ONCE, GROUP_CHUNKS, alone, score_speakers
from models.audio import SAMPLE_RATE, decode
from models.diarization import SpeakerTurn
from models.errors import InputError
from models.samples import DIALOGUE
from models.spans import Span
from models.spoof import CHUNK_SAMPLES
from models.vad import SileroVad

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

BLOCK = CHUNK_SAMPLES * GROUP_CHUNKS


def graph(spoof: FakeSpoof) -> SpoofGraph:
    return SpoofGraph(spoof, FakeDiarization(), find_speech)


async def analysed(over: SpoofGraph, blocks: Blocks, options: SpoofOptions | None = None, **named: Any) -> SpoofReport:
    return await result_of(over.run(blocks, options, **named), SpoofReport)


async def report_on(*pieces: NDArray[np.float32]) -> SpoofReport:
    return await analysed(graph(FakeSpoof()), blocks_of(np.concatenate(pieces)))


async def test_every_four_seconds_have_a_score_and_the_last_chunk_ends_with_the_recording() -> None:
    report = await report_on(voice(0.9, 4), voice(0.1, 4), voice(0.8, 2.5))
    assert [(chunk.start, chunk.end) for chunk in report.chunks] == [(0, 4), (4, 8), (8, 10.5)]
    assert [chunk.p_spoof for chunk in report.chunks[:2]] == [0.9, 0.1]
    assert report.duration == 10.5
    assert report.speech_seconds == 10.5
    assert (report.engine, report.bands) == ("fake", SpoofBands(bona_fide_below=0.3, spoof_from=0.7))
    assert report.speakers is None
    assert set(report.timings) == {"decode", "vad", "spoof"}


async def test_the_tail_is_heard_with_what_came_before_but_counts_with_its_own_speech_only() -> None:
    report = await report_on(voice(0.2, 4), voice(1.0, 1))
    tail = 0.75 * 0.2 + 0.25 * 1.0
    assert report.chunks[-1] == SpoofChunk(start=4.0, end=5.0, p_spoof=round(tail, 4), speech_seconds=1.0)
    assert report.p_spoof == pytest.approx((4 * 0.2 + 1 * tail) / 5, abs=1e-4)


async def test_chunks_weigh_as_much_as_is_spoken_in_them() -> None:
    report = await report_on(voice(1.0, 4), voice(0.2, 1), silence(3))
    # The second chunk's mean over speech and silence is what this detector hears.
    assert report.p_spoof == pytest.approx((4 * 1.0 + 1 * 0.05) / 5, abs=1e-4)


async def test_chunks_with_too_little_speech_are_not_scored() -> None:
    spoof = FakeSpoof()
    pcm = np.concatenate((voice(0.9, 0.4), silence(3.6), voice(0.9, 0.6), silence(3.4), silence(4)))
    report = await analysed(graph(spoof), blocks_of(pcm))
    assert [chunk.p_spoof is None for chunk in report.chunks] == [True, False, True]
    assert [chunk.speech_seconds for chunk in report.chunks] == [0.4, 0.6, 0.0]
    assert [len(lengths) for lengths in spoof.calls] == [1]


async def test_a_recording_without_speech_has_no_verdict_and_asks_no_detector() -> None:
    spoof = FakeSpoof()
    report = await analysed(graph(spoof), blocks_of(silence(70)))
    assert (report.verdict, report.p_spoof, report.bands, report.engine) == ("no_speech", None, None, None)
    assert report.duration == 70
    assert {chunk.p_spoof for chunk in report.chunks} == {None}
    assert spoof.calls == []


async def test_a_recording_shorter_than_a_chunk_says_its_length() -> None:
    spoof = FakeSpoof()
    report = await analysed(graph(spoof), blocks_of(voice(0.6, 1.5)), correlation_id="cid-1")
    assert [lengths.tolist() for lengths in spoof.calls] == [[24_000]]
    assert (report.duration, report.p_spoof, report.verdict) == (1.5, 0.6, "inconclusive")
    assert spoof.correlation_ids == {"cid-1"}


@pytest.mark.parametrize(
    ("p_spoof", "expected"),
    [(0.0, "bona_fide"), (0.2999, "bona_fide"), (0.3, "inconclusive"), (0.6999, "inconclusive"), (0.7, "spoof")],
)
def test_the_verdict_follows_from_the_bands_alone(p_spoof: float, expected: str) -> None:
    assert verdict(p_spoof, SpoofBands.of(BANDS)) == expected


async def test_decoding_goes_on_while_chunks_are_scored_and_no_further_than_the_calls_in_flight() -> None:
    gate = asyncio.Event()
    spoof = FakeSpoof(gate)
    decoded = 0

    def blocks() -> Blocks:
        nonlocal decoded
        for number in range(1, 8):
            decoded += 1
            yield voice(number / 10, BLOCK / SAMPLE_RATE)

    async with asyncio.timeout(30):
        running = asyncio.create_task(analysed(graph(spoof), blocks()))
        await spoof.full.wait()
        assert decoded == CALLS_AT_ONCE
        gate.set()
        report = await running
    assert [len(lengths) for lengths in spoof.calls] == [GROUP_CHUNKS] * 7
    assert [chunk.p_spoof for chunk in report.chunks[::GROUP_CHUNKS]] == pytest.approx([n / 10 for n in range(1, 8)])
    assert [chunk.start for chunk in report.chunks] == [4.0 * n for n in range(7 * GROUP_CHUNKS)]


@pytest.mark.slow
async def test_memory_does_not_grow_with_the_recording() -> None:
    def blocks() -> Blocks:
        for _ in range(57):  # an hour, 230 MB of samples
            yield voice(0.5, BLOCK / SAMPLE_RATE)

    tracemalloc.start()
    try:
        report = await analysed(graph(FakeSpoof()), blocks())
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.duration > 3600
    assert peak < 60e6


async def test_chunks_come_in_order_as_they_are_scored_and_the_report_last() -> None:
    pcm = np.concatenate((voice(0.4, 70), silence(64), voice(0.6, 5)))
    *told, report = [event async for event in graph(FakeSpoof()).run(blocks_of(pcm))]
    assert isinstance(report, SpoofReport)
    assert tuple(chunk for event in told if isinstance(event, ChunksScored) for chunk in event.chunks) == report.chunks
    assert len(told) == 3


async def test_a_reader_who_leaves_ends_the_decoding_and_the_calls() -> None:
    closed = False

    def blocks() -> Blocks:
        nonlocal closed
        try:
            while True:
                yield voice(0.5, BLOCK / SAMPLE_RATE)
        finally:
            closed = True

    spoof = FakeSpoof()
    async with asyncio.timeout(30), aclosing(graph(spoof).run(blocks())) as events:
        assert isinstance(await anext(events), ChunksScored)
    assert closed
    assert spoof.in_flight == 0


async def test_a_recording_that_turns_out_unusable_keeps_its_error_and_stops_the_calls() -> None:
    spoof = FakeSpoof(asyncio.Event())
    refusal = InputError("damaged", "It ends early.")

    def blocks() -> Blocks:
        yield voice(0.5, BLOCK / SAMPLE_RATE)
        raise refusal

    with pytest.raises(InputError) as raised:
        async with asyncio.timeout(30):
            await analysed(graph(spoof), blocks())
    assert raised.value is refusal
    assert spoof.in_flight == 0


async def test_a_detector_that_fails_ends_the_run_and_lets_go_of_the_recording() -> None:
    closed = False

    def blocks() -> Blocks:
        nonlocal closed
        try:
            while True:
                yield voice(0.5, BLOCK / SAMPLE_RATE)
        finally:
            closed = True

    with pytest.raises(RuntimeError, match="out of memory"):
        async with asyncio.timeout(30):
            await analysed(graph(FakeSpoof().failing(score=RuntimeError("out of memory"))), blocks())
    assert closed


async def test_a_caller_who_leaves_stops_everything() -> None:
    spoof = FakeSpoof(asyncio.Event())
    running = asyncio.create_task(analysed(graph(spoof), blocks_of(voice(0.5, 640))))
    async with asyncio.timeout(30):
        await spoof.full.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert spoof.in_flight == 0


async def test_with_diarization_every_speaker_has_a_verdict_too() -> None:
    pcm = np.concatenate((voice(0.95, 6), voice(0.05, 6)))
    turns = (SpeakerTurn(0.0, 6.0, "SPEAKER_00"), SpeakerTurn(6.0, 12.0, "SPEAKER_01"))
    diarization = FakeDiarization(*turns)
    events = SpoofGraph(FakeSpoof(), diarization, find_speech).run(
        blocks_of(pcm),
        SpoofOptions(diarize=True, max_speakers=3),
        whole=SharedRecording("a reference", pcm),
        correlation_id="cid",
    )
    *told, report = [event async for event in events]
    assert isinstance(report, SpoofReport)
    assert report.speakers is not None
    assert [(s.speaker, s.verdict, s.p_spoof, s.speech_seconds) for s in report.speakers] == [
        ("SPEAKER_00", "spoof", 0.95, 6.0),
        ("SPEAKER_01", "bona_fide", 0.05, 6.0),
    ]
    assert report.verdict == "inconclusive"
    assert [event for event in told if isinstance(event, Diarized)] == [Diarized(turns)]
    options = {"num_speakers": None, "min_speakers": None, "max_speakers": 3, "correlation_id": "cid"}
    assert diarization.asked == [{"recording": "a reference", **options}]
    assert "diarization" in report.timings
    named = report.renamed({"SPEAKER_01": "Anna"})
    assert [speaker.speaker for speaker in named.speakers or ()] == ["SPEAKER_00", "Anna"]


async def test_a_verdict_per_speaker_needs_the_whole_recording() -> None:
    with pytest.raises(ValueError, match="whole recording"):
        await analysed(graph(FakeSpoof()), blocks_of(voice(0.5, 4)), SpoofOptions(diarize=True))


def test_a_speaker_is_alone_where_no_other_turn_is() -> None:
    turns = [
        SpeakerTurn(0.0, 4.0, "A"),
        SpeakerTurn(3.0, 6.0, "B"),
        SpeakerTurn(6.0, 7.0, "B"),
        SpeakerTurn(8.0, 20.0, "A"),
        SpeakerTurn(9.0, 10.0, "C"),
    ]
    assert alone(turns) == {
        "A": [Span(0.0, 3.0), Span(8.0, 9.0), Span(10.0, 20.0)],
        "B": [Span(4.0, 7.0)],
        "C": [],
    }
    assert alone([]) == {}


async def test_speakers_are_judged_by_what_they_say_alone() -> None:
    spoof = FakeSpoof()
    pcm = np.concatenate((voice(1.0, 2), voice(0.5, 2), voice(0.0, 5)))
    turns = [SpeakerTurn(0.0, 4.0, "A"), SpeakerTurn(2.0, 9.0, "B")]
    found = await score_speakers(spoof, pcm, turns)
    assert [(s.speaker, s.p_spoof, s.speech_seconds) for s in found.speakers] == [("A", 1.0, 2.0), ("B", 0.0, 5.0)]
    # A's 2 s are shorter than a chunk; B's last second is heard with the three before it.
    assert np.concatenate(spoof.calls).tolist() == [2 * SAMPLE_RATE, CHUNK_SAMPLES, CHUNK_SAMPLES]


async def test_a_speakers_windows_weigh_by_their_duration() -> None:
    pcm = np.concatenate((voice(0.8, 4), silence(1), voice(0.2, 1)))
    found = await score_speakers(FakeSpoof(), pcm, [SpeakerTurn(0.0, 4.0, "A"), SpeakerTurn(5.0, 6.0, "A")])
    assert found.speakers[0].p_spoof == pytest.approx((4 * 0.8 + 1 * 0.2) / 5)


async def test_short_turns_count_only_for_who_has_no_others() -> None:
    pcm = np.concatenate((voice(0.9, 2), silence(1), voice(0.1, 0.8), voice(0.4, 0.7)))
    turns = [SpeakerTurn(0.0, 2.0, "A"), SpeakerTurn(3.0, 3.8, "A"), SpeakerTurn(3.8, 4.5, "B")]
    found = await score_speakers(FakeSpoof(), pcm, turns)
    assert [(s.speaker, s.p_spoof, s.verdict) for s in found.speakers] == [
        ("A", 0.9, "spoof"),
        ("B", 0.4, "inconclusive"),
    ]


async def test_who_never_speaks_alone_is_inconclusive() -> None:
    turns = [SpeakerTurn(0.0, 4.0, "A"), SpeakerTurn(1.0, 2.0, "B")]
    found = await score_speakers(FakeSpoof(), voice(0.9, 4), turns)
    assert [(s.speaker, s.p_spoof, s.verdict) for s in found.speakers] == [
        ("A", 0.9, "spoof"),
        ("B", None, "inconclusive"),
    ]
    nobody = await score_speakers(FakeSpoof(), voice(0.9, 4), [])
    assert (nobody.speakers, nobody.bands, nobody.engine) == ((), None, None)


async def test_the_real_voice_activity_detector_finds_the_speech_of_the_dialogue() -> None:
    pcm = decode(BytesIO(DIALOGUE.read_bytes()))
    whole_graph = SpoofGraph(FakeSpoof(), FakeDiarization(), SileroVad().speech)
    report = await analysed(whole_graph, blocks_of(pcm))
    assert report.chunks[-1].end == report.duration == round(len(pcm) / SAMPLE_RATE, 3)
    assert 0.5 * report.duration < report.speech_seconds <= report.duration
    hiss = np.random.default_rng(1).normal(0, 0.003, 10 * SAMPLE_RATE).astype(np.float32)
    assert (await analysed(whole_graph, blocks_of(hiss))).verdict == "no_speech"
