"""Live translation in lingua's protocol: /stream."""

import asyncio
import base64
import io
import wave
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.live import presented_key
from graphs.live.protocol import (
    MAX_KEY_LENGTH,
    Command,
    Event,
    Interrupted,
    Language,
    Problem,
    ReplyAudioHeader,
    ReplyOver,
    TranscriptFinal,
    TranslationStart,
    TranslationText,
)
from graphs.live.serializers import Frame, parsed
from graphs.live.server import LiveServer
from models.errors import InputError

router = APIRouter(tags=["lingua"])

REPLY_SAMPLE_RATE = 22_050


class _Config(BaseModel):
    """The first message."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["config"]
    src_lang: Language
    tgt_lang: Language
    api_key: str | None = Field(default=None, max_length=MAX_KEY_LENGTH)


class _AudioFrame(BaseModel):
    """A stretch of 16-bit PCM."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["audio_frame"]
    data: str
    timestamp_ms: Annotated[int, Field(ge=0)] = 0
    sample_rate: Literal[16000] = 16000
    channels: Literal[1] = 1


_CONFIG = TypeAdapter(_Config)
_AUDIO_FRAME = TypeAdapter(_AudioFrame)


class _Utterance(BaseModel):
    """Message for one utterance; ``audio`` is a WAV file in base64."""

    transcript: str
    translation: str = ""
    audio: str | None = None


class LinguaSerializer:
    """Serializer of lingua's protocol: an utterance's transcript, translation and speech in one JSON message."""

    pinged = False

    def __init__(self) -> None:
        self._transcripts: dict[int, str] = {}
        self._translations: dict[int, str] = {}
        self._audio: dict[int, bytes] = defaultdict(bytes)

    def start(self, frame: Frame) -> TranslationStart:
        """Read the config."""
        config = parsed(_CONFIG, _text(frame))
        return TranslationStart.model_validate(
            {
                "type": "start",
                "api_key": config.api_key,
                "source": config.src_lang,
                "target": config.tgt_lang,
                "reply_sample_rate": REPLY_SAMPLE_RATE,
                "partials": False,
            },
            strict=False,
        )

    def message(self, frame: Frame) -> bytes | Command:
        """Read an audio frame."""
        audio = parsed(_AUDIO_FRAME, _text(frame))
        try:
            return base64.b64decode(audio.data, validate=True)
        except ValueError as error:
            raise InputError("invalid_base64", "data: is not base64", field="data") from error

    def frames(self, event: Event, audio: bytes | None) -> tuple[Frame, ...]:
        """Gather an utterance's events; return its message at its end."""
        match event:
            case TranscriptFinal():
                if event.text:
                    self._transcripts[event.turn] = event.text
            case TranslationText():
                self._translations[event.turn] = event.text
            case ReplyAudioHeader() if audio is not None:
                self._audio[event.turn] += audio
            case ReplyOver():
                return (self._utterance(event.turn),)
            case Interrupted():
                self._utterance(event.turn)
            case Problem():
                return (event.model_dump_json(include={"type", "code", "message"}),)
        return ()

    def _utterance(self, turn: int) -> str:
        pcm = self._audio.pop(turn, b"")
        utterance = _Utterance(
            transcript=self._transcripts.pop(turn, ""),
            translation=self._translations.pop(turn, ""),
            audio=base64.b64encode(_wav(pcm)).decode() if pcm else None,
        )
        return utterance.model_dump_json(exclude_none=True)


class LazyLiveServer:
    """The ingress's live server, made for its first live client: most ingresses never have one.

    Args:
        make: Makes it; loads the speech detector.
    """

    def __init__(self, make: Callable[[], Awaitable[LiveServer]]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self._live_server: LiveServer | None = None

    async def get(self) -> LiveServer:
        """Return the live server."""
        async with self._lock:
            if self._live_server is None:
                self._live_server = await self._make()
        return self._live_server

    def close(self) -> None:
        """Close the connections, if there are any. Call it in the event loop."""
        if self._live_server is not None:
            self._live_server.close()


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Interpret live speech."""
    on_demand: LazyLiveServer = socket.app.state.lazy_live_server
    live_server = await on_demand.get()
    await live_server.interpret(socket, presented_key(socket), correlation_id_of(socket), LinguaSerializer())


def _text(frame: Frame) -> str:
    if isinstance(frame, bytes):
        raise InputError("text_expected", "Messages are JSON in text frames.", field="type")
    return frame


def _wav(pcm: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(REPLY_SAMPLE_RATE)
        file.writeframes(pcm)
    return buffer.getvalue()
