"""Sessions of conversation with their messages, which expire when they are not continued."""

import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from storage.clock import utc_now
from storage.database import Connection, Database

LEASE_SECONDS = 30.0
"""Time for which a turn holds its session; ``renew`` prolongs it."""

MAX_MESSAGES = 200
"""Messages kept of a session: the newest."""

MAX_SESSIONS_PER_OWNER = 1000
MAX_REPLIES_PER_OWNER = 20
"""Replies that one owner may have under way at once."""

_ID = re.compile(r"[0-9]{14}-[a-z0-9]{8}")
_ID_ALPHABET = string.ascii_lowercase + string.digits
_ID_TRIES = 5

MessageRole = Literal["user", "assistant"]


class SessionNotFound(Exception):
    """The owner has no such session, or it has expired."""


class SessionBusy(Exception):
    """A reply of this session is under way, and there is one at a time."""


class TooManySessions(Exception):
    """The owner's limit of sessions, or of replies under way, is reached.

    Attributes:
        retry_after: Seconds after which there may be room.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation.

    Attributes:
        id: The time of creation and eight random characters, in the form of the golos API.
        language: ISO 639-1 code given at creation, None when none was.
        voice: Id of the voice given at creation, None when none was.
        last_at: Time of the last message, or of the creation.
        expires_at: Time of deletion unless another message comes.
    """

    id: str
    owner_id: int
    language: str | None
    voice: str | None
    created_at: datetime
    last_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a session; ``interrupted`` means that the reply was not heard to its end."""

    n: int
    role: MessageRole
    content: str
    interrupted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to reply in a session, until it is finished or not renewed in time."""

    session: Session
    token: UUID


_COLUMNS = "id, owner_id, language, voice, created_at, last_at, expires_at"


