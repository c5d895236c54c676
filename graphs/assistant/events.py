"""Events of a conversation with the assistant."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Heard:
    """Result of recognising a spoken message.

    Attributes:
        text: Its words; empty for silence, and for speech in which none were made out.
        language: ISO 639-1 code, asked for or detected.
        speech: Whether somebody spoke at all.
        seconds: How long it took to find out.
    """

    text: str
    language: str
    speech: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplyText:
    """A piece of the reply, as it is written; joined, the pieces are the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """A stretch of the spoken reply.

    Attributes:
        samples: Mono float32 in [-1, 1], shape [n].
        sample_rate: In Hz; the same for the whole reply.
        text: The clause that begins here; empty for its further stretches.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    text: str


@dataclass(frozen=True, slots=True)
class SpeechFailed:
    """The reply can't be spoken, or no further; its text still comes. ``reason`` is a sentence for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReplyEnd:
    """The reply is over and kept in the session: the next turn may begin.

    Attributes:
        text: The whole reply, without white space around it.
        timings: Seconds: ``chat_first_token`` and ``tts_first_audio`` since the turn began, ``chat`` and ``tts`` at
            work, ``total``.
    """

    text: str
    timings: dict[str, float]


ReplyEvent = ReplyText | ReplyAudio | SpeechFailed | ReplyEnd
