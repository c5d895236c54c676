"""Degradations: codecs in time with their input, levels and ratios as asked, everything repeatable."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import fftconvolve

import models.samples
from models.audio import decode
from training.spoof.recipe import degrade as d
from training.spoof.recipe.codecs import Pcm

pytestmark = [pytest.mark.unit, pytest.mark.slow]

RATE = 16_000


def voice(seconds: float = 1.5) -> Pcm:
    """A gliding buzz with syllables: broad enough for every codec, and nowhere like itself a moment later."""
    rng = np.random.default_rng(7)
    at = np.arange(round(seconds * RATE)) / RATE
    pitch = 110 + 40 * np.sin(2 * np.pi * 0.7 * at)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = sum(np.cos(k * phase + rng.uniform(0, 6)) / k for k in range(1, 25))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * at)
    return (0.08 * buzz * syllables + 1e-3 * rng.standard_normal(len(at))).astype(np.float32)


def lag(heard: Pcm, original: Pcm) -> int:
    return int(np.argmax(fftconvolve(heard, original[::-1]))) - len(original) + 1


@pytest.mark.parametrize(
    ("codec", "likeness"),
    [
        (lambda pcm: d.mp3(pcm, 64_000), 0.97),
        (lambda pcm: d.mp3(pcm, 64_000, 44_100), 0.97),
        (lambda pcm: d.opus(pcm, 32_000), 0.85),
        (lambda pcm: d.opus(pcm, 32_000, 48_000), 0.85),
        (lambda pcm: d.aac(pcm, 64_000), 0.97),
        (lambda pcm: d.aac(pcm, 64_000, 44_100), 0.97),
        (d.g722, 0.97),
        (d.telephone_8k, 0.9),
        (lambda pcm: d.telephone_8k(pcm, "a"), 0.9),
        (lambda pcm: d.resampled_via(pcm, 11_025), 0.95),
    ],
)
def test_a_codec_keeps_length_and_time_and_changes_the_sound(codec: Callable[[Pcm], Pcm], likeness: float) -> None:
    pcm = voice()
    heard = codec(pcm)
    assert heard.dtype == np.float32 and heard.shape == pcm.shape
    assert not np.array_equal(heard, pcm)
    assert abs(lag(heard, pcm)) <= 2
    assert np.corrcoef(heard, pcm)[0, 1] > likeness


def test_amr_keeps_the_time_of_speech() -> None:
    with (Path(models.samples.__file__).parent / "dialogue.flac").open("rb") as source:
        pcm = d.band_limited(decode(source)[: 3 * RATE], 400, 3000)
    heard = d.amr(pcm)
    assert heard.shape == pcm.shape
    assert abs(lag(heard, pcm)) <= 2


def test_a_lower_bitrate_is_further_from_the_original() -> None:
    pcm = voice()
    errors = [float(np.square(d.mp3(pcm, bitrate) - pcm).mean()) for bitrate in (16_000, 48_000, 128_000)]
    assert errors[0] > errors[1] > errors[2]


def test_telephony_leaves_nothing_above_4_khz() -> None:
    spectrum = np.abs(np.fft.rfft(d.telephone_8k(voice()))) ** 2
    frequency = np.fft.rfftfreq(len(voice()), 1 / RATE)
    assert spectrum[frequency > 4100].sum() < 1e-4 * spectrum.sum()


@pytest.mark.parametrize("kind", ["white", "pink", "brown", "hum", "babble"])
def test_noise_is_added_at_the_ratio_asked_for(kind: d.Noise) -> None:
    pcm = voice()
    added = d.add_noise(pcm, np.random.default_rng(1), 12.0, kind) - pcm
    assert d.level_dbfs(pcm) - d.level_dbfs(added) == pytest.approx(12.0, abs=0.1)


def test_pink_noise_falls_by_three_decibels_an_octave() -> None:
    power = np.abs(np.fft.rfft(d.noise(1 << 17, np.random.default_rng(1), "pink"))) ** 2
    frequency = np.fft.rfftfreq(1 << 17, 1 / RATE)
    octaves = [power[(frequency >= low) & (frequency < 2 * low)].mean() for low in (250, 500, 1000, 2000)]
    assert np.diff(10 * np.log10(octaves)) == pytest.approx([-3.0, -3.0, -3.0], abs=0.4)


def test_a_room_rings_after_the_voice_and_not_before() -> None:
    pcm = np.zeros(RATE, np.float32)
    pcm[4000] = 0.5
    heard = d.reverberate(pcm, np.random.default_rng(2), 0.4, direct_db=0.0)
    assert np.abs(heard[:3990]).max() < 1e-5
    assert np.argmax(np.abs(heard)) == 4000
    early, late = (float(np.square(heard[a : a + 1600]).sum()) for a in (4400, 8800))
    assert early > 10 * late > 0


def test_clipping_puts_the_share_asked_for_at_the_limit() -> None:
    pcm = voice()
    heard = d.clipped(pcm, 0.05)
    assert np.abs(heard).max() == pytest.approx(np.abs(pcm).max(), rel=1e-5)
    assert np.mean(np.abs(heard) > 0.999 * np.abs(heard).max()) == pytest.approx(0.05, abs=0.005)


def test_a_gate_silences_pauses_and_leaves_the_voice() -> None:
    rng = np.random.default_rng(3)
    pause = (1e-4 * rng.standard_normal(8000)).astype(np.float32)
    pcm = np.concatenate((voice(0.5), pause, voice(0.5)))
    heard = d.gated(pcm, -40.0, -60.0)
    assert d.level_dbfs(heard[9000:15000]) < d.level_dbfs(pause) - 50
    assert np.array_equal(heard[2000:6000], pcm[2000:6000])


def test_pauses_move_the_voice_and_hold_a_noise_floor() -> None:
    pcm = voice(1.0)
    heard = d.with_pauses(pcm, np.random.default_rng(4), 0.25, 0.125, floor_dbfs=-60.0)
    assert heard.shape == pcm.shape
    assert d.level_dbfs(heard[:4000]) == pytest.approx(-60, abs=3)
    assert d.level_dbfs(heard[-2000:]) == pytest.approx(-60, abs=5)
    assert np.corrcoef(heard[4200:13_800], pcm[200:9800])[0, 1] > 0.99


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_speed_moves_pitch_and_length(factor: float) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    heard = d.speed(tone, factor)
    assert len(heard) == pytest.approx(RATE / factor, abs=2)
    peak = np.argmax(np.abs(np.fft.rfft(heard * np.hanning(len(heard))))) * RATE / len(heard)
    assert peak == pytest.approx(1000 * factor, abs=2)


def test_speech_is_degraded_repeatably_and_differently_by_each_state() -> None:
    pcm = voice(1.0)
    for seed in range(12):
        heard = d.degrade(pcm, np.random.default_rng(seed))
        assert heard.dtype == np.float32 and heard.shape == pcm.shape
        assert np.isfinite(heard).all() and np.abs(heard).max() <= 1.0 and np.abs(heard).max() > 1e-3
        assert np.array_equal(heard, d.degrade(pcm, np.random.default_rng(seed)))
        assert not np.array_equal(heard, d.degrade(pcm, np.random.default_rng(seed + 100)))


def test_strength_zero_changes_the_level_alone() -> None:
    pcm = voice(1.0)
    for seed in range(6):
        heard = d.degrade(pcm, np.random.default_rng(seed), 0.0)
        assert np.corrcoef(heard, pcm)[0, 1] > 0.9999
