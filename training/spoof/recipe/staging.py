"""Synthetic speech put where the human speech was recorded: same level, band, room noise and MP3 history.

Without it a detector learns what tells the recordings apart instead of the voices: digital silence, missing rumble
under 60 Hz, a level or a spectral tilt of its own, the traces of the MP3 that LibriVox's recordings once were.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from models.audio import SAMPLE_RATE
from training.spoof.recipe.codecs import Pcm, mp3
from training.spoof.recipe.degrade import at_level, level_dbfs, reverberate
from training.spoof.recipe.stft import Stft

_STFT = Stft(1024, 256)
_RUMBLE_HZ = 70.0
_GRAIN = 2048
_TINY = 1e-12


def restaged(made: Pcm, human: Pcm, rng: np.random.Generator) -> Pcm:
    """Give resynthesised speech the level, rumble and, in part, the noise floor of the speech that it was made from.

    Args:
        made: Mono float32 at 16 kHz, shape [samples].
        human: What it was made from, same shape.
        rng: Decides what is random.

    Returns:
        The same shape.
    """
    voice = at_level(_split(made)[1], level_dbfs(_split(human)[1]), peak=2.0)
    staged = voice + _split(human)[0]
    if rng.random() < 0.5:
        staged = staged + room_noise(human, len(staged), rng) * np.float32(rng.uniform(0.2, 0.8))
    return _finished(staged, human, rng)


def staged(made: Pcm, scene: Pcm, rng: np.random.Generator) -> Pcm:
    """Put speech without a recording into one: its noise, level, part of its spectral tilt, at times some room.

    Args:
        made: Mono float32 at 16 kHz, shape [samples]; trimmed or not.
        scene: A human recording.
        rng: Decides what is random.

    Returns:
        As long as ``made``.
    """
    voice = _tilted(made, scene, rng.uniform(0, 1))
    if rng.random() < 0.4:
        voice = reverberate(voice, rng, rng.uniform(0.1, 0.4), rng.uniform(3, 15))
    voice = at_level(_split(voice)[1], level_dbfs(_split(scene)[1]), peak=2.0)
    room = _split(room_noise(scene, len(voice), rng))[1]
    return _finished(voice + room + _rumble(scene, len(voice), rng), scene, rng)


def room_noise(scene: Pcm, length: int, rng: np.random.Generator) -> Pcm:
    """Stretch the quietest moments of a recording to any length, by overlapping grains taken at random."""
    starts = np.arange(0, max(1, len(scene) - _GRAIN), _GRAIN // 8)
    padded = np.pad(scene, (0, _GRAIN))
    grains = padded[starts[:, None] + np.arange(_GRAIN)]
    power = np.square(_split(grains.reshape(-1))[1].reshape(grains.shape)).mean(axis=1)
    # Digital silence is no room.
    alive = power > _TINY
    quiet = grains[alive][np.argsort(power[alive])[: max(4, int(alive.sum()) // 20)]] if alive.any() else grains
    count = length // (_GRAIN // 2) + 2
    window = np.sin(np.pi * (np.arange(_GRAIN) + 0.5) / _GRAIN).astype(np.float32)
    total = np.zeros((count + 1) * (_GRAIN // 2), np.float32)
    for index, pick in enumerate(rng.integers(0, len(quiet), count)):
        at = index * (_GRAIN // 2)
        total[at : at + _GRAIN] += quiet[pick] * window
    return total[_GRAIN // 2 : _GRAIN // 2 + length]


def _split(pcm: Pcm) -> tuple[Pcm, Pcm]:
    """Rumble and the rest; they add up to the input."""
    low = sosfiltfilt(butter(4, _RUMBLE_HZ, "lowpass", fs=SAMPLE_RATE, output="sos"), pcm).astype(np.float32)
    return low, pcm - low


def _rumble(scene: Pcm, length: int, rng: np.random.Generator) -> Pcm:
    """The rumble of a recording from a random moment on, to and fro where it is too short."""
    low = _split(scene)[0]
    circle = np.concatenate((low, low[::-1]))
    return np.resize(np.roll(circle, int(rng.integers(len(circle)))), length)


def _tilted(pcm: Pcm, scene: Pcm, share: float) -> Pcm:
    """Filter towards the long-term spectrum of another recording, smoothed to a few points and at most 12 dB."""
    difference = np.clip(_long_term_db(scene) - _long_term_db(pcm), -40, 40)
    knots = np.geomspace(80, SAMPLE_RATE / 2, 14)
    frequency = np.linspace(0, SAMPLE_RATE / 2, len(difference))
    steps = np.interp(knots, frequency, np.convolve(difference, np.ones(9) / 9, "same"))
    steps = np.clip(share * (steps - np.median(steps)), -12, 12)
    spectrum = np.fft.rfft(pcm)
    at = np.linspace(0, SAMPLE_RATE / 2, len(spectrum))
    return np.fft.irfft(spectrum * 10 ** (np.interp(at, knots, steps) / 20), len(pcm)).astype(np.float32)


def _long_term_db(pcm: Pcm) -> NDArray[np.float64]:
    power = np.square(np.abs(_STFT.forward(pcm)), dtype=np.float64).mean(axis=0)
    return np.asarray(10 * np.log10(power + _TINY))


def _finished(pcm: Pcm, scene: Pcm, rng: np.random.Generator) -> Pcm:
    """The scene's level, no clipping beyond it, and most often the MP3 that the scene itself once was."""
    level = level_dbfs(scene) + rng.normal(0, 1.5)
    if rng.random() < 0.75:
        bitrate, rate = ((64_000, 22_050), (128_000, 44_100), (64_000, 44_100))[rng.integers(3)]
        pcm = mp3(at_level(pcm, level), bitrate, rate)
    return at_level(pcm, level)
