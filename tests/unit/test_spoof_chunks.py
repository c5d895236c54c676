"""Cutting of recordings into the chunks that detectors score."""

import numpy as np
import pytest

from models.spoof import CHUNK_SAMPLES, cut

pytestmark = pytest.mark.unit


def recording(samples: int) -> np.ndarray:
    return np.arange(1, samples + 1, dtype=np.float32)


def blocks_of(pcm: np.ndarray, size: int) -> list[np.ndarray]:
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]


@pytest.mark.parametrize("block", [1_000, 64_000, 150_001, 1_000_000])
@pytest.mark.parametrize("samples", [1, 63_999, 64_000, 64_001, 128_000, 200_000])
def test_chunks_follow_one_another_and_end_with_the_recording(samples: int, block: int) -> None:
    chunks = list(cut(blocks_of(recording(samples), block)))
    assert chunks[0].start == 0
    assert [chunk.start for chunk in chunks[1:]] == [chunk.end for chunk in chunks[:-1]]
    assert chunks[-1].end == samples / 16_000
    assert all(chunk.end - chunk.start == 4.0 for chunk in chunks[:-1])
    assert all(len(chunk.window) == CHUNK_SAMPLES for chunk in chunks)


def test_the_last_stretch_is_heard_with_what_came_before_it() -> None:
    pcm = recording(150_000)
    *_, last = cut([pcm])
    assert last.start == 8.0
    assert last.length == CHUNK_SAMPLES
    np.testing.assert_array_equal(last.window, pcm[-CHUNK_SAMPLES:])


def test_a_recording_shorter_than_a_chunk_is_padded_and_says_its_length() -> None:
    (chunk,) = cut([recording(20_000)])
    assert chunk.length == 20_000
    assert not chunk.window[20_000:].any()
    np.testing.assert_array_equal(chunk.window[:20_000], recording(20_000))


def test_an_empty_recording_has_no_chunks() -> None:
    assert list(cut([])) == []
    assert list(cut([np.empty(0, np.float32)])) == []
