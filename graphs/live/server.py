"""Live connections of one replica: authentication, limits per owner, and their end when the replica stops."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from starlette.websockets import WebSocket

from deployments.errors import RoleUnavailable
from graphs.assistant.graph import AssistantGraph, FindSpeaker
from graphs.common.concurrency import root_cause
from graphs.common.config import LiveSettings
from graphs.common.engines import engines_behind, notices_of
from graphs.common.roles import Role
from graphs.live.assistant import AssistantSession, open_session
from graphs.live.close import ClientDisconnected, ConnectionClosed
from graphs.live.connection import START_SECONDS, Connection
from graphs.live.protocol import MAX_KEY_LENGTH, AssistantStart, CloseCode, Ready, Start, TranslationStart
from graphs.live.recognition import ActiveRecognitions
from graphs.live.serializers import LiveSerializer, Serializer, StartT
from graphs.live.session import LiveSession
from graphs.live.speech_events import NewScorer, SpeechEventDetector, endpoint_settings
from graphs.live.translation import TranslationSession
from graphs.translation.graph import SpeechTranslationGraph
from models.errors import InputError
from models.facts import engine_in_use
from storage.database import DatabaseUnavailable
from storage.sessions import SessionNotFound, TooManySessions
from storage.users import User

_log = structlog.get_logger()

Authenticate = Callable[[str], Awaitable[User | None]]
OpenSession = Callable[[Connection[StartT], StartT, User], Awaitable[LiveSession[StartT]]]

_RESTART = ConnectionClosed(CloseCode.RESTART, "restart", "This part of the service restarts; connect again.")
# Status of a connection whose client left without closing it.
_GONE = "gone"


class LiveMetrics(Protocol):
    """Metrics of the connections of one replica."""

    def connection(self) -> AbstractContextManager[None]:
        """Count a connection as open for the length of the block."""
        ...

    def ended(self, reason: str) -> None:
        """Count the end of a connection."""
        ...


@dataclass
class LiveServer:
    """Serves live connections.

    Attributes:
        settings: Their limits.
        authenticate: Returns the owner of an API key, if there is one.
        new_scorer: Makes the speech detector of one connection.
        assistant: Answers.
        translation: Interprets.
        find_speaker: Finds who is meant by the name of a voice.
        metrics: Counts connections.
        load: Recognitions under way.
        start_seconds: Time that a client has for its first message.
    """

    settings: LiveSettings
    authenticate: Authenticate
    new_scorer: NewScorer
    assistant: AssistantGraph
    translation: SpeechTranslationGraph
    find_speaker: FindSpeaker
    metrics: LiveMetrics
    load: ActiveRecognitions = field(default_factory=ActiveRecognitions)
    start_seconds: float = START_SECONDS
    _owners: Counter[int] = field(default_factory=Counter)
    _connections: set[Connection[Any]] = field(default_factory=set)
    _closing: bool = False

    async def converse(self, socket: WebSocket, key: str, correlation_id: str) -> None:
        """Serve a client of the assistant until the connection is closed.

        Args:
            socket: Its WebSocket, not yet accepted.
            key: The API key in its headers; empty where there is none.
            correlation_id: For log lines and the client.
        """

        async def open_conversation(
            connection: Connection[AssistantStart], start: AssistantStart, owner: User
        ) -> LiveSession[AssistantStart]:
            session_id = await open_session(self.assistant, owner.id, start)
            graph = self.assistant
            notices = await _notices(graph.asr, graph.speech if start.speak else None)
            notices += notices_of([engine_in_use("chat", graph.settings.chat)])
            connection.send(self._ready(start, correlation_id, session_id, notices))
            return AssistantSession(
                connection,
                self._detector(start),
                start,
                graph=self.assistant,
                owner_id=owner.id,
                session_id=session_id,
                correlation_id=correlation_id,
                load=self.load,
            )

        await self._serve(socket, LiveSerializer(AssistantStart), key, open_conversation)

    async def interpret(
        self, socket: WebSocket, key: str, correlation_id: str, serializer: Serializer[TranslationStart] | None = None
    ) -> None:
        """Serve a client of the interpreter until the connection is closed.

        Args:
            socket: Its WebSocket, not yet accepted.
            key: The API key in its headers; empty where there is none.
            correlation_id: For log lines and the client.
            serializer: The dialect that it speaks; none: docs/live.md.
        """

        async def open_interpretation(
            connection: Connection[TranslationStart], start: TranslationStart, owner: User
        ) -> LiveSession[TranslationStart]:
            await self.translation.check_pair(start.source, start.target)
            speaker = await self.find_speaker(owner.id, start.voice, start.target) if start.speak else None
            graph = self.translation
            notices = await _notices(graph.asr, graph.translation.role, graph.speech if start.speak else None)
            connection.send(self._ready(start, correlation_id, None, notices))
            return TranslationSession(
                connection,
                self._detector(start),
                start,
                graph=self.translation,
                speaker=speaker,
                correlation_id=correlation_id,
                load=self.load,
            )

        await self._serve(socket, serializer or LiveSerializer(TranslationStart), key, open_interpretation)

    def close(self) -> None:
        """Close all connections, and let nobody in: the replica goes. Call it in the event loop."""
        self._closing = True
        for connection in self._connections:
            connection.end(_RESTART)

    def _detector(self, start: Start) -> SpeechEventDetector:
        return SpeechEventDetector(start.sample_rate, self.new_scorer(), endpoint_settings(start, self.settings))

    def _ready(self, start: Start, correlation_id: str, session_id: str | None, notices: tuple[str, ...]) -> Ready:
        return Ready(
            correlation_id=correlation_id,
            session_id=session_id,
            sample_rate=start.sample_rate,
            reply_sample_rate=start.reply_sample_rate,
            end_of_speech_ms=start.end_of_speech_ms or self.settings.end_of_speech_ms,
            max_utterance_seconds=self.settings.max_utterance_seconds,
            notices=notices or None,
        )

    async def _serve(
        self, socket: WebSocket, serializer: Serializer[StartT], key: str, opened: OpenSession[StartT]
    ) -> None:
        await socket.accept()
        connection = Connection(socket, serializer, self.settings, start_seconds=self.start_seconds)
        self._connections.add(connection)
        if self._closing:
            connection.end(_RESTART)
        closed: ConnectionClosed | None = None
        try:
            with self.metrics.connection():
                await self._run(connection, key, opened)
        except BaseExceptionGroup as failures:
            closed = _close_reason(root_cause(failures))
        except Exception as error:
            closed = _close_reason(error)
        finally:
            self._connections.discard(connection)
            reason = closed.reason if closed else _GONE
            self.metrics.ended(reason)
            _log.info("live connection ended", reason=reason)
            await connection.close(closed)

    async def _run(self, connection: Connection[StartT], key: str, opened: OpenSession[StartT]) -> None:
        owner = await self._owner(key) if key else None
        start = await connection.start()
        if owner is None:
            owner = await self._owner(start.api_key.get_secret_value() if start.api_key else "")
        with self._place(owner):
            session = await self._opened(connection, start, owner, opened)
            await session.run()

    async def _opened(
        self, connection: Connection[StartT], start: StartT, owner: User, opened: OpenSession[StartT]
    ) -> LiveSession[StartT]:
        """Return the session; a client that asked for what there is not may ask again."""
        while True:
            try:
                return await opened(connection, start, owner)
            except (InputError, SessionNotFound, TooManySessions) as error:
                connection.fault(error)
            start = await connection.start()

    async def _owner(self, key: str) -> User:
        if not key:
            raise ConnectionClosed(
                CloseCode.UNAUTHORIZED, "missing_key", "Send the API key as a header or in the start's api_key."
            )
        owner = await self.authenticate(key) if len(key) <= MAX_KEY_LENGTH else None
        if owner is None:
            raise ConnectionClosed(CloseCode.UNAUTHORIZED, "invalid_key", "Invalid API key.")
        return owner

    @contextmanager
    def _place(self, owner: User) -> Iterator[None]:
        """Count a connection of an owner for the length of the block."""
        limit = self.settings.max_connections_per_owner
        if self._owners[owner.id] >= limit:
            raise ConnectionClosed(
                CloseCode.TRY_AGAIN, "too_many_connections", f"You have {limit} connections open; that's all."
            )
        self._owners[owner.id] += 1
        try:
            yield
        finally:
            self._owners[owner.id] -= 1
            if not self._owners[owner.id]:
                del self._owners[owner.id]


async def _notices(*roles: Role | None) -> tuple[str, ...]:
    """Return the sentences on the engines of roles; none where a role can't be reached, which its first call says."""
    try:
        return (await engines_behind({str(n): role for n, role in enumerate(roles) if role is not None})).notices
    except RoleUnavailable:
        return ()


def _close_reason(error: BaseException) -> ConnectionClosed | None:
    """Return what to tell a client whose connection ended by an error; None where it is gone."""
    match error:
        case ConnectionClosed():
            return error
        case ClientDisconnected():
            return None
        case DatabaseUnavailable():
            return ConnectionClosed(CloseCode.TRY_AGAIN, "storage_unavailable", "Storage can't be reached; try again.")
        case RoleUnavailable():
            return ConnectionClosed(
                CloseCode.TRY_AGAIN, "role_unavailable", "The models have too much to do; try again."
            )
    _log.error("a live connection failed", exc_info=error)
    return ConnectionClosed(
        CloseCode.INTERNAL, "internal", "The service failed; its operators find this by the correlation id."
    )
