"""Users and their API keys."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from storage.avatars import avatars_prefix
from storage.clock import utc_now
from storage.database import Connection, Database
from storage.jobs.transitions import erase
from storage.names import checked_name
from storage.voices import voices_prefix

_KEY_PREFIX = "vg_"
# 24 random bytes are 192 bits: the hash needs no salt and no stretching.
_KEY_BYTES = 24
_SHOWN_CHARACTERS = 10
_SHORTEST_KEY = 16
_CACHE_SECONDS = 3.0
_CACHE_SIZE = 4096


@dataclass(frozen=True)
class User:
    """A user, with the beginning of the newest valid API key (empty when there is none)."""

    id: int
    name: str
    key_prefix: str
    created_at: datetime


@dataclass(frozen=True)
class NewUser:
    """A user just made, with the API key in plain text: it is stored hashed and can't be shown again."""

    id: int
    name: str
    api_key: str


# Inside Users, `list` is the method.
_UserList = list[User]
_Keys = list[str]


class Users:
    """Users and their API keys.

    Args:
        database: An open database with the current schema.
        clock: Tells the time.
        monotonic: Measures spans of time, in seconds.
        cache_seconds: How long an accepted key is accepted without asking the database; a deleted user's key is
            refused after that time at the latest.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        cache_seconds: float = _CACHE_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._cache_seconds = cache_seconds
        self._accepted: dict[bytes, tuple[User, float]] = {}

    async def create(self, name: str) -> NewUser:
        """Add a user with a new API key.

        Raises:
            ValueError: The name is not 1 to 100 printable characters.
        """
        name = checked_name(name)
        key = _KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        async with self._database.connection() as connection:
            user_id = await _insert_user(connection, name, self._clock())
            await _insert_key(connection, user_id, key, self._clock())
        return NewUser(id=user_id, name=name, api_key=key)

    async def list(self) -> _UserList:
        """Return all users, in the order in which they were added."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT DISTINCT ON (users.id) users.id, users.name, coalesce(api_keys.prefix, '') AS key_prefix,
                       users.created_at
                FROM users
                LEFT JOIN api_keys ON api_keys.user_id = users.id AND api_keys.revoked_at IS NULL
                ORDER BY users.id, api_keys.id DESC
                """
            )
            return [User(**row) for row in await cursor.fetchall()]

    async def delete(self, user_id: int) -> _Keys | None:
        """Delete a user with all keys, jobs, voices and avatars; running jobs are cancelled.

        Returns:
            Keys of the objects that belonged to them, for the caller to delete; one that ends in ``/`` is a prefix.
            None when there is no such user.
        """
        async with self._database.connection() as connection:
            # The lock keeps new jobs of this user out until it is gone.
            cursor = await connection.execute("SELECT id FROM users WHERE id = %s FOR UPDATE", [user_id])
            if await cursor.fetchone() is None:
                return None
            cursor = await connection.execute("SELECT id FROM jobs WHERE owner_id = %s", [user_id])
            ids = [row["id"] for row in await cursor.fetchall()]
            objects = await erase(connection, ids, self._clock())
            await connection.execute("DELETE FROM users WHERE id = %s", [user_id])
        self._accepted = {key: entry for key, entry in self._accepted.items() if entry[0].id != user_id}
        return [*objects, voices_prefix(user_id), avatars_prefix(user_id)]

    async def authenticate(self, key: str) -> User | None:
        """Return the user with this API key; None when no user has it.

        Raises:
            DatabaseUnavailable: It can't be looked up.
        """
        digest = _hash(key)
        now = self._monotonic()
        cached = self._accepted.get(digest)
        if cached is not None and now < cached[1]:
            return cached[0]
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT users.id, users.name, api_keys.prefix AS key_prefix, users.created_at
                FROM api_keys JOIN users ON users.id = api_keys.user_id
                WHERE api_keys.key_hash = %s AND api_keys.revoked_at IS NULL
                """,
                [digest],
            )
            row = await cursor.fetchone()
        if row is None:
            self._accepted.pop(digest, None)
            return None
        if len(self._accepted) >= _CACHE_SIZE:
            self._accepted.clear()
        user = User(**row)
        self._accepted[digest] = (user, now + self._cache_seconds)
        return user

    async def ensure_bootstrap(self, name: str, key: str) -> User:
        """Make a given key valid, adding a user for it when there is none; safe to repeat.

        Raises:
            ValueError: The name or the key is not acceptable (a key has at least 16 characters).
        """
        name = checked_name(name)
        if len(key) < _SHORTEST_KEY:
            raise ValueError(f"an API key needs at least {_SHORTEST_KEY} characters")
        try:
            async with self._database.connection() as connection:
                if not await _revive_key(connection, key):
                    user_id = await _insert_user(connection, name, self._clock())
                    await _insert_key(connection, user_id, key, self._clock())
        except psycopg.errors.UniqueViolation:
            pass  # another process added the same key at the same moment
        user = await self.authenticate(key)
        if user is None:
            raise RuntimeError("the bootstrap key was removed at the same moment")
        return user


async def _insert_user(connection: Connection, name: str, now: datetime) -> int:
    cursor = await connection.execute("INSERT INTO users (name, created_at) VALUES (%s, %s) RETURNING id", [name, now])
    (row,) = await cursor.fetchall()
    return int(row["id"])


async def _insert_key(connection: Connection, user_id: int, key: str, now: datetime) -> None:
    await connection.execute(
        "INSERT INTO api_keys (user_id, key_hash, prefix, created_at) VALUES (%s, %s, %s, %s)",
        [user_id, _hash(key), key[:_SHOWN_CHARACTERS], now],
    )


async def _revive_key(connection: Connection, key: str) -> bool:
    cursor = await connection.execute("UPDATE api_keys SET revoked_at = NULL WHERE key_hash = %s", [_hash(key)])
    return cursor.rowcount > 0


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
