"""The messages of the live protocol, as docs/live.md describes them, and the codes that a connection is closed with."""

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

MAX_AUDIO_FRAME_BYTES = 192_000
"""Largest binary frame: 2 s at 48 kHz."""

MAX_TEXT_FRAME_BYTES = 64 * 1024
MAX_KEY_LENGTH = 200


class CloseCode(IntEnum):
    """Reasons for which the service closes a connection, as WebSocket close codes."""

    DONE = 1000
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    TRY_AGAIN = 1013
    UNAUTHORIZED = 4401
    TIMEOUT = 4408


class Message(BaseModel):
    """Message of a client; nothing is converted, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Start(Message):
    """The first message: the format of both directions.

    Attributes:
        api_key: For clients that can't send headers, such as browsers.
        sample_rate: Of the audio that the client will send, in Hz.
        reply_sample_rate: Of the audio that it wants, in Hz.
        voice: Id of a voice; none: the language's first.
        speak: Whether it wants audio at all.
        partials: Whether it wants transcripts of what is still being said.
        end_of_speech_ms: The pause that ends an utterance; none: the service's own.
    """

    type: Literal["start"]
    api_key: SecretStr | None = Field(default=None, max_length=MAX_KEY_LENGTH)
    encoding: Literal["pcm_s16le"] = "pcm_s16le"
    sample_rate: int = Field(default=16_000, ge=8000, le=48_000)
    reply_encoding: Literal["pcm_s16le"] = "pcm_s16le"
    reply_sample_rate: int = Field(default=24_000, ge=8000, le=48_000)
    voice: str | None = Field(default=None, min_length=1, max_length=200)
    speak: bool = True
    partials: bool = True
    end_of_speech_ms: int | None = Field(default=None, ge=200, le=3000)


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class AssistantStart(Start):
    """Begins or resumes a conversation with the assistant.

    Attributes:
        language: ISO 639-1 code of the spoken language; none: the session's, else the service's own.
        session_id: Of a conversation to go on with; none: a new one.
    """

    language: Language | None = None
    session_id: str | None = Field(default=None, min_length=1, max_length=100)


class TranslationStart(Start):
    """Begins an interpretation.

    Attributes:
        source: ISO 639-1 code of the spoken language; none: the recogniser tells.
        target: That of the language wanted.
    """

    source: Language | None = None
    target: Language


class Commit(Message):
    """Ends the utterance now, without waiting for a pause."""

    type: Literal["commit"]


class Cancel(Message):
    """Stops what is being answered or interpreted."""

    type: Literal["cancel"]


class Text(Message):
    """A typed message to the assistant."""

    type: Literal["text"]
    text: str = Field(min_length=1, max_length=20_000)


class Ping(Message):
    """Asks for a pong; keeps a silent connection open."""

    type: Literal["ping"]


class Pong(Message):
    """Answers the service's ping of the same id."""

    type: Literal["pong"]
    id: int


class Stop(Message):
    """End of the client's audio: the service finishes what was said, then closes."""

    type: Literal["stop"]


Command = Commit | Cancel | Text | Ping | Pong | Stop

COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="type")])


class Event(BaseModel):
    """Message of the service."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ready(Event):
    """The start was accepted: audio and commands are welcome.

    Attributes:
        notices: Sentences on engines that stand in for better ones, for whoever relies on what is heard and said.
    """

    type: Literal["ready"] = "ready"
    correlation_id: str
    session_id: str | None = None
    sample_rate: int
    reply_sample_rate: int
    end_of_speech_ms: int
    max_utterance_seconds: float
    notices: tuple[str, ...] | None = None


class SpeechBegan(Event):
    """Start of speech, at ``at_ms`` of the audio sent."""

    type: Literal["speech_started"] = "speech_started"
    turn: int
    at_ms: int


class SpeechOver(Event):
    """The utterance is complete; ``forced`` if it was cut for its length."""

    type: Literal["speech_ended"] = "speech_ended"
    turn: int
    start_ms: int
    end_ms: int
    forced: bool


class TranscriptPartial(Event):
    """Words recognised of an utterance that is not over; a later event replaces them.

    Attributes:
        text: All words so far.
        stable: The beginning of ``text`` that the turn's later partial transcripts have, too; the final may differ.
    """

    type: Literal["transcript.partial"] = "transcript.partial"
    turn: int
    text: str
    stable: str


class TranscriptFinal(Event):
    """Words of an utterance; empty where none were recognised, and then nothing follows in this turn."""

    type: Literal["transcript.final"] = "transcript.final"
    turn: int
    text: str
    language: str | None


class TranslationText(Event):
    """Translation of an utterance; ``suspect`` where it does not look like a translation."""

    type: Literal["translation"] = "translation"
    turn: int
    text: str
    language: str
    suspect: bool


class ReplyTextDelta(Event):
    """A piece of the reply; joined, the pieces are the reply."""

    type: Literal["reply.text"] = "reply.text"
    turn: int
    text: str


class ReplyAudioHeader(Event):
    """Announces the binary frame that follows: mono PCM, 16 bit, little endian."""

    type: Literal["reply.audio"] = "reply.audio"
    turn: int
    sequence: int
    bytes: int
    duration_ms: float
    text: str = Field(description="The clause that begins with this audio; empty within one.")


class ReplyOver(Event):
    """The turn is over.

    Attributes:
        text: The whole reply or translation.
        spoken: Whether all of it was sent as audio.
        timings: Milliseconds since the end of the speech (a typed message: since its arrival).
        stages: Seconds that each stage was at work.
    """

    type: Literal["reply.end"] = "reply.end"
    turn: int
    text: str
    spoken: bool
    timings: dict[str, float]
    stages: dict[str, float]


class Interrupted(Event):
    """The reply was stopped: drop the audio of this turn that was not played yet.

    Attributes:
        reason: ``speech``, ``text`` or ``cancel``.
        spoken: The clauses that had begun to be heard, if the client plays audio as it comes.
        spoken_ms: How much had been heard then.
    """

    type: Literal["interrupted"] = "interrupted"
    turn: int
    reason: Literal["speech", "text", "cancel"]
    spoken: str
    spoken_ms: int


class Problem(Event):
    """Something went wrong; after a fatal error the connection is closed."""

    type: Literal["error"] = "error"
    code: str
    message: str
    fatal: bool = False
    field: str | None = None
    turn: int | None = None
    retry_after: float | None = None


class PongEvent(Event):
    """Answers the client's ping."""

    type: Literal["pong"] = "pong"


class PingEvent(Event):
    """To be answered by a pong with the same id: says how far the client has read."""

    type: Literal["ping"] = "ping"
    id: int


class Closing(Event):
    """The last event: the connection is closed with this code."""

    type: Literal["closing"] = "closing"
    code: int
    reason: str
    message: str


def encoded(event: Event) -> str:
    """Return an event as a text frame."""
    return event.model_dump_json(exclude_none=True)
