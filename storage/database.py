"""PostgreSQL through one pool of psycopg connections, and its migrations."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[DictRow]
T = TypeVar("T")

HEAD = "head"
_MIGRATIONS = Path(__file__).parent / "migrations"

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 2.0
# The pool's own reconnection backs off exponentially: giving up soon and starting anew keeps it prompt.
_POOL_RECONNECT_SECONDS = 2.0
# A listening connection without notifications for so long is checked with a statement.
_LISTEN_CHECK_SECONDS = 15.0
_FIRST_LISTEN_PAUSE_SECONDS = 0.1
_LONGEST_LISTEN_PAUSE_SECONDS = 5.0
# A half-open TCP connection is noticed in about half a minute; libpq ignores these for unix sockets.
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
}


class DatabaseUnavailable(Exception):
    """The database did not answer, refused the connection or was too slow; trying again may work.

    A write whose commit was under way may have happened: only an idempotent operation is safe to repeat.
    """


class MigrationError(Exception):
    """The schema could not be brought up to date."""


class Database:
    """One process's pool of connections to a PostgreSQL server.

    It survives a restart of the server: connections are checked when they are handed out, and dead ones are replaced.

    Usage::

        async with Database(url) as database:
            async with database.connection() as connection:  # one transaction
                rows = await (await connection.execute("SELECT 1 AS one")).fetchall()

    Args:
        url: A libpq URI, such as ``postgresql://user@host/name`` or ``postgresql://user@/name?host=%2Fsocket%2Ffolder``.
        min_size: Connections kept open.
        max_size: Most connections open at once.
        connect_timeout: Seconds to wait for a new connection.
        checkout_timeout: Seconds to wait for a free connection of the pool.
        statement_timeout: Seconds after which the server cancels a statement.
        application_name: This process's name in ``pg_stat_activity``.

    Raises:
        ValueError: The URL is not one that libpq can read. The message doesn't repeat it.
    """

    def __init__(
        self,
        url: str,
        *,
        min_size: int = 1,
        max_size: int = 10,
        connect_timeout: int = 5,
        checkout_timeout: float = 5.0,
        statement_timeout: float = 30.0,
        application_name: str = "voicegraph",
    ) -> None:
        given = parse_url(url)
        milliseconds = int(statement_timeout * 1000)
        session = f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
        defaults = {"connect_timeout": connect_timeout, "application_name": application_name, **_KEEPALIVE}
        options = f"{given.get('options', '')} {session}".strip()
        self._conninfo = make_conninfo("", **{**defaults, **given, "options": options})
        self.description = _describe(given)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._conninfo,
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=min_size,
            max_size=max_size,
            timeout=checkout_timeout,
            reconnect_timeout=_POOL_RECONNECT_SECONDS,
            check=self._check,
            name="voicegraph",
            open=False,
        )

    def __repr__(self) -> str:
        return f"Database({self.description})"

    async def open(self) -> None:
        """Start the pool; returns at once, also while the server is down."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for one transaction: committed at the end, rolled back on an exception.

        Raises:
            DatabaseUnavailable: No connection could be had, or it was lost on the way.
        """
        with unavailable_errors():
            async with self._pool.connection() as connection:
                yield connection

    async def listen(
        self, channels: Sequence[str], notified: Callable[[str, str], None], connected: Callable[[], None]
    ) -> NoReturn:
        """Listen on a connection of its own until cancelled, and connect again whenever it is lost.

        Args:
            channels: Names of the channels.
            notified: Called with the channel and the payload of each notification.
            connected: Called each time listening begins; notifications sent before that may have been missed.
        """
        pause = _FIRST_LISTEN_PAUSE_SECONDS
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    for channel in channels:
                        await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
                    connected()
                    pause = _FIRST_LISTEN_PAUSE_SECONDS
                    while True:
                        async for notification in connection.notifies(timeout=_LISTEN_CHECK_SECONDS):
                            notified(notification.channel, notification.payload)
                        await connection.execute("SELECT 1")
            except psycopg.OperationalError as error:
                log.warning("lost the listening connection", channels=channels, error=str(error).strip())
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_LISTEN_PAUSE_SECONDS)

    async def retry(self, operation: Callable[[], Awaitable[T]], *, for_seconds: float = 10.0) -> T:
        """Run an idempotent operation, repeatedly while the database is unavailable.

        Args:
            operation: The operation; it must be safe to repeat after a commit whose answer was lost.
            for_seconds: The longest outage before the error is passed on.

        Returns:
            The operation's return value.

        Raises:
            DatabaseUnavailable: The outage lasted longer.
        """
        give_up_at = time.monotonic() + for_seconds
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                return await operation()
            except DatabaseUnavailable as error:
                if time.monotonic() + delay > give_up_at:
                    raise
                log.warning("database unavailable, trying again", database=self.description, error=str(error))
            await asyncio.sleep(delay * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
            delay = min(delay * 2, _LONGEST_RETRY_SECONDS)

    async def ping(self) -> None:
        """Check that the server answers.

        Raises:
            DatabaseUnavailable: It gave none.
        """
        async with self.connection() as connection:
            await connection.execute("SELECT 1")

    async def wait_until_available(self, timeout: float = 60.0) -> None:  # noqa: ASYNC109 - a bound, not a scope
        """Wait until the server answers.

        Raises:
            DatabaseUnavailable: It didn't within ``timeout`` seconds.
        """
        await self.retry(self.ping, for_seconds=timeout)

    async def _check(self, connection: Connection) -> None:
        try:
            await AsyncConnectionPool.check_connection(connection)
        except psycopg.OperationalError:
            # One dead connection means a restarted server: the others are dead too, and trying each is slow.
            await self._pool.drain()
            raise


def parse_url(url: str) -> dict[str, Any]:
    """Split a database URL into libpq's parameters.

    Raises:
        ValueError: libpq can't read it. The message doesn't repeat the URL, which may hold a password.
    """
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        return conninfo_to_dict(plain)
    except psycopg.ProgrammingError:
        raise ValueError("the database URL is not a PostgreSQL connection URI") from None


def _describe(parameters: dict[str, Any]) -> str:
    """Return the host and the name of the database, without user or password."""
    host = parameters.get("host") or parameters.get("hostaddr") or "local"
    return f"{host}/{parameters.get('dbname', '')}"


@contextmanager
def unavailable_errors() -> Iterator[None]:
    """Raise :class:`DatabaseUnavailable` in place of the driver's errors that pass by themselves."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise DatabaseUnavailable(str(error).strip() or type(error).__name__) from error


