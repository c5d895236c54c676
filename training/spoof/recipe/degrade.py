"""Degradations of a recording between a mouth and a detector: the same for real and for synthetic speech.

Every function takes mono float32 at 16 kHz, shape [samples], and returns the same shape unless it says otherwise;
what is random comes from the generator alone. ``degrade`` strings them together at random.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from models.audio import SAMPLE_RATE
from training.spoof.recipe.codecs import Pcm, aac, amr, fitted, g722, mp3, opus, resampled, telephone_8k

__all__ = [
    "Noise",
    "aac",
    "add_noise",
    "amr",
    "at_level",
    "band_limited",
    "clipped",
    "coded",
    "degrade",
    "equalised",
    "g722",
    "gated",
    "level_dbfs",
    "mixed",
    "mp3",
    "noise",
    "opus",
    "quantised",
    "resampled_via",
    "reverberate",
    "speed",
    "telephone_8k",
    "with_pauses",
]

Noise = Literal["white", "pink", "brown", "hum", "babble"]

F64 = NDArray[np.float64]

_TINY = 1e-9
_RATES = (8000, 11025, 16000, 22050, 24000, 44100)


def degrade(pcm: Pcm, rng: np.random.Generator, strength: float = 1.0) -> Pcm:
    """Send speech through a random chain of microphone, room, noise, editing and codecs.

    Args:
        pcm: Mono float32 at 16 kHz, shape [samples]; at least a few hundred samples, not all zero.
        rng: Decides everything; the same state gives the same result.
        strength: 0 changes the level alone; 1 makes about nine of ten recordings audibly worse.

    Returns:
        The same number of samples.
    """
    heard = pcm
    for step, probability in _CHAIN:
        if rng.random() < probability * strength:
            heard = step(heard, rng, strength)
    return _settled(heard, rng, strength, len(pcm))


def coded(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Through a random codec at a random rate."""
    match rng.integers(10):
        case 0 | 1 | 2:
            bitrate = 1000 * int(rng.choice([32, 40, 48, 64, 96, 128]))
            return mp3(pcm, bitrate, int(rng.choice([16000, 22050, 44100] if bitrate >= 48_000 else [16000, 22050])))
        case 3 | 4 | 5:
            return opus(pcm, 1000 * int(rng.integers(12, 65)), int(rng.choice([16000, 24000, 48000])))
        case 6 | 7:
            return aac(pcm, 1000 * int(rng.integers(24, 97)))
        case 8:
            return telephone_8k(pcm, "mu" if rng.random() < 0.5 else "a")
        case _:
            return amr(pcm, int(rng.choice([7950, 12200]))) if rng.random() < 0.5 else g722(pcm)


def level_dbfs(pcm: Pcm) -> float:
    """Root mean square level in dB relative to full scale."""
    return float(10 * np.log10(np.mean(np.square(pcm, dtype=np.float64)) + _TINY**2))


def at_level(pcm: Pcm, dbfs: float, peak: float = 0.99) -> Pcm:
    """Scale to a root mean square level, or as near to it as the peak allows."""
    gain = 10 ** ((dbfs - level_dbfs(pcm)) / 20)
    return pcm * np.float32(min(gain, peak / (np.abs(pcm).max() + _TINY)))


def noise(length: int, rng: np.random.Generator, kind: Noise = "white") -> Pcm:
    """Make noise with root mean square 1.

    Args:
        length: Samples.
        rng: Its source.
        kind: ``pink`` falls by 3 and ``brown`` by 6 dB an octave; ``hum`` is the mains' harmonics over a brown floor;
            ``babble`` has the long-term spectrum, the syllables and the moving resonances of many talkers.
    """
    match kind:
        case "white":
            made = rng.standard_normal(length)
        case "pink":
            made = _coloured(length, rng, 0.5)
        case "brown":
            made = _coloured(length, rng, 1.0)
        case "hum":
            made = _hum(length, rng)
        case "babble":
            made = sum((_talker(length, rng) for _ in range(rng.integers(3, 8))), np.zeros(length))
    return np.asarray(made / (np.std(made) + _TINY), np.float32)


