import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from checkpoints.campplus import build_campplus
from checkpoints.pyannote import build_segmentation
from numpy.typing import NDArray
from pinned_weights import pinned_weights

from models.audio import decode
from models.diarization import Diarizer, SegmentationSettings, build
from models.diarization.local_speakers import FRAME_SECONDS, LocalSpeaker, local_speakers, matched
from models.diarization.segmentation import CENTRE, CHUNK, HOP, Segmentation
from models.diarization.votes import anybody, elected, overlapping_turns
from models.errors import InputError, MissingWeights
from models.samples import DIALOGUE
from models.spans import Span
from models.speaker import CampplusSettings

pytestmark = [pytest.mark.unit, pytest.mark.slow]

FRAMES = 589
STEP = 148 * HOP


def segmentation(*chunks: dict[int, list[tuple[int, int]]]) -> Segmentation:
    """Chunks 2.5 s apart, in which local speakers speak in spans of frames."""
    active = np.zeros((len(chunks), FRAMES, 3), dtype=np.bool_)
    for row, chunk in zip(active, chunks, strict=True):
        for speaker, spans in chunk.items():
            for first, last in spans:
                row[first:last, speaker] = True
    return Segmentation(np.arange(len(chunks)) * STEP, active.astype(np.float32), active)


def local(chunk: int, number: int, *embedding: float) -> LocalSpeaker:
    return LocalSpeaker(chunk, number, 1.0, np.ones(FRAMES, dtype=np.bool_), np.float32(embedding))


