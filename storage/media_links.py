"""Links to single objects of jobs, for players that can't send a key."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from storage.clock import utc_now
from storage.database import Database
from storage.jobs import JobNotFound

_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class MediaLink:
    """The object that a link leads to.

    Attributes:
        object_key: The object's key.
        media_type: The media type of the answer.
        filename: The name under which a browser saves it.
        expires_at: The end of the link's validity.
    """

    object_key: str
    media_type: str
    filename: str
    expires_at: datetime


class MediaLinks:
    """The links to the media of all jobs; they end with their jobs.

    Args:
        database: An open database with the current schema.
        clock: Tells the time.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self, job_id: UUID, *, object_key: str, media_type: str, filename: str, lifetime: timedelta
    ) -> tuple[str, MediaLink]:
        """Create a link to an object of a job.

        Returns:
            The link's token, of which only a hash is kept, and the link.

        Raises:
            JobNotFound: The job is gone.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        link = MediaLink(object_key, media_type, filename, self._clock() + lifetime)
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    """
                    INSERT INTO media_links (token_hash, job_id, object_key, media_type, filename, expires_at)
                    VALUES (%s, %s, %s, %s, %s, %s)
                    """,
                    [_hash(token), job_id, link.object_key, link.media_type, link.filename, link.expires_at],
                )
        except psycopg.errors.ForeignKeyViolation:
            raise JobNotFound(job_id) from None
        return token, link

    async def find(self, token: str) -> MediaLink | None:
        """Return the link of a token; None when there is no such link, or when it has expired."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT object_key, media_type, filename, expires_at FROM media_links
                WHERE token_hash = %s AND expires_at > %s
                """,
                [_hash(token), self._clock()],
            )
            row = await cursor.fetchone()
        return None if row is None else MediaLink(**row)

    async def expire(self) -> int:
        """Delete the links that have expired, and return their number."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("DELETE FROM media_links WHERE expires_at <= %s", [self._clock()])
            return cursor.rowcount


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