def mixed(pcm: Pcm, other: Pcm, snr_db: float) -> Pcm:
    """Add another sound of the same length at a signal-to-noise ratio in dB."""
    return pcm + other * np.float32(10 ** ((level_dbfs(pcm) - level_dbfs(other) - snr_db) / 20))


def add_noise(pcm: Pcm, rng: np.random.Generator, snr_db: float, kind: Noise = "white") -> Pcm:
    """Add noise at a signal-to-noise ratio in dB."""
    return mixed(pcm, noise(len(pcm), rng, kind), snr_db)


def reverberate(pcm: Pcm, rng: np.random.Generator, rt60: float, direct_db: float = 0.0) -> Pcm:
    """Put a voice into a room: the direct sound, a few early reflections and a tail of decaying noise.

    Args:
        pcm: The voice.
        rng: Makes the room.
        rt60: Seconds in which the tail decays by 60 dB; it falls faster at high frequencies.
        direct_db: Level of the direct sound over everything else, dB.

    Returns:
        The same length, the direct sound in time with the input.
    """
    length = max(2, int(rt60 * SAMPLE_RATE))
    time = np.arange(length) / SAMPLE_RATE
    white = rng.standard_normal(length)
    dull = lfilter([1 - (pole := rng.uniform(0.4, 0.85))], [1, -pole], white)
    tail = 0.3 * white * 10 ** (-4.5 * time / rt60) + dull * 10 ** (-3 * time / rt60)
    onset = int(rng.uniform(0.002, 0.02) * SAMPLE_RATE)
    tail[:onset] = 0
    early = rng.integers(onset // 2 + 1, onset + int(0.03 * SAMPLE_RATE) + 2, size=6)
    tail[early[early < length]] += rng.uniform(-3, 3, size=int((early < length).sum()))
    tail *= 10 ** (-direct_db / 20) / (np.linalg.norm(tail) + _TINY)
    tail[0] = 1.0
    return at_level(np.asarray(fftconvolve(pcm, tail)[: len(pcm)], np.float32), level_dbfs(pcm))


def equalised(pcm: Pcm, rng: np.random.Generator, depth_db: float = 6.0) -> Pcm:
    """Filter with a random smooth response, as another microphone would; ``depth_db`` is its standard deviation."""
    spectrum = np.fft.rfft(pcm)
    knots = rng.normal(0, depth_db, 9)
    position = np.sqrt(np.linspace(0, 1, len(spectrum)))
    gain = 10 ** (np.interp(position, np.linspace(0, 1, len(knots)), knots - knots.mean()) / 20)
    return np.fft.irfft(spectrum * gain, len(pcm)).astype(np.float32)


def band_limited(pcm: Pcm, low_hz: float | None = None, high_hz: float | None = None, order: int = 4) -> Pcm:
    """Cut away what lies below and above, with Butterworth filters; edges between 0 and 8000 Hz, exclusive."""
    heard: Pcm = pcm
    if low_hz is not None:
        heard = sosfilt(butter(order, low_hz, "highpass", fs=SAMPLE_RATE, output="sos"), heard).astype(np.float32)
    if high_hz is not None:
        heard = sosfilt(butter(order, high_hz, "lowpass", fs=SAMPLE_RATE, output="sos"), heard).astype(np.float32)
    return heard


def resampled_via(pcm: Pcm, rate: int) -> Pcm:
    """Resample to a rate and back."""
    return fitted(resampled(resampled(pcm, SAMPLE_RATE, rate), rate, SAMPLE_RATE), len(pcm))


def clipped(pcm: Pcm, share: float) -> Pcm:
    """Overdrive so that a share of the samples, 0 to 1, is at the limit; the peak stays where it was."""
    magnitude = np.abs(pcm)
    limit = max(float(np.quantile(magnitude, 1 - share)), _TINY)
    return np.clip(pcm, -limit, limit) * np.float32(magnitude.max() / limit)


def quantised(pcm: Pcm, bits: int = 16) -> Pcm:
    """Round to so many bits, without dither."""
    steps = np.float32(2 ** (bits - 1))
    return np.asarray(np.round(np.clip(pcm, -1, 1) * steps) / steps, np.float32)


def gated(pcm: Pcm, threshold_db: float = -45.0, floor_db: float = -60.0) -> Pcm:
    """Close what a noise gate closes: stretches of 20 ms that are ``threshold_db`` below the loudest."""
    size = SAMPLE_RATE // 50
    blocks = fitted(pcm, -(-len(pcm) // size) * size).reshape(-1, size)
    power = np.square(blocks).mean(axis=1)
    gain = np.where(power > power.max() * 10 ** (threshold_db / 10), 1.0, 10 ** (floor_db / 20))
    centres = (np.arange(len(gain)) + 0.5) * size
    return np.asarray(pcm * np.interp(np.arange(len(pcm)), centres, gain), np.float32)


def with_pauses(pcm: Pcm, rng: np.random.Generator, lead_s: float, trail_s: float, floor_dbfs: float = -65.0) -> Pcm:
    """Move the voice later by ``lead_s`` and end it ``trail_s`` before the end; the pauses hold a pink noise floor."""
    lead, trail = round(lead_s * SAMPLE_RATE), round(trail_s * SAMPLE_RATE)
    kept = pcm[: max(0, len(pcm) - lead - trail)]
    fade = min(SAMPLE_RATE // 200, len(kept) // 2)
    envelope = np.ones(len(kept), np.float32)
    if fade:
        envelope[:fade] = np.linspace(0, 1, fade)
        envelope[-fade:] = np.linspace(1, 0, fade)
    moved = fitted(np.concatenate((np.zeros(min(lead, len(pcm)), np.float32), kept * envelope)), len(pcm))
    return moved + noise(len(pcm), rng, "pink") * np.float32(10 ** (floor_dbfs / 20))


def speed(pcm: Pcm, factor: float) -> Pcm:
    """Play faster (above 1) or slower, pitch and formants along; returns about ``samples / factor`` samples."""
    positions = np.arange(0, len(pcm) - 1, factor)
    whole = positions.astype(np.int64)
    part = (positions - whole).astype(np.float32)
    # Catmull-Rom, four points: linear interpolation would dull the highs by the factor and give the step away.
    a, b, c, d = (pcm[np.clip(whole + offset, 0, len(pcm) - 1)] for offset in (-1, 0, 1, 2))
    moved = b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))
    return np.asarray(moved, np.float32)


def _coloured(length: int, rng: np.random.Generator, slope: float) -> F64:
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 20.0)
    return np.asarray(np.fft.irfft(spectrum * frequency**-slope, length))


def _hum(length: int, rng: np.random.Generator) -> F64:
    time = np.arange(length) / SAMPLE_RATE
    mains = rng.choice([50.0, 60.0]) * rng.uniform(0.998, 1.002)
    tones = [
        rng.uniform(0.2, 1) / k * np.sin(2 * np.pi * (k * mains * time + rng.random())) for k in rng.permutation(12) + 1
    ]
    floor = _coloured(length, rng, 1.0)
    return np.asarray(np.sum(tones, axis=0) + floor / (np.std(floor) + _TINY) * rng.uniform(0.2, 1))


def _talker(length: int, rng: np.random.Generator) -> F64:
    """One far talker: a pulse train and noise through two moving resonances, in syllables."""
    blocks = -(-length // (SAMPLE_RATE // 8))
    centres = np.linspace(0, length, blocks + 1)
    at = np.arange(length)
    pitch = np.interp(at, centres, rng.uniform(90, 220) * 2 ** rng.normal(0, 0.12, blocks + 1))
    phase = np.cumsum(pitch) / SAMPLE_RATE
    source = np.diff(np.floor(phase), prepend=0.0) * 8 + rng.standard_normal(length) * 0.15
    voice = np.zeros(length)
    for low, high in ((300, 900), (900, 2600)):
        step = SAMPLE_RATE // 4
        for start in range(0, length, step):
            angle = 2 * np.pi * rng.uniform(low, high) / SAMPLE_RATE
            voice[start : start + step] += lfilter([1], [1, -1.9 * np.cos(angle), 0.9], source[start : start + step])
    return voice * np.interp(at, centres, rng.gamma(1.2, 1.0, blocks + 1))


def _settled(pcm: Pcm, rng: np.random.Generator, strength: float, length: int) -> Pcm:
    """Bring to the length and to a random level; fill what is missing with the recording's own noise floor."""
    if len(pcm) < length:
        size = max(1, min(len(pcm), SAMPLE_RATE // 50))
        blocks = pcm[: len(pcm) // size * size].reshape(-1, size)
        floor = np.quantile(np.square(blocks).mean(axis=1), 0.05) ** 0.5
        missing = noise(length - len(pcm), rng, "pink") * np.float32(max(floor, 1e-5))
        pcm = np.concatenate((pcm, missing))
    level = rng.uniform(-34, -14) if rng.random() < max(strength, 0.5) else level_dbfs(pcm)
    settled = at_level(pcm[:length], level)
    return quantised(settled) if rng.random() < 0.8 else settled.astype(np.float32)


def _speed(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    return speed(pcm, float(np.exp(rng.uniform(-0.08, 0.08) * strength)))


def _equalised(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    return equalised(pcm, rng, rng.uniform(1, 6) * strength)


def _reverberate(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    return reverberate(pcm, rng, rng.uniform(0.1, 0.2 + 0.7 * strength), rng.uniform(-3, 12) + 6 * (1 - strength))


def _noise(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    kind = rng.choice(np.array(["white", "pink", "pink", "brown", "hum", "babble"]))
    return add_noise(pcm, rng, float(rng.uniform(30 - 22 * strength, 45)), kind)


def _clipped(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    return clipped(pcm, float(10 ** rng.uniform(-4.5, -2.5 + strength)))


def _pauses(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    seconds = len(pcm) / SAMPLE_RATE
    lead, trail = rng.uniform(0, 0.15 * seconds, 2) * (rng.random(2) < 0.5)
    return with_pauses(pcm, rng, float(lead), float(trail), float(rng.uniform(-85, -50)))


def _band(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    low = float(rng.uniform(40, 60 + 240 * strength)) if rng.random() < 0.6 else None
    high = float(rng.uniform(7600 - 4200 * strength, 7800)) if rng.random() < 0.6 else None
    return band_limited(pcm, low, high, int(rng.integers(1, 9)))


def _resampled(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    return resampled_via(pcm, int(rng.choice(_RATES)))


def _gated(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    return gated(pcm, float(rng.uniform(-60, -40)), float(rng.uniform(-90, -10)))


def _coded(pcm: Pcm, rng: np.random.Generator, strength: float) -> Pcm:
    return coded(pcm, rng)


_CHAIN: tuple[tuple[Callable[[Pcm, np.random.Generator, float], Pcm], float], ...] = (
    (_speed, 0.2),
    (_equalised, 0.5),
    (_reverberate, 0.25),
    (_noise, 0.5),
    (_gated, 0.08),
    (_pauses, 0.2),
    (_clipped, 0.1),
    (_band, 0.25),
    (_resampled, 0.2),
    (_coded, 0.4),
    (_coded, 0.1),
)
"""Steps in the order in which a recording meets them, with their probability at full strength."""