def migrate(url: str, *, wait_seconds: float = 300.0, revision: str = HEAD) -> None:
    """Bring the schema up to the newest revision; several replicas may do it at once.

    One of them migrates, in one transaction, while the others wait for it on an advisory lock.

    Args:
        url: The database's URL.
        wait_seconds: Longest wait for another replica's migration.
        revision: The revision to stop at.

    Raises:
        DatabaseUnavailable: The server can't be reached, or another replica's migration took too long.
        MigrationError: A migration failed; nothing was changed.
        ValueError: The URL can't be read.
    """
    conninfo = make_conninfo("", **parse_url(url))
    with unavailable_errors(), psycopg.connect(conninfo, connect_timeout=10, autocommit=True) as guard:
        if revision == HEAD and _revision_of(guard) == newest_revision():
            return
        # Half a second of imports, which every start of a replica would pay.
        from alembic import command
        from alembic.config import Config
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.pool import NullPool

        guard.execute("SELECT set_config('lock_timeout', %s, false)", [str(int(wait_seconds * 1000))])
        guard.execute("SELECT pg_advisory_lock(hashtextextended('voicegraph.migrate', 0))")
        # The driver connects by itself: the URL, with its password, stays out of SQLAlchemy's and Alembic's hands.
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool)
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        try:
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
        except (SQLAlchemyError, psycopg.Error) as error:
            raise MigrationError(f"the database schema could not be migrated: {error}") from error


def newest_revision() -> str:
    """Return the revision that this release's schema has, from the names of the migrations (``0006_job_queue.py``)."""
    return max(file.name for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")).partition("_")[0]


def _revision_of(connection: psycopg.Connection[Any]) -> str | None:
    """Return the revision of a database's schema; None where it can't be read, as in an empty one."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.ProgrammingError:
        return None
    return None if row is None else str(row[0])
