"""Rate limits that hold for all replicas together: counters in PostgreSQL."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.clock import utc_now
from storage.database import Database

_CLEAN_EVERY_SECONDS = 60.0


@dataclass(frozen=True)
class RateDecision:
    """The answer to a hit.

    Attributes:
        allowed: True when the hit is within the limit.
        remaining: Hits left in the current window.
        retry_after: Seconds until the next window, at least 1; 0 when allowed.
    """

    allowed: bool
    remaining: int
    retry_after: int


class RateLimits:
    """Counter of hits in fixed windows, aligned to the epoch.

    A fixed window lets up to twice the limit through around its edge, and needs one row and one statement per hit.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._cleaned_at: datetime | None = None

    async def hit(self, bucket: str, limit: int, per_seconds: int, now: datetime | None = None) -> RateDecision:
        """Count a hit and compare it with the limit.

        Args:
            bucket: The name of the counter, such as ``upload:203.0.113.7``.
            limit: Hits allowed per window.
            per_seconds: The window's length.
            now: The time, with its zone; by default the clock's.

        Raises:
            DatabaseUnavailable: It can't be counted.
        """
        now = now or self._clock()
        window = now.timestamp() // per_seconds
        ends = datetime.fromtimestamp((window + 1) * per_seconds, UTC)
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                INSERT INTO rate_limits AS old (bucket, window_ends, hits) VALUES (%s, %s, 1)
                ON CONFLICT (bucket) DO UPDATE
                SET hits = CASE WHEN old.window_ends >= EXCLUDED.window_ends THEN old.hits + 1 ELSE 1 END,
                    window_ends = greatest(old.window_ends, EXCLUDED.window_ends)
                RETURNING hits
                """,
                [bucket, ends],
            )
            (row,) = await cursor.fetchall()
        await self._clean(now)
        hits = int(row["hits"])
        if hits <= limit:
            return RateDecision(allowed=True, remaining=limit - hits, retry_after=0)
        return RateDecision(allowed=False, remaining=0, retry_after=max(1, math.ceil((ends - now).total_seconds())))

    async def _clean(self, now: datetime) -> None:
        """Delete the counters of past windows, at most once a minute."""
        if self._cleaned_at is not None and now - self._cleaned_at < timedelta(seconds=_CLEAN_EVERY_SECONDS):
            return
        self._cleaned_at = now
        async with self._database.connection() as connection:
            await connection.execute(
                """
                DELETE FROM rate_limits WHERE bucket IN (
                    SELECT bucket FROM rate_limits WHERE window_ends <= %s FOR UPDATE SKIP LOCKED
                )
                """,
                [now],
            )
