"""Protocols, inputs and results of speech synthesis."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Gender = Literal["female", "male"]
Quality = Literal["natural", "good", "robotic"]
QUALITIES: tuple[Quality, ...] = ("natural", "good", "robotic")
"""From the best: ``natural`` is close to a recording of a person, ``good`` is clear with artefacts that one hears,
``robotic`` is intelligible and no more."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that an engine can speak with.

    Attributes:
        id: What a request calls it; unique within the engine.
        name: What a person calls it.
        languages: Codes of the languages that it speaks, its own first; BCP 47, lower case (``en``, ``en-gb``, ``zh``).
        model: Which of the engine's models it needs; voices that share one are loaded together.
        sample_rate: Of its speech, in Hz.
        gender: Where the engine says it.
        clones: Whether it takes on the sound of a reference speaker.
        engine: Name of the engine that speaks with it.
        quality: How it sounds; see ``QUALITIES``.
        reads_digits: Whether its model reads numbers and symbols itself; otherwise they are spelled out for it.
        stress_marks: Whether its model takes ``+`` before the stressed vowel of a Russian word.
    """

    id: str
    name: str
    languages: tuple[str, ...]
    model: str
    sample_rate: int
    gender: Gender | None = None
    clones: bool = False
    engine: str = ""
    quality: Quality = "good"
    reads_digits: bool = False
    stress_marks: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A speaker to sound like: speech, an embedding, or both.

    Attributes:
        pcm: Mono float32 at 16 kHz, shape [samples].
        embedding: float32[D], as the speaker role's engine ``encoder`` makes it.
        encoder: The name of that engine.
    """

    pcm: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    encoder: str = ""


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A stretch of synthetic speech; chunks follow each other without a gap.

    Attributes:
        samples: Mono float32 in [-1, 1], shape [n].
        sample_rate: In Hz; the same for all chunks of one synthesis.
        text: The clause that begins with this chunk, as it was asked for; empty for its further chunks.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    text: str = ""


class SpeechModel(Protocol):
    """A loaded model of an engine. Safe to call from several threads at once."""

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause.

        Args:
            clause: Normalised text of one clause, not empty; a ``+`` before a vowel of a Russian word marks its stress
                if the voice takes such marks.
            voice: One of the engine's voices that needs this model.
            language: One of the voice's languages.
            speed: 1.0 is the voice's own; 0.25 to 4.
            reference: Whom to sound like; None for a voice that does not clone.

        Yields:
            Mono float32 in [-1, 1] at the voice's rate, shape [n], in one piece or several.

        Raises:
            InputError: The reference can't be used (field ``reference``).
        """
        ...


class SpeechEngine(Protocol):
    """A speech synthesiser: voices, and the models behind them."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default of each language before its others."""
        ...

    def load(self, model: str) -> SpeechModel:
        """Load the model that a voice names.

        Raises:
            MissingWeights: It is not on this machine.
        """
        ...