class Sessions:
    """The sessions of all owners; an owner never sees another's.

    Args:
        database: An open database with the current schema.
        ttl_seconds: Time from the last message to the deletion.
        max_messages: Messages kept of a session.
        max_per_owner: Sessions that one owner may have.
        max_replies_per_owner: Replies that one owner may have under way at once.
        clock: Tells the time.
    """

    def __init__(
        self,
        database: Database,
        *,
        ttl_seconds: float = 1800.0,
        max_messages: int = MAX_MESSAGES,
        max_per_owner: int = MAX_SESSIONS_PER_OWNER,
        max_replies_per_owner: int = MAX_REPLIES_PER_OWNER,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._ttl = timedelta(seconds=ttl_seconds)
        self._max_messages = max_messages
        self._max_per_owner = max_per_owner
        self._max_replies = max_replies_per_owner
        self._clock = clock

    async def create(self, owner_id: int, *, language: str | None = None, voice: str | None = None) -> Session:
        """Begin a session.

        Raises:
            TooManySessions: The owner has as many as one may have.
        """
        now = self._clock()
        async with self._database.connection() as connection:
            # Requests of one owner queue here, so that they can't pass the limit together.
            await connection.execute("SELECT id FROM users WHERE id = %s FOR NO KEY UPDATE", [owner_id])
            await self._check_room(connection, owner_id, now)
            for _try in range(_ID_TRIES):
                cursor = await connection.execute(
                    f"""
                    INSERT INTO sessions ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)
                    ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}
                    """,  # noqa: S608 - a constant
                    [_new_id(now), owner_id, language, voice, now, now, now + self._ttl],
                )
                row = await cursor.fetchone()
                if row is not None:
                    return Session(**row)
        raise RuntimeError("no free session id was found")

    async def get(self, owner_id: int, session_id: str) -> Session:
        """Return a session.

        Raises:
            SessionNotFound: The owner has no such session.
        """
        if not _ID.fullmatch(session_id):
            raise SessionNotFound
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                f"SELECT {_COLUMNS} FROM sessions WHERE id = %s AND owner_id = %s AND expires_at > %s",  # noqa: S608
                [session_id, owner_id, self._clock()],
            )
            row = await cursor.fetchone()
        if row is None:
            raise SessionNotFound
        return Session(**row)

    async def of_owner(self, owner_id: int, *, limit: int = 100) -> list[Session]:
        """Return an owner's sessions, the last used first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                f"""
                SELECT {_COLUMNS} FROM sessions WHERE owner_id = %s AND expires_at > %s
                ORDER BY last_at DESC, id DESC LIMIT %s
                """,  # noqa: S608 - a constant
                [owner_id, self._clock(), limit],
            )
            return [Session(**row) for row in await cursor.fetchall()]

    async def messages(self, owner_id: int, session_id: str, *, last: int = MAX_MESSAGES) -> list[StoredMessage]:
        """Return the newest messages of a session, oldest first.

        Raises:
            SessionNotFound: The owner has no such session.
        """
        await self.get(owner_id, session_id)
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT n, role, content, interrupted, at FROM messages WHERE session_id = %s ORDER BY n DESC LIMIT %s
                """,
                [session_id, last],
            )
            return [StoredMessage(**row) for row in reversed(await cursor.fetchall())]

    async def begin(self, owner_id: int, session_id: str) -> Turn:
        """Begin a turn: until it ends, no other reply is given in this session.

        Raises:
            SessionNotFound: The owner has no such session.
            SessionBusy: A reply is under way.
            TooManySessions: The owner has as many replies under way as one may have.
        """
        session = await self.get(owner_id, session_id)
        now, token = self._clock(), uuid4()
        async with self._database.connection() as connection:
            await self._check_replies(connection, owner_id, now)
            cursor = await connection.execute(
                """
                UPDATE sessions SET turn = %s, replying_until = %s, expires_at = greatest(expires_at, %s)
                WHERE id = %s AND owner_id = %s AND (turn IS NULL OR replying_until <= %s)
                """,
                [token, now + timedelta(seconds=LEASE_SECONDS), now + self._ttl, session.id, owner_id, now],
            )
            if not cursor.rowcount:
                raise SessionBusy
        return Turn(session, token)

    async def renew(self, turn: Turn) -> None:
        """Keep the session for a reply that is still under way."""
        now = self._clock()
        async with self._database.connection() as connection:
            await connection.execute(
                "UPDATE sessions SET replying_until = %s, expires_at = %s WHERE id = %s AND turn = %s",
                [now + timedelta(seconds=LEASE_SECONDS), now + self._ttl, turn.session.id, turn.token],
            )

    async def finish(self, turn: Turn, user: str, reply: str, *, interrupted: bool) -> None:
        """End a turn and store its messages; nothing is stored when the turn or the session is lost.

        Args:
            turn: The turn.
            user: The user's message; empty to store nothing of this turn.
            reply: The delivered part of the reply; may be empty.
            interrupted: The reply was not delivered to its end.
        """
        now = self._clock()
        said = [("user", user, False), ("assistant", reply, interrupted)]
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE sessions SET turn = NULL, replying_until = NULL, last_at = %s, expires_at = %s
                WHERE id = %s AND turn = %s
                """,
                [now, now + self._ttl, turn.session.id, turn.token],
            )
            if cursor.rowcount and user:
                await self._store(connection, turn.session.id, [row for row in said if row[1]], now)

    async def delete(self, owner_id: int, session_id: str) -> bool:
        """Erase a session with its messages; tell whether there was one."""
        if not _ID.fullmatch(session_id):
            return False
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM sessions WHERE id = %s AND owner_id = %s AND expires_at > %s",
                [session_id, owner_id, self._clock()],
            )
            return bool(cursor.rowcount)

    async def expire(self, *, limit: int = 1000) -> int:
        """Erase sessions that have expired; return how many. Harmless when several processes do it at once."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                DELETE FROM sessions WHERE id IN (
                    SELECT id FROM sessions WHERE expires_at <= %s LIMIT %s FOR UPDATE SKIP LOCKED
                )
                """,
                [self._clock(), limit],
            )
            return cursor.rowcount

    async def active(self) -> int:
        """Return how many sessions there are, of all owners."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT count(*) AS active FROM sessions WHERE expires_at > %s", [self._clock()]
            )
            (row,) = await cursor.fetchall()
            return int(row["active"])

    async def _check_room(self, connection: Connection, owner_id: int, now: datetime) -> None:
        cursor = await connection.execute(
            """
            SELECT count(*) AS sessions, min(expires_at) AS first FROM sessions WHERE owner_id = %s AND expires_at > %s
            """,
            [owner_id, now],
        )
        (row,) = await cursor.fetchall()
        if row["sessions"] >= self._max_per_owner:
            wait = (row["first"] - now).total_seconds()
            raise TooManySessions(f"There are {self._max_per_owner} sessions already; delete one.", retry_after=wait)

    async def _check_replies(self, connection: Connection, owner_id: int, now: datetime) -> None:
        cursor = await connection.execute(
            "SELECT count(*) AS replies FROM sessions WHERE owner_id = %s AND turn IS NOT NULL AND replying_until > %s",
            [owner_id, now],
        )
        (row,) = await cursor.fetchall()
        if row["replies"] >= self._max_replies:
            raise TooManySessions(f"{self._max_replies} replies are under way already.", retry_after=1.0)

    async def _store(
        self, connection: Connection, session_id: str, said: list[tuple[str, str, bool]], now: datetime
    ) -> None:
        cursor = await connection.execute(
            "SELECT coalesce(max(n), 0) AS last FROM messages WHERE session_id = %s", [session_id]
        )
        (row,) = await cursor.fetchall()
        last = int(row["last"])
        for n, (role, content, interrupted) in enumerate(said, last + 1):
            await connection.execute(
                "INSERT INTO messages (session_id, n, role, content, interrupted, at) VALUES (%s, %s, %s, %s, %s, %s)",
                [session_id, n, role, content, interrupted, now],
            )
        oldest = last + len(said) - self._max_messages
        await connection.execute("DELETE FROM messages WHERE session_id = %s AND n <= %s", [session_id, oldest])


class AssistantCounters:
    """Counters of the assistant's compatible routes, summed over all replicas.

    Args:
        database: An open database with the current schema.
        clock: Tells the time.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add(self, names: set[str]) -> None:
        """Add one to each of the counters."""
        async with self._database.connection() as connection:
            await connection.execute(
                """
                INSERT INTO assistant_counters AS old (name, value, since)
                SELECT name, 1, %s FROM unnest(%s::text[]) AS name ORDER BY name
                ON CONFLICT (name) DO UPDATE SET value = old.value + 1
                """,
                [self._clock(), sorted(names)],
            )

    async def read(self) -> tuple[dict[str, int], datetime | None]:
        """Return the sums by name, and the time of the first count; None before it."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("SELECT name, value, since FROM assistant_counters")
            rows: list[dict[str, Any]] = await cursor.fetchall()
        return {row["name"]: row["value"] for row in rows}, min((row["since"] for row in rows), default=None)


def _new_id(now: datetime) -> str:
    random = "".join(secrets.choice(_ID_ALPHABET) for _ in range(8))
    return f"{now:%Y%m%d%H%M%S}-{random}"
