"""The live application over roles that need no model: how loud the speech is says which words it has."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import anyio
import numpy as np
import pytest
from fake_roles import FakeAsr, FakeChat, FakeSpeech, FakeTranslation, find_speech, last_message, said
from fake_roles.speech import lasting
from fastapi import FastAPI
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from starlette.testclient import WebSocketTestSession
from structlog.testing import capture_logs

from graphs.assistant.graph import AssistantGraph
from graphs.common.config import AssistantSettings, LiveSettings
from graphs.http.compat.lingua.live import LazyLiveServer
from graphs.http.observability.live_metrics import RayLiveMetrics
from graphs.http.server.correlation import CorrelationMiddleware
from graphs.http.server.live import MountPointMiddleware, router
from graphs.live.server import LiveServer
from graphs.translation.graph import SpeechTranslationGraph
from graphs.translation.text import TranslationGraph
from models.audio import SAMPLE_RATE
from models.speech import Voice
from models.vad.silero import FRAME
from models.vad.streaming import Samples
from storage.sessions import Session, SessionNotFound, StoredMessage, Turn
from storage.users import User


@pytest.fixture
def no_logs() -> Iterator[None]:
    """Keep the errors that a test provokes out of its output."""
    with capture_logs():
        yield


OWNERS = {"first-key": 1, "second-key": 2}
WORDS = {1: "hello there", 2: "how are you", 3: "goodbye now", 4: ""}
VOICE = Voice("fake", "Fake", ("en", "es"), "fake", 22_050)
PAUSE = 0.5
WAIT_S = 10.0
"""Longest wait for what the service is to send next."""


def voiced(words: int, seconds: float = 0.6) -> NDArray[np.float32]:
    return said(words, seconds)


def sounding(data: bytes, sample_rate: int) -> float:
    """Seconds of PCM that are not silent."""
    return float(np.count_nonzero(np.frombuffer(data, "<i2"))) / sample_rate


def pcm(samples: NDArray[np.float32]) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


class ByLoudness:
    """A frame is speech if it is not silent."""

    def __init__(self) -> None:
        self.rest = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> Samples:
        samples = np.concatenate((self.rest, samples))
        count = len(samples) // FRAME
        self.rest = samples[count * FRAME :]
        return (np.abs(samples[FRAME // 2 : count * FRAME : FRAME]) > 0.005).astype(np.float32)


class FakeSessions:
    """The sessions of all owners, in memory."""

    def __init__(self) -> None:
        self.sessions: dict[tuple[int, str], Session] = {}
        self.kept: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)

    async def create(self, owner_id: int, *, language: str | None = None, voice: str | None = None) -> Session:
        now = datetime.now(UTC)
        session = Session(f"session-{len(self.sessions) + 1}", owner_id, language, voice, now, now, now)
        self.sessions[owner_id, session.id] = session
        return session

    async def get(self, owner_id: int, session_id: str) -> Session:
        try:
            return self.sessions[owner_id, session_id]
        except KeyError:
            raise SessionNotFound from None

    async def messages(self, owner_id: int, session_id: str, *, last: int) -> list[StoredMessage]:
        now = datetime.now(UTC)
        rows = [
            StoredMessage(n, role, content, interrupted, now)  # type: ignore[arg-type]
            for n, (role, content, interrupted) in enumerate(self.kept[session_id], 1)
        ]
        return rows[-last:] if last else []

    async def begin(self, owner_id: int, session_id: str) -> Turn:
        return Turn(await self.get(owner_id, session_id), uuid4())

    async def renew(self, turn: Turn) -> None: ...

    async def finish(self, turn: Turn, user: str, reply: str, *, interrupted: bool) -> None:
        if user:
            self.kept[turn.session.id] += [("user", user, False), ("assistant", reply, interrupted)]


@dataclass
class LiveSystem:
    """The application and everything behind it."""

    asr: FakeAsr = field(default_factory=lambda: FakeAsr(WORDS))
    chat: FakeChat = field(
        default_factory=lambda: FakeChat("You said: ", lambda messages: f"{last_message(messages)}. ", "Is that so?")
    )
    speech: FakeSpeech = field(default_factory=lambda: FakeSpeech(VOICE, pieces=lasting(0.1)))
    sessions: FakeSessions = field(default_factory=FakeSessions)
    settings: dict[str, Any] = field(default_factory=dict)
    start_seconds: float = 10.0

    def __post_init__(self) -> None:
        self.app = FastAPI()
        self.app.include_router(router)
        self.app.add_middleware(MountPointMiddleware)
        self.app.add_middleware(CorrelationMiddleware)

    def open(self) -> None:
        """Let clients in."""
        sessions: Any = self.sessions
        assistant = AssistantGraph(
            self.asr, self.speech, self.chat, sessions, AssistantSettings(), find_speech=find_speech
        )
        self.live_server = self.app.state.live_server = LiveServer(
            settings=LiveSettings(**self.settings),
            authenticate=self.authenticate,
            new_scorer=ByLoudness,
            assistant=assistant,
            translation=SpeechTranslationGraph(self.asr, TranslationGraph(FakeTranslation()), self.speech, find_speech),
            find_speaker=assistant.find_speaker,
            metrics=RayLiveMetrics(),
            start_seconds=self.start_seconds,
        )
        self.app.state.lazy_live_server = LazyLiveServer(self._live_server)

    async def _live_server(self) -> LiveServer:
        return self.live_server

    @contextmanager
    def running(self) -> Iterator[TestClient]:
        self.open()
        with TestClient(self.app) as client:
            yield client

    @staticmethod
    async def authenticate(key: str) -> User | None:
        owner = OWNERS.get(key)
        return None if owner is None else User(owner, key, "", datetime.now(UTC))


class Caller:
    """A client at the other end of a WebSocket."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket
        self.audio: dict[int, bytes] = defaultdict(bytes)

    def send(self, type: str, **fields: Any) -> None:
        self.socket.send_text(json.dumps({"type": type, **fields}))

    def say(self, words: int, *, pause: bool = True) -> None:
        """Speak, in frames of 100 ms; with the pause that ends an utterance."""
        samples = voiced(words)
        if pause:
            samples = np.concatenate((samples, np.zeros(round((PAUSE + 0.1) * SAMPLE_RATE), np.float32)))
        self.play(pcm(samples))

    def play(self, data: bytes, size: int = 3200) -> None:
        for first in range(0, len(data), size):
            self.socket.send_bytes(data[first : first + size])

    def message(self) -> dict[str, Any]:
        """Return what the service sends next, within ``WAIT_S``."""

        async def received() -> Any:
            with anyio.fail_after(WAIT_S):
                return await self.socket._send_rx.receive()

        message: dict[str, Any] = self.socket.portal.call(received)
        return message

    def event(self) -> dict[str, Any]:
        """Return the next event; the audio that it announces is kept."""
        message = self.message()
        self.socket._raise_on_close(message)
        event: dict[str, Any] = json.loads(message["text"])
        if event["type"] == "reply.audio":
            audio = self.message()["bytes"]
            assert len(audio) == event["bytes"]
            self.audio[event["turn"]] += audio
        if event["type"] == "ping":
            self.send("pong", id=event["id"])
            return self.event()
        return event

    def until(self, type: str) -> list[dict[str, Any]]:
        """Return the events up to the next one of this type."""
        events = [self.event()]
        while events[-1]["type"] != type:
            assert events[-1]["type"] != "closing", events
            events.append(self.event())
        return events

    def closed(self) -> tuple[int, str]:
        """Return the code and reason that the connection ends with, whatever comes before."""
        while True:
            message = self.message()
            if message["type"] == "websocket.close":
                return message["code"], message["reason"]


@contextmanager
def calling(
    client: TestClient, path: str = "/", *, key: str = "first-key", start: bool = True, **fields: Any
) -> Iterator[Caller]:
    """Connect, start, and take the answer to it off."""
    with client.websocket_connect(path, headers={"X-API-Key": key}) as socket:
        caller = Caller(socket)
        if start:
            caller.send("start", **fields)
            caller.until("ready")
        yield caller


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]
