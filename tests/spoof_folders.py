"""Small folders of real and fake speech: the bundled dialogue as it is, and beating 25 times a second."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, decode
from models.samples import DIALOGUE

_PIECE = 70_000
"""Samples of one file: 4.4 s, of which the last 0.4 s are too short to hold enough speech."""


def dialogue() -> NDArray[np.float32]:
    """The bundled recording, 30.7 s of it."""
    with DIALOGUE.open("rb") as file:
        return decode(file)


def beating(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Speech that gives itself away to anything that hears how loud it is from frame to frame."""
    return (pcm * (1 + 0.9 * np.sin(2 * np.pi * 25 / SAMPLE_RATE * np.arange(len(pcm))))).astype(np.float32)


def write_wav(file: Path, pcm: NDArray[np.float32]) -> Path:
    """Write mono 16 bit WAV, making the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(SAMPLE_RATE)
        written.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
    return file


def write_cut_off(file: Path) -> Path:
    """Write the first part of the bundled recording, of which only the end of decoding tells that more is missing."""
    whole = DIALOGUE.read_bytes()
    file.write_bytes(whole[: len(whole) * 3 // 4])
    return file


def make_folders(folder: Path) -> tuple[Path, Path]:
    """Write six real files of two speakers and six fake ones of two synthesisers; return both folders."""
    pcm = dialogue()
    real, fake = folder / "real", folder / "fake"
    for index in range(6):
        piece = pcm[index * _PIECE : (index + 1) * _PIECE]
        write_wav(real / f"speaker{index % 2}" / f"{index}.wav", piece)
        write_wav(fake / f"synthesiser{index % 2}" / f"{index}.wav", beating(piece))
    return real, fake
