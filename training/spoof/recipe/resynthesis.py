"""Human speech taken apart into a vocoder's parameters and put together again: the same words, pauses and voice.

Each function takes mono float32 at 16 kHz, shape [samples], and a generator that chooses the vocoder's settings, and
returns the same number of samples.
"""

import shutil
import subprocess
import tempfile

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from models.audio import SAMPLE_RATE
from training.spoof.recipe.codecs import Pcm, fitted
from training.spoof.recipe.stft import Stft, mel_filters

F64 = NDArray[np.float64]

_TINY = 1e-8
_F0_FLOOR, _F0_CEIL = 60.0, 450.0


def griffin_lim_linear(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Phase found again from the full magnitude spectrogram (Griffin and Lim 1984; momentum: Perraudin et al. 2013)."""
    stft = _random_stft(rng)
    return _griffin_lim(np.abs(stft.forward(pcm)), stft, len(pcm), rng)


def griffin_lim_mel(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """The same from 80 mel bands, as after a text-to-spectrogram network."""
    stft = _random_stft(rng)
    filters = mel_filters(80, stft.size, high_hz=float(rng.choice([7600.0, 8000.0])))
    mel = np.abs(stft.forward(pcm)) @ filters.T
    # A spread-out inverse keeps every bin above zero, which the pseudo-inverse doesn't.
    transpose = filters / np.maximum(filters.sum(axis=0), _TINY)
    magnitude = mel @ transpose
    for _ in range(int(rng.integers(0, 12))):
        magnitude *= (mel / np.maximum(magnitude @ filters.T, _TINY)) @ transpose
    return _griffin_lim(magnitude, stft, len(pcm), rng)


def stft_phase(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """The magnitude spectrogram with phases that are zero, minimum, random or laid out as if every bin were a tone."""
    size = int(rng.choice([256, 512, 1024]))
    stft = Stft(size, size // int(rng.choice([4, 8])))
    magnitude = np.abs(stft.forward(pcm))
    match rng.integers(4):
        case 0:
            phase = np.zeros_like(magnitude)
        case 1:
            phase = _minimum_phase(magnitude, size)
        case 2:
            phase = rng.uniform(-np.pi, np.pi, magnitude.shape)
        case _:
            advance = 2 * np.pi * stft.hop / size * np.arange(magnitude.shape[1])
            phase = advance * np.arange(len(magnitude))[:, None] + rng.uniform(-np.pi, np.pi, magnitude.shape[1])
    phase = phase + rng.uniform(0, 0.6) * rng.standard_normal(magnitude.shape)
    return stft.inverse((magnitude * np.exp(1j * phase)).astype(np.complex64), len(pcm))


def world_full(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """WORLD with its whole spectral envelope and aperiodicity (Morise et al. 2016); f0 changed a little in half."""
    import pyworld

    x, f0, times, period = _pitched(pcm, rng)
    envelope = pyworld.cheaptrick(x, f0, times, SAMPLE_RATE)
    aperiodicity = pyworld.d4c(x, f0, times, SAMPLE_RATE)
    return _world(pcm, _moved(f0, rng), envelope, aperiodicity, period)


def world_coded(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """WORLD through the few coefficients a frame that statistical synthesis predicts."""
    import pyworld

    x, f0, times, period = _pitched(pcm, rng)
    size = pyworld.get_cheaptrick_fft_size(SAMPLE_RATE)
    envelope = pyworld.cheaptrick(x, f0, times, SAMPLE_RATE)
    aperiodicity = pyworld.d4c(x, f0, times, SAMPLE_RATE)
    coded = pyworld.code_spectral_envelope(envelope, SAMPLE_RATE, int(rng.integers(24, 61)))
    coded_aperiodicity = pyworld.code_aperiodicity(aperiodicity, SAMPLE_RATE)
    if rng.random() < 0.5:
        coded = _smoothed_in_time(coded, int(rng.integers(2, 6)))
    envelope = pyworld.decode_spectral_envelope(np.ascontiguousarray(coded), SAMPLE_RATE, size)
    aperiodicity = pyworld.decode_aperiodicity(coded_aperiodicity, SAMPLE_RATE, size)
    return _world(pcm, _moved(f0, rng), envelope, aperiodicity, period)


def lpc(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Linear prediction excited by pulses and noise, as in LPC-10 and its successors."""
    order, hop = int(rng.integers(12, 29)), int(rng.choice([80, 120, 160]))
    size = hop * int(rng.choice([3, 4]))
    emphasis = float(rng.uniform(0.9, 0.97))
    heard = lfilter([1, -emphasis], [1], pcm.astype(np.float64))
    _, f0, _, _ = _pitched(pcm, rng, period_ms=5.0)
    excitation = _excitation(f0, len(pcm), rng, float(rng.uniform(0.05, 0.4)))
    window = np.hanning(size + 1)[:size]
    padded, driven = (np.pad(signal, (size, 2 * size)) for signal in (heard, excitation))
    total, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for start in range(size, len(padded) - size, hop):
        frame = padded[start : start + size] * window
        correlation = np.correlate(frame, frame, "full")[size - 1 : size + order]
        correlation[0] = correlation[0] * (1 + 1e-5) + 1e-9
        coefficients = solve_toeplitz(correlation[:-1], correlation[1:])
        error = max(correlation[0] - coefficients @ correlation[1:], 0.0)
        source = driven[start - size : start + size]
        filtered = lfilter([1.0], np.concatenate(([1.0], -coefficients)), source)[size:]
        power = np.sum(np.square(source[size:] * window)) + _TINY
        total[start : start + size] += np.sqrt(error / power) * filtered * window
        weight[start : start + size] += window
    made = (total / np.maximum(weight, 1e-3))[size : size + len(pcm)]
    return lfilter([1], [1, -emphasis], made).astype(np.float32)


def harmonic_noise(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Harmonics below a cut-off, shaped noise above it and where there is no voice (Stylianou 2001)."""
    x, f0, _, _ = _pitched(pcm, rng, period_ms=5.0)
    hop = SAMPLE_RATE // 200
    stft = Stft(512, hop)
    magnitude = np.abs(stft.forward(pcm)).astype(np.float64)
    frames = min(len(f0), len(magnitude))
    f0, magnitude = _moved(f0, rng)[:frames], magnitude[:frames]
    voiced = f0 > 0
    cut_off = _smoothed_in_time(rng.uniform(2500, 6500) * rng.uniform(0.7, 1.2, (frames, 1)), 10)[:, 0]
    at, centres = np.arange(len(x)), np.arange(frames) * hop
    pitch = np.interp(at, centres[voiced], f0[voiced]) if voiced.any() else np.full(len(x), 120.0)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    bin_width = SAMPLE_RATE / stft.size
    gain = 2 / stft.window.sum()
    rows = np.arange(frames)
    tones = np.zeros(len(x))
    frame_pitch = np.interp(centres, at, pitch)
    for k in range(1, int(8000 / max(frame_pitch.min(), 1.0))):
        frequency = k * frame_pitch
        on = voiced & (frequency < np.minimum(cut_off, 7800))
        if not on.any():
            continue
        bins = np.clip(frequency / bin_width, 0, stft.size // 2 - 1.001)
        low = bins.astype(np.int64)
        peak = np.maximum(magnitude[rows, low], magnitude[rows, low + 1])
        amplitude = np.interp(at, centres, np.where(on, gain * peak, 0.0))
        tones += amplitude * np.cos(k * phase + rng.uniform(-np.pi, np.pi))
    mask = np.arange(stft.size // 2 + 1) * bin_width > np.where(voiced, cut_off, 0)[:, None]
    noise = stft.forward(rng.standard_normal(len(x)).astype(np.float32))[:frames]
    envelope = _smoothed_in_frequency(magnitude, int(rng.integers(3, 12)))
    shaped = envelope * mask * noise / np.sqrt(np.square(stft.window).sum())
    return (tones + stft.inverse(shaped.astype(np.complex64), len(x))).astype(np.float32)


def mel_cepstral(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Mel-cepstrum through the MLSA filter, pulses and noise for excitation (Imai 1983), by SPTK's programs.

    Raises:
        FileNotFoundError: The ``sptk`` package is not installed.
    """
    order, hop, alpha = int(rng.integers(20, 35)), 80, 0.42
    samples = (pcm * np.float32(32768)).astype(np.float32)
    # Digital silence has no logarithm.
    samples += rng.normal(0, 0.3, len(samples)).astype(np.float32)
    framed = _sptk(["frame", "-l", "400", "-p", str(hop)], samples)
    windowed = _sptk(["window", "-l", "400", "-L", "512", "-w", str(rng.integers(0, 2))], framed)
    cepstrum = _sptk(["mcep", "-l", "512", "-m", str(order), "-a", str(alpha), "-e", "0.001"], windowed)
    _, f0, _, _ = _pitched(pcm, rng, period_ms=1000 * hop / SAMPLE_RATE)
    count = min(len(f0), len(cepstrum) // (order + 1))
    f0 = _moved(f0[:count], rng)
    period = np.where(f0 > 0, SAMPLE_RATE / np.maximum(f0, 1.0), 0.0).astype(np.float32)
    excitation = _sptk(["excite", "-p", str(hop), "-s", str(rng.integers(1, 10_000))], period)
    cepstrum = cepstrum[: count * (order + 1)]
    made = _sptk(["mlsadf", "-m", str(order), "-a", str(alpha), "-p", str(hop), "-P", "5"], excitation, cepstrum)
    return fitted(made / np.float32(32768), len(pcm))


def has_sptk() -> bool:
    """Return whether SPTK's programs are installed."""
    return shutil.which("sptk") is not None


def _random_stft(rng: np.random.Generator) -> Stft:
    size = int(rng.choice([512, 800, 1024, 1024, 2048]))
    return Stft(size, size // int(rng.choice([4, 4, 5, 8])))


def _griffin_lim(magnitude: Pcm, stft: Stft, length: int, rng: np.random.Generator) -> Pcm:
    """Few iterations leave it rough, many smooth; both are heard in the wild."""
    iterations, momentum = int(rng.choice([4, 8, 16, 32, 60])), float(rng.choice([0.0, 0.99]))
    angle = np.exp(1j * rng.uniform(-np.pi, np.pi, magnitude.shape)).astype(np.complex64)
    previous = np.zeros_like(angle)
    for _ in range(iterations):
        rebuilt = stft.forward(stft.inverse(magnitude * angle, length))[: len(magnitude)]
        angle = rebuilt - np.float32(momentum / (1 + momentum)) * previous
        angle /= np.abs(angle) + np.float32(_TINY)
        previous = rebuilt
    return stft.inverse(magnitude * angle, length)


def _minimum_phase(magnitude: Pcm, size: int) -> F64:
    cepstrum = np.fft.irfft(np.log(magnitude + 1e-5), size, axis=1)
    fold = np.zeros(size)
    fold[0] = fold[size // 2] = 1
    fold[1 : size // 2] = 2
    return np.asarray(np.fft.rfft(cepstrum * fold, axis=1).imag)


def _pitched(pcm: Pcm, rng: np.random.Generator, period_ms: float | None = None) -> tuple[F64, F64, F64, float]:
    """The samples, f0 in Hz (0 where unvoiced), its times in s and the frame period in ms."""
    import pyworld

    period = period_ms or float(rng.choice([5.0, 5.0, 8.0, 10.0]))
    # WORLD divides by the power of what it sees: digital silence needs a floor far below 16 bits.
    x = pcm.astype(np.float64) + rng.normal(0, 1e-6, len(pcm))
    limits = {"f0_floor": _F0_FLOOR, "f0_ceil": _F0_CEIL, "frame_period": period}
    # Harvest takes eight times as long: for WORLD itself alone.
    if period_ms is None and rng.random() < 0.3:
        f0, times = pyworld.harvest(x, SAMPLE_RATE, **limits)
    else:
        f0, times = pyworld.dio(x, SAMPLE_RATE, **limits)
        f0 = pyworld.stonemask(x, f0, times, SAMPLE_RATE)
    return x, f0, times, period


def _world(pcm: Pcm, f0: F64, envelope: F64, aperiodicity: F64, period: float) -> Pcm:
    import pyworld

    made = pyworld.synthesize(f0, envelope, aperiodicity, SAMPLE_RATE, period)
    return fitted(np.asarray(made, np.float32), len(pcm))


def _moved(f0: F64, rng: np.random.Generator) -> F64:
    """In half of the calls another mean and range of pitch, as voice conversion makes them."""
    voiced = f0 > 0
    if rng.random() < 0.5 or not voiced.any():
        return f0
    logs = np.log(f0[voiced])
    moved = f0.copy()
    moved[voiced] = np.exp(logs.mean() + rng.normal(0, 0.1) + (logs - logs.mean()) * rng.uniform(0.7, 1.3))
    return np.clip(moved, 0, 700)


def _excitation(f0: F64, length: int, rng: np.random.Generator, breath: float) -> F64:
    """Pulses at f0 with some noise, noise alone where unvoiced; power 1; f0 every 5 ms."""
    frame = np.minimum(np.arange(length) // (SAMPLE_RATE // 200), len(f0) - 1)
    pitch = f0[frame]
    phase = np.cumsum(pitch / SAMPLE_RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0) > 0
    voiced = pitch > 0
    height = np.sqrt(SAMPLE_RATE / np.maximum(pitch, 1.0))
    noise = rng.standard_normal(length)
    made: F64 = np.where(voiced, np.sqrt(1 - breath**2) * pulses * height + breath * noise, noise)
    return made


def _smoothed_in_time(values: F64, frames: int) -> F64:
    kernel = np.hanning(2 * frames + 1)[1:-1]
    padded = np.pad(values, ((frames - 1, frames - 1), (0, 0)), mode="edge")
    return np.asarray(
        np.apply_along_axis(lambda column: np.convolve(column, kernel / kernel.sum(), "valid"), 0, padded)
    )


def _smoothed_in_frequency(magnitude: F64, bins: int) -> F64:
    kernel = np.ones(bins) / bins
    power = np.apply_along_axis(lambda row: np.convolve(row, kernel, "same"), 1, np.square(magnitude))
    return np.asarray(np.sqrt(power))


def _sptk(command: list[str], samples: Pcm, parameters: Pcm | None = None) -> Pcm:
    """Run one of SPTK's programs on raw float32; ``parameters`` go in as the file it wants by name."""
    program = shutil.which("sptk")
    if program is None:
        raise FileNotFoundError("The mel-cepstral vocoder needs SPTK 3 (apt install sptk).")
    with tempfile.NamedTemporaryFile(suffix=".mcep") as file:
        if parameters is not None:
            file.write(np.ascontiguousarray(parameters, np.float32).tobytes())
            file.flush()
            command = [*command, file.name]
        done = subprocess.run(  # noqa: S603 - our own arguments
            [program, *command], input=samples.astype(np.float32).tobytes(), capture_output=True, check=True
        )
    return np.frombuffer(done.stdout, np.float32).copy()
