"""Simulated meetings heard by one microphone across the room, with their true turns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.conversations import SAMPLE_RATE, Conversation, loud_parts
from models.diarization import SpeakerTurn
from training.spoof.recipe.degrade import Noise, add_noise, at_level, equalised, reverberate

Pcm = NDArray[np.float32]

RT60_SECONDS = (0.4, 0.9)
DIRECT_DECIBELS = (-9.0, 1.0)
"""Direct sound over all reflections: about what 1 to 4 m leave of a voice in such rooms."""

SNR_DECIBELS = (5.0, 15.0)
QUIETER_DECIBELS = (0.0, 15.0)
MICROPHONE_DECIBELS = 3.0
LEVEL_DBFS = (-45.0, -25.0)
NOISES: tuple[Noise, ...] = ("pink", "brown", "hum", "babble")
UTTERANCE_SECONDS = (0.6, 8.0)
GAP_SECONDS = (0.1, 0.9)
"""Mean and deviation of the silence between utterances; a negative one is overlap."""

BACK_CHANNEL_PROBABILITY = 0.3
BACK_CHANNEL_SECONDS = (0.3, 1.0)
LONG_ENOUGH = 2.0
"""Seconds; shorter utterances get no back-channel."""


@dataclass(frozen=True, slots=True)
class _Said:
    speaker: int
    start: int
    pcm: Pcm


def meeting(voices: Sequence[Pcm], name: str, seconds: float, rng: np.random.Generator) -> Conversation:
    """Let speakers take turns, overlap and acknowledge each other in one room.

    Each voice has a place of its own in the room, and a level up to 15 dB below the loudest.

    Args:
        voices: What each speaker says, mono float32 at 16 kHz, repeated as often as needed.
        name: Of the meeting.
        seconds: Its length.
        rng: Decides on everything.
    """
    length = int(seconds * SAMPLE_RATE)
    said = list(_schedule(voices, length, rng))
    rt60 = rng.uniform(*RT60_SECONDS)
    room = np.zeros(length, np.float32)
    for speaker in range(len(voices)):
        dry = np.zeros(length, np.float32)
        for part in (part for part in said if part.speaker == speaker):
            dry[part.start : part.start + len(part.pcm)] += part.pcm
        wet = reverberate(dry, rng, rt60, rng.uniform(*DIRECT_DECIBELS))
        gain = 10 ** (-rng.uniform(*QUIETER_DECIBELS) / 20) if speaker else 1.0
        room += equalised(wet, rng, MICROPHONE_DECIBELS) * np.float32(gain)
    noisy = add_noise(room, rng, float(rng.uniform(*SNR_DECIBELS)), NOISES[rng.integers(len(NOISES))])
    turns = sorted(
        (
            SpeakerTurn((part.start + first) / SAMPLE_RATE, (part.start + end) / SAMPLE_RATE, f"voice{part.speaker}")
            for part in said
            for first, end in loud_parts(part.pcm)
        ),
        key=lambda turn: (turn.start, turn.end),
    )
    return Conversation(name, at_level(noisy, float(rng.uniform(*LEVEL_DBFS))), tuple(turns))


def _schedule(voices: Sequence[Pcm], length: int, rng: np.random.Generator) -> list[_Said]:
    shares = rng.dirichlet(np.full(len(voices), 3.0))
    positions = [0] * len(voices)
    levelled = [at_level(voice, -23.0) for voice in voices]

    def say(speaker: int, start: int, seconds: float) -> _Said:
        count = min(int(seconds * SAMPLE_RATE), length - start)
        at = positions[speaker] + np.arange(count)
        positions[speaker] += count
        return _Said(speaker, start, _faded(levelled[speaker][at % len(levelled[speaker])]))

    said: list[_Said] = []
    now, last = 0, -1
    while now < length - SAMPLE_RATE:
        weights = np.where(np.arange(len(voices)) == last, 0.25 * shares, shares)
        speaker = int(rng.choice(len(voices), p=weights / weights.sum()))
        seconds = float(np.clip(rng.lognormal(0.8, 0.7), *UTTERANCE_SECONDS))
        said.append(say(speaker, now, seconds))
        if len(voices) > 1 and seconds > LONG_ENOUGH and rng.random() < BACK_CHANNEL_PROBABILITY:
            other = int(rng.choice([voice for voice in range(len(voices)) if voice != speaker]))
            start = now + int(rng.uniform(0.3, 0.8) * seconds * SAMPLE_RATE)
            if start < length - SAMPLE_RATE:
                said.append(say(other, start, rng.uniform(*BACK_CHANNEL_SECONDS)))
        gap = rng.normal(*GAP_SECONDS)
        if speaker == last or len(voices) == 1:
            gap = abs(gap)
        now = max(now + SAMPLE_RATE // 4, now + int((seconds + gap) * SAMPLE_RATE))
        last = speaker
    return said


def _faded(pcm: Pcm) -> Pcm:
    fade = min(SAMPLE_RATE // 100, len(pcm) // 2)
    faded = pcm.copy()
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        faded[:fade] *= ramp
        faded[-fade:] *= ramp[::-1]
    return faded
