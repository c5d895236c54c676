"""Makes ``spectral.npz``: ``python -m training.speaker.train_spectral FOLDER``, a few minutes on a CPU.

FOLDER holds recordings of one speaker each, named ``<speaker>-....flac``: LibriSpeech train-clean-100 (CC-BY 4.0).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.linalg import eigh
from scipy.signal import butter, lfilter, sosfilt

from models.audio import decode
from models.speaker.features import COEFFICIENTS, SAMPLE_RATE, mfcc
from models.speaker.mixture import Mixture
from models.speaker.spectral import CONSTANTS
from models.vad import SileroVad

Pcm = NDArray[np.float32]

SEED = 2
COMPONENTS = 32
EM_STEPS = 20
PRINCIPAL_COMPONENTS = 150
DIMENSION = 40
WINDOW = int(1.5 * SAMPLE_RATE)
HOP = WINDOW // 2
SHRINKAGE = 0.1
VARIANCE_FLOOR = 0.01
HELD_OUT_EVERY = 5


def recordings(folder: Path, *, held_out: bool) -> list[Path]:
    """The recordings to train on, or those kept back for tuning and measuring (every fifth, by name)."""
    files = sorted(folder.glob("*.flac"))
    return [file for i, file in enumerate(files) if (i % HELD_OUT_EVERY == 0) == held_out]


def windows_of(files: list[Path]) -> Iterator[tuple[int, Pcm]]:
    """Windows of speech with the number of their speaker: as recorded, through a room, through a telephone."""
    vad = SileroVad()
    for speaker, file in enumerate(files):
        with file.open("rb") as source:
            pcm = decode(source)
        speech = np.concatenate([pcm[_sample(s.start) : _sample(s.end)] for s in vad.speech(pcm)])
        rng = np.random.default_rng((SEED, speaker))
        for heard in (speech, coloured(speech, rng), coloured(through_telephone(speech, rng), rng)):
            for start in range(0, len(heard) - WINDOW + 1, HOP):
                yield speaker, heard[start : start + WINDOW]


def through_telephone(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Cut away what a telephone doesn't carry."""
    band = (rng.uniform(80, 350), rng.uniform(3200, 4000))
    return np.asarray(sosfilt(butter(4, band, "bandpass", fs=SAMPLE_RATE, output="sos"), pcm), dtype=np.float32)


def coloured(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Filter with a random smooth response and add noise at 10 to 35 dB, as another microphone would."""
    spectrum = np.fft.rfft(pcm)
    decibels = rng.normal(0, 4, 8)
    decibels[-1] -= rng.uniform(0, 15)
    position = np.sqrt(np.linspace(0, 1, len(spectrum)))
    gain = 10 ** (np.interp(position, np.linspace(0, 1, 8), decibels) / 20)
    filtered = np.fft.irfft(spectrum * gain, len(pcm))
    noise = lfilter([1], [1, -rng.uniform(0, 0.97)], rng.standard_normal(len(pcm)))
    ratio = 10 ** (-rng.uniform(10, 35) / 20)
    return np.asarray(filtered + noise * ratio * filtered.std() / noise.std(), dtype=np.float32)


def fit_mixture(frames: Pcm) -> Mixture:
    """Maximum likelihood by expectation-maximisation from k-means."""
    means, labels = kmeans2(frames, COMPONENTS, minit="++", rng=np.random.default_rng(SEED))
    posteriors = np.eye(COMPONENTS, dtype=np.float32)[labels]
    for _ in range(EM_STEPS):
        counts = posteriors.sum(axis=0)[:, None]
        means = posteriors.T @ frames / counts
        variances = posteriors.T @ np.square(frames) / counts - np.square(means) + VARIANCE_FLOOR
        mixture = Mixture(counts[:, 0] / len(frames), means, variances)
        posteriors = mixture.posteriors(frames)
    return mixture


def fit_projection(vectors: Pcm, speakers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Principal components, then linear discriminants weighted by how much of each is the speaker.

    Args:
        vectors: Shape [windows, features], with mean 0.
        speakers: Number of the speaker of each, shape [windows].

    Returns:
        Shape [features, DIMENSION].
    """
    _, _, basis = np.linalg.svd(np.cov(vectors.T))
    reduced = vectors @ basis[:PRINCIPAL_COMPONENTS].T
    # A recording shorter than a window leaves its speaker without one.
    heard, rows = np.unique(speakers, return_inverse=True)
    means = np.stack([reduced[speakers == speaker].mean(axis=0) for speaker in heard])
    within = np.cov((reduced - means[rows]).T)
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.diag(np.diag(within))
    ratios, directions = eigh(np.cov(means.T), within)
    best = np.argsort(-ratios)[:DIMENSION]
    weighted = directions[:, best] * np.sqrt(ratios[best] / (ratios[best] + 1))
    projection: NDArray[np.float64] = basis[:PRINCIPAL_COMPONENTS].T @ weighted
    return projection


def _sample(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def main() -> None:
    """Train and write the constants beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    files = recordings(parser.parse_args().folder, held_out=False)
    labelled = [(speaker, mfcc(window)) for speaker, window in windows_of(files)]
    frames = np.concatenate([window for _, window in labelled]).reshape(-1, COEFFICIENTS)
    # Windows overlap and neighbouring frames are alike: every fourth frame says as much.
    mixture = fit_mixture(frames[::4])
    vectors = np.stack([mixture.deviation(window) for _, window in labelled])
    mean = vectors.mean(axis=0)
    projection = fit_projection(vectors - mean, np.array([speaker for speaker, _ in labelled]))
    constants = {
        "weights": mixture.weights,
        "means": mixture.means,
        "variances": mixture.variances,
        "projection": projection,
        "offset": mean @ projection,
    }
    np.savez(CONSTANTS, **{name: value.astype(np.float32) for name, value in constants.items()})
    print(f"{len(files)} speakers, {len(labelled)} windows: wrote {CONSTANTS}")


if __name__ == "__main__":
    main()
