"""Training data of the compact encoder: log-mel spectra of many voices, each as recorded and through channels."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio import decode
from models.speaker.filterbank import SAMPLE_RATE, log_mel
from models.vad import SileroVad
from training.speaker.channels import through_channels
from training.speaker.voices import VOICES_PER_SPEAKER, voices_from

Spectrum = NDArray[np.float16]

RENDITIONS = 3
"""As recorded, and twice through channels."""

SEED = 3


@dataclass(frozen=True)
class Corpus:
    """Voices to train on.

    Attributes:
        spectra: ``spectra[voice][rendition]``, float16[frames, MELS]; the voices of one person lie side by side, the
            person's own first.
    """

    spectra: tuple[tuple[Spectrum, ...], ...]

    @property
    def people(self) -> int:
        """Number of people whose voices these are."""
        return len(self.spectra) // VOICES_PER_SPEAKER


def speech_of(file: Path) -> NDArray[np.float32]:
    """Decode a recording and leave out what is no speech; mono float32 at 16 kHz."""
    with file.open("rb") as source:
        pcm = decode(source)
    spans = SileroVad().speech(pcm)
    return np.concatenate([pcm[round(s.start * SAMPLE_RATE) : round(s.end * SAMPLE_RATE)] for s in spans] or [pcm[:0]])


def prepare(files: list[Path], shortest: int, workers: int) -> Corpus:
    """Make the corpus, with progress on the standard output.

    Args:
        files: One recording of each person.
        shortest: People with less speech than this are left out, samples.
        workers: Processes.
    """
    spectra: list[tuple[Spectrum, ...]] = []
    with ProcessPoolExecutor(workers) as processes:
        jobs = [processes.submit(_spectra, file, number, shortest) for number, file in enumerate(files)]
        for number, job in enumerate(jobs, start=1):
            spectra += job.result()
            if number % 20 == 0 or number == len(jobs):
                print(f"voices of {number} of {len(jobs)} people", flush=True)
    return Corpus(tuple(spectra))


def _spectra(file: Path, number: int, shortest: int) -> list[tuple[Spectrum, ...]]:
    speech = speech_of(file)
    if len(speech) < shortest:
        return []
    rng = np.random.default_rng((SEED, number))
    return [
        tuple(
            log_mel(heard).astype(np.float16)
            for heard in (voice, *(through_channels(voice, rng) for _ in range(RENDITIONS - 1)))
        )
        for voice in voices_from(speech, rng)
    ]
