"""Replies of the assistant as responses: gathered into one body, or as server-sent events while they are made."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi import Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from numpy.typing import NDArray

from graphs.assistant.events import Heard, ReplyAudio, ReplyEnd, ReplyEvent, ReplyText, SpeechFailed
from graphs.common.errors import as_api_error
from models.audio.encoding import AudioFormat, SyntheticMark, encode

EVENT_STREAM = "text/event-stream"
MARK = SyntheticMark("VoiceGraph", "assistant")


def as_base64(data: bytes) -> str:
    """Return bytes as JSON carries them."""
    return base64.b64encode(data).decode()


def as_pcm16(samples: NDArray[np.float32]) -> bytes:
    """Return float samples, [-1, 1], as signed 16-bit ones, little-endian."""
    return np.rint(np.clip(np.nan_to_num(samples), -1.0, 1.0) * 32767).astype("<i2").tobytes()


@dataclass
class Gathered:
    """A whole reply.

    Attributes:
        text: What is said.
        sample_rate: Of the samples, in Hz; 0 where nothing was spoken.
        speech_error: Why nothing was spoken, or not all.
        timings: Seconds by stage.
    """

    text: str = ""
    samples: list[NDArray[np.float32]] = field(default_factory=list)
    sample_rate: int = 0
    speech_error: str | None = None
    timings: dict[str, float] = field(default_factory=dict)

    def add(self, event: ReplyEvent) -> None:
        """Take the next event."""
        match event:
            case ReplyAudio():
                self.samples.append(event.samples)
                self.sample_rate = event.sample_rate
            case SpeechFailed():
                self.speech_error = event.reason
            case ReplyEnd():
                self.text, self.timings = event.text, event.timings
            case ReplyText():
                pass

    async def encoded(self, format: AudioFormat = "wav") -> bytes:
        """Return the speech as a file; empty where there is none."""
        if not self.samples:
            return b""
        return await asyncio.to_thread(encode, self.samples, format, self.sample_rate, tags=MARK)


async def gather(events: AsyncGenerator[ReplyEvent, None]) -> Gathered:
    """Wait for a whole reply."""
    reply = Gathered()
    async with aclosing(events):
        async for event in events:
            reply.add(event)
    return reply


def wants_events(request: Request) -> bool:
    """Tell whether the client asks for server-sent events."""
    return EVENT_STREAM in request.headers.get("accept", "").lower()


async def event_stream(events: AsyncGenerator[ReplyEvent, None], heard: Heard | None = None) -> StreamingResponse:
    """Begin to answer with events; what is wrong with the request is raised before the response begins."""
    try:
        first = await anext(events)
    except BaseException:
        await events.aclose()
        raise
    return StreamingResponse(
        _lines(first, events, heard), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"}
    )


async def _lines(
    first: ReplyEvent, rest: AsyncGenerator[ReplyEvent, None], heard: Heard | None
) -> AsyncIterator[bytes]:
    extra = {"stt": heard.seconds} if heard is not None else {}
    async with aclosing(rest):
        try:
            if heard is not None:
                yield _line("heard", {"text": heard.text, "language": heard.language})
            yield _rendered(first, extra)
            async for event in rest:
                yield _rendered(event, extra)
        except Exception as error:
            translated = as_api_error(error)
            yield _line(
                "error", {"code": translated.code, "detail": translated.detail, "retry_after": translated.retry_after}
            )


def _rendered(event: ReplyEvent, timings: dict[str, float]) -> bytes:
    match event:
        case ReplyText():
            return _line("text", {"text": event.text})
        case ReplyAudio():
            pcm = as_base64(as_pcm16(event.samples))
            return _line("audio", {"text": event.text, "sample_rate": event.sample_rate, "pcm16": pcm})
        case SpeechFailed():
            return _line("speech_failed", {"reason": event.reason})
        case ReplyEnd():
            return _line("end", {"text": event.text, "timings": {**timings, **event.timings}})


def _line(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))