def pitch(windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Embeddings of sound that is 1 all over for one voice and 2 for another."""
    return np.eye(3, dtype=np.float32)[[round(float(window.mean())) for window in windows]]


def heard_in(pcm: NDArray[np.float32], *chunks: dict[int, list[tuple[int, int]]]) -> list[LocalSpeaker]:
    return local_speakers(pcm, segmentation(*chunks), pitch, same_voice=0.3)


def test_a_local_speaker_is_embedded_where_nobody_else_speaks() -> None:
    pcm = np.ones(CHUNK, dtype=np.float32)
    pcm[CENTRE - HOP // 2 + 200 * HOP : CENTRE - HOP // 2 + 300 * HOP] = 2
    found = heard_in(pcm, {0: [(0, 200)], 2: [(100, 300)]})
    assert [(speaker.chunk, speaker.number) for speaker in found] == [(0, 0), (0, 2)]
    assert [speaker.alone for speaker in found] == pytest.approx([100 * FRAME_SECONDS] * 2)
    np.testing.assert_array_equal([speaker.embedding for speaker in found], np.eye(3)[[1, 2]])
    assert all(speaker.share.all() for speaker in found)


def test_a_speaker_who_is_never_alone_is_embedded_as_heard_and_who_says_too_little_is_not() -> None:
    found = heard_in(np.ones(CHUNK, np.float32), {0: [(0, 200)], 1: [(50, 150)], 2: [(300, 310)]})
    assert [(speaker.number, speaker.alone) for speaker in found] == [(0, pytest.approx(100 * FRAME_SECONDS)), (1, 0.0)]


def test_two_voices_that_the_segmentation_takes_for_one_are_told_apart() -> None:
    pcm = np.ones(CHUNK, dtype=np.float32)
    pcm[CENTRE - HOP // 2 + 300 * HOP :] = 2
    longer, shorter = heard_in(pcm, {0: [(0, 290), (310, 500)]})
    assert (longer.number, shorter.number) == (0, 0)
    np.testing.assert_array_equal(np.flatnonzero(longer.share), np.arange(0, 300))
    np.testing.assert_array_equal(np.flatnonzero(shorter.share), np.arange(300, FRAMES))
    np.testing.assert_array_equal([longer.embedding, shorter.embedding], np.eye(3)[[1, 2]])


def test_nothing_beyond_the_recording_is_embedded() -> None:
    (found,) = heard_in(np.ones(5 * 16_000, np.float32), {0: [(0, FRAMES)]})
    assert found.alone == pytest.approx(5, abs=0.05)
    np.testing.assert_array_equal(found.embedding, [0, 1, 0])


def test_speakers_of_one_chunk_are_different_voices() -> None:
    voices = np.eye(2, dtype=np.float32)
    heard = [local(0, 0, 1, 0.2), local(0, 1, 0.9, 0.3), local(1, 0, 0.9, 0.3)]
    assert matched(heard, voices).tolist() == [0, 1, 0]
    assert matched(heard[:2], voices[:1]).tolist() == [0, -1]


def test_a_second_voice_of_one_number_may_be_any() -> None:
    heard = [local(0, 0, 1, 0.2), local(0, 0, 0.1, 0.9), local(0, 1, 0.9, 0.3)]
    assert matched(heard, np.eye(2, dtype=np.float32)).tolist() == [0, 1, 1]


def test_chunks_vote_and_overlap_is_kept() -> None:
    # Local numbers differ from chunk to chunk; in the second, nobody hears the overlap's second speaker.
    heard = segmentation({0: [(0, 300)], 1: [(200, 400)]}, {1: [(0, 152)], 0: [(52, 252)]})
    locals_ = [local(0, 0), local(0, 1), local(1, 1), local(1, 0)]
    speaking = elected(heard, locals_, np.array([0, 1, 0, 1]), 2)
    np.testing.assert_array_equal(np.flatnonzero(speaking[:, 0]), np.arange(0, 300))
    np.testing.assert_array_equal(np.flatnonzero(speaking[:, 1]), np.arange(200, 400))


def test_no_more_voices_speak_than_the_chunks_heard() -> None:
    # The same speech, taken for one voice by the first chunk and for another by the second.
    heard = segmentation({0: [(148, 300)]}, {0: [(0, 152)]})
    speaking = elected(heard, [local(0, 0), local(1, 0)], np.array([0, 1]), 2)
    assert speaking.sum(axis=1).max() == 1


def test_turns_may_overlap_and_are_named_by_their_start() -> None:
    speaking = np.zeros((600, 2), dtype=np.bool_)
    speaking[100:300, 1] = speaking[310:400, 1] = speaking[350:500, 0] = True
    speaking[550:552, 0] = True
    turns = overlapping_turns(speaking, 100.0, merge_gap=0.3, min_turn=0.1)
    start = (CENTRE - HOP // 2) / 16_000
    assert [turn.speaker for turn in turns] == ["SPEAKER_00", "SPEAKER_01"]
    assert [(turn.start, turn.end) for turn in turns] == [
        pytest.approx((start + 100 * FRAME_SECONDS, start + 400 * FRAME_SECONDS)),
        pytest.approx((start + 350 * FRAME_SECONDS, start + 500 * FRAME_SECONDS)),
    ]
    assert overlapping_turns(speaking, 3.0, merge_gap=0.3, min_turn=0.1)[-1].end == 3.0


def test_anybody_is_heard_where_any_chunk_hears_somebody() -> None:
    frames = np.flatnonzero(anybody(segmentation({0: [(0, 10)]}, {2: [(400, 410)]})))
    np.testing.assert_array_equal(frames, [*range(10), *range(548, 558)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks with random weights: who speaks is gibberish, and every step is the real one."""
    folder = tmp_path_factory.mktemp("networks")
    build_campplus(folder)
    return build_segmentation(folder)


@pytest.fixture(scope="module")
def diarizer(folder: Path) -> Diarizer:
    speaker = CampplusSettings(model=str(folder), device="cpu")
    return build(SegmentationSettings(model=str(folder), speaker=speaker, device="cpu"))


def test_turns_are_in_order_and_lie_within_the_recording(diarizer: Diarizer) -> None:
    pcm = np.random.default_rng(0).normal(0, 0.05, 13 * 16_000).astype(np.float32)
    pcm.setflags(write=False)
    turns = diarizer.diarize(pcm, num_speakers=2)
    assert len({turn.speaker for turn in turns}) == 2
    assert all(0 <= turn.start < turn.end <= 13 for turn in turns)
    assert all(before.start <= after.start for before, after in pairwise(turns))


@pytest.mark.parametrize("samples", [0, 1, 160, 7000])
def test_a_moment_is_no_trouble(diarizer: Diarizer, samples: int) -> None:
    turns = diarizer.diarize(np.zeros(samples, dtype=np.float32))
    assert len({turn.speaker for turn in turns}) <= 1
    with pytest.raises(InputError, match="num_speakers"):
        diarizer.diarize(np.zeros(samples, dtype=np.float32), num_speakers=0)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"pytorch_model\.bin"):
        build(SegmentationSettings(model=str(tmp_path)))


def test_the_published_networks_hear_the_bundled_dialogue() -> None:
    for name in ("campplus", "pyannote-segmentation-3.0"):
        pinned_weights(name)
    with DIALOGUE.open("rb") as source:
        pcm = decode(source)
    truth = json.loads(DIALOGUE.with_suffix(".json").read_text())["turns"]
    turns = build(SegmentationSettings(device="cpu")).diarize(pcm)
    right = sum(
        Span(turn.start, turn.end).overlap(Span(true["start"], true["end"]))
        for true in truth
        for turn in turns
        if turn.speaker == true["speaker"]
    )
    assert {turn.speaker for turn in turns} == {"SPEAKER_00", "SPEAKER_01"}
    assert right > 0.95 * sum(true["end"] - true["start"] for true in truth)
