"""The features of the compact spoof detector."""

import numpy as np
import pytest

from models.spoof import CHUNK_SAMPLES
from models.spoof.features import BANDS, FRAMES, WIDTH, describe, features, normalised, tiled

pytestmark = [pytest.mark.unit, pytest.mark.slow]

FULL = np.array([CHUNK_SAMPLES])


def sound(seed: int = 0, samples: int = CHUNK_SAMPLES) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loudness = 1 + np.sin(np.arange(samples) / 800)
    return (0.1 * loudness * rng.standard_normal(samples)).astype(np.float32)


def test_the_same_sound_is_described_the_same() -> None:
    chunk = sound()[None]
    described = features(chunk, FULL)
    assert described.shape == (1, FRAMES, WIDTH)
    assert described.dtype == np.float32
    np.testing.assert_array_equal(described, features(chunk.copy(), FULL, threads=2))


@pytest.mark.parametrize("gain", [0.001, 0.5, 30.0])
def test_the_gain_makes_no_difference(gain: float) -> None:
    chunk = sound()[None]
    np.testing.assert_allclose(features(np.float32(gain) * chunk, FULL), features(chunk, FULL), atol=2e-3)


def test_a_fixed_filter_makes_next_to_no_difference() -> None:
    chunk = sound()
    filtered = np.convolve(chunk, np.array([1, -0.6], np.float32))[:CHUNK_SAMPLES]
    difference = features(filtered[None], FULL) - features(chunk[None], FULL)
    assert np.abs(difference).mean() < 0.1


def test_a_tone_lies_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 3000 * np.arange(CHUNK_SAMPLES) / 16_000).astype(np.float32)
    loudest = describe(tone)[:, :BANDS].mean(axis=0).argmax()
    assert abs((loudest + 1) * 8000 / (BANDS + 1) - 3000) < 8000 / (BANDS + 1)


def view(pcm: np.ndarray, number: int) -> np.ndarray:
    return describe(pcm)[10:-10, number * BANDS : (number + 1) * BANDS]


def test_harmonics_show_as_peaks_and_noise_does_not() -> None:
    time = np.arange(CHUNK_SAMPLES) / 16_000
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, 39)
    harmonics = sum(np.sin(2 * np.pi * 200 * (k + 1) * time + phase) for k, phase in enumerate(phases))
    assert view(np.asarray(harmonics, np.float32), 1).mean() > view(sound(), 1).mean() + 1


def test_pulses_show_as_bursts_and_the_same_spectrum_without_its_phases_does_not() -> None:
    pulses = np.zeros(CHUNK_SAMPLES, np.float32)
    pulses[::160] = 1
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, CHUNK_SAMPLES // 2 + 1)
    smeared = np.fft.irfft(np.fft.rfft(pulses) * np.exp(1j * phases)).astype(np.float32)
    assert view(pulses, 2).mean() > view(smeared, 2).mean() + 1


def test_what_lies_behind_a_short_chunks_end_is_not_heard() -> None:
    chunk = sound()
    other = chunk.copy()
    other[20_000:] = 0.5
    short = np.array([20_000])
    np.testing.assert_array_equal(features(chunk[None], short), features(other[None], short))


def test_a_short_chunk_is_repeated() -> None:
    described = describe(sound(samples=16_000))
    repeated = tiled(described)
    assert repeated.shape == (FRAMES, WIDTH)
    np.testing.assert_array_equal(repeated[len(described) : 2 * len(described)], described)
    chunk = np.zeros((1, CHUNK_SAMPLES), np.float32)
    chunk[0, :16_000] = sound(samples=16_000)
    np.testing.assert_allclose(features(chunk, np.array([16_000]))[0], normalised(repeated), atol=1e-6)


@pytest.mark.parametrize("length", [1, 399, 400, 401, CHUNK_SAMPLES])
@pytest.mark.parametrize("level", [0.0, 1e-9, 1.0])
def test_silence_and_slivers_have_finite_features(length: int, level: float) -> None:
    chunk = np.zeros((1, CHUNK_SAMPLES), np.float32)
    chunk[0, :length] = level * sound(samples=length)
    assert np.isfinite(features(chunk, np.array([length]))).all()


def test_features_of_a_batch_are_those_of_its_chunks() -> None:
    chunks = np.stack([sound(seed) for seed in range(11)])
    lengths = np.full(11, CHUNK_SAMPLES)
    lengths[[3, 7]] = 30_000
    together = features(chunks, lengths)
    for row in range(11):
        alone = features(chunks[row : row + 1], lengths[row : row + 1])
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)
