"""Conversations mixed from single speakers, with their true turns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from models.diarization import SpeakerTurn

SAMPLE_RATE = 16_000
FRAME = 160
TURN_SECONDS = (1.0, 4.5)
PAUSE_SECONDS = (0.05, 0.8)
LEVEL_DECIBELS = 3.0
HUM_DECIBELS = -60.0
TELEPHONE_BAND = (300.0, 3400.0)
SPEECH_BELOW_PEAK_DECIBELS = 35.0
PAUSE_IN_TURN = 0.3


@dataclass(frozen=True, slots=True)
class Conversation:
    """A recording and who really speaks when in it."""

    name: str
    pcm: NDArray[np.float32]
    turns: tuple[SpeakerTurn, ...]

    @property
    def speakers(self) -> int:
        """Number of speakers."""
        return len({turn.speaker for turn in self.turns})


def mix(voices: Sequence[NDArray[np.float32]], name: str, rng: np.random.Generator) -> Conversation:
    """Let speakers take turns in random order until each has said all of it.

    Args:
        voices: What each speaker says, mono float32 at 16 kHz.
        name: Of the conversation.
        rng: Decides on turns, pauses and levels.
    """
    levelled = [_levelled(voice, rng) for voice in voices]
    queues = [_pieces(voice, rng) for voice in levelled]
    floors = [_levels(voice).max() - SPEECH_BELOW_PEAK_DECIBELS for voice in levelled]
    parts: list[NDArray[np.float32]] = []
    turns: list[SpeakerTurn] = []
    samples, last = 0, -1
    while any(queues):
        ready = [i for i, queue in enumerate(queues) if queue]
        last = int(rng.choice([i for i in ready if i != last] or ready))
        piece = queues[last].pop(0)
        parts += [np.zeros(int(rng.uniform(*PAUSE_SECONDS) * SAMPLE_RATE), np.float32), piece]
        samples += len(parts[-2])
        turns += [
            SpeakerTurn((samples + first) / SAMPLE_RATE, (samples + end) / SAMPLE_RATE, f"voice{last}")
            for first, end in _loud(piece, floors[last])
        ]
        samples += len(piece)
    pcm = np.concatenate(parts)
    hum = rng.standard_normal(len(pcm)) * 10 ** (HUM_DECIBELS / 20)
    return Conversation(name, (pcm + hum).astype(np.float32), tuple(turns))


def through_telephone(conversation: Conversation) -> Conversation:
    """The same conversation with what a telephone carries."""
    band = butter(4, TELEPHONE_BAND, "bandpass", fs=SAMPLE_RATE, output="sos")
    pcm = sosfilt(band, conversation.pcm).astype(np.float32)
    return Conversation(conversation.name, pcm, conversation.turns)


def loud_parts(pcm: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the samples, first and end, in which speech is louder than its pauses, by level alone."""
    levels = _levels(pcm)
    return _loud(pcm, levels.max() - SPEECH_BELOW_PEAK_DECIBELS) if len(levels) else []


def _levelled(voice: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    gain = 0.1 / np.sqrt(np.mean(voice**2)) * 10 ** (rng.uniform(-1, 1) * LEVEL_DECIBELS / 20)
    return (voice * gain).astype(np.float32)


def _pieces(voice: NDArray[np.float32], rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Cut a voice into turns, each at the quietest moment near where it is due."""
    cuts = [0]
    while len(voice) - cuts[-1] > TURN_SECONDS[1] * SAMPLE_RATE:
        due = cuts[-1] + int(rng.uniform(*TURN_SECONDS) * SAMPLE_RATE)
        levels = _levels(voice[due : due + SAMPLE_RATE // 2])
        cuts.append(due + int(np.argmin(levels)) * FRAME)
    return [voice[first:end] for first, end in zip(cuts, [*cuts[1:], len(voice)], strict=True)]


def _loud(piece: NDArray[np.float32], floor: float) -> list[tuple[int, int]]:
    """Return the samples in which a turn is louder than its pauses, by level alone."""
    loud = np.flatnonzero(_levels(piece) > floor)
    if not len(loud):
        return []
    gaps = np.flatnonzero(np.diff(loud) > PAUSE_IN_TURN * SAMPLE_RATE / FRAME)
    firsts, lasts = loud[np.concatenate(([0], gaps + 1))], loud[np.concatenate((gaps, [len(loud) - 1]))]
    return [(int(first) * FRAME, (int(end) + 1) * FRAME) for first, end in zip(firsts, lasts, strict=True)]


def _levels(pcm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Level of each 10 ms in dB."""
    whole = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    return 10 * np.log10(np.mean(whole**2, axis=1) + 1e-12)
