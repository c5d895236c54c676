"""Protocol and results of speech recognition."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word.

    Attributes:
        text: The word as written, without surrounding white space.
        start: Seconds from the start of the recording.
        end: Seconds from the start of the recording.
        probability: The engine's posterior in [0, 1], or None where it gives none.
    """

    text: str
    start: float
    end: float
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of recognised speech.

    Attributes:
        start: Seconds from the start of the recording.
        end: Seconds from the start of the recording.
        text: The words as written.
        words: In order of time; empty where the engine gives no word times.
        language: ISO 639-1 code, None where the engine tells the recording's only.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Transcription:
    """A recognition in progress.

    Attributes:
        language: ISO 639-1 code, asked for or detected: the one that most is spoken in.
        segments: Yields segments in order of time as they are recognised; can be read once.
    """

    language: str
    segments: Iterator[Segment]


class Asr(Protocol):
    """A speech recogniser. Safe to call from several threads at once."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that ``transcribe`` may be asked for: ISO 639-1, or 639-3 where it has none."""
        ...

    def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        """Check what ``transcribe`` may be told.

        Raises:
            InputError: The engine takes no such hints (code ``unsupported_option``) or not this much (``too_long``);
                the field is ``hotwords`` or ``prompt``.
        """
        ...

    def transcribe(
        self,
        pcm: NDArray[np.float32],
        *,
        language: str | None = None,
        hotwords: str | None = None,
        prompt: str | None = None,
    ) -> Transcription:
        """Recognise speech.

        Args:
            pcm: Mono float32 in [-1, 1] at 16 kHz, shape [samples]; never written to (it may be read-only).
            language: ISO 639-1 code, or None to let the engine choose (detection, or its only language).
            hotwords: Names and terms to expect, or None for those of the engine's settings.
            prompt: Text whose spelling and style the transcript goes on with, or None likewise.

        Raises:
            InputError: The engine does not know the language (code ``unsupported_language``, field ``language``;
                the message lists the languages it has); or ``check_hints`` refuses the hints.
        """
        ...
