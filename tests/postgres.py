"""A real PostgreSQL for every kind of test: one server per session, one fresh database per test."""

import os
import signal
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from storage.database import Database, migrate
from storage.embedded_postgres import EmbeddedPostgres

TEMPLATE = "migrated"


def kill(server: EmbeddedPostgres) -> int:
    """Kills the server without a warning, waits for its death, and returns the pid it had."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.01)
    return pid


def url_of(server_url: str, name: str) -> str:
    """The URL of another database on the same server."""
    parts = urlsplit(server_url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """The server itself; a test that kills it starts it again."""
    # pytest closes its own temporary folder to other users whenever it starts, and PostgreSQL may be run by one.
    with (
        tempfile.TemporaryDirectory(prefix="voicegraph-postgres-") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(url_of(server.url, TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: EmbeddedPostgres) -> str:
    """The URL of the session's server, whose default database is empty."""
    return postgres_server.url


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database without any schema, this test's own."""
    yield from _fresh_database(postgres_server, "template0")


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database with the current schema, this test's own."""
    yield from _fresh_database(postgres_server, TEMPLATE)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with the current schema, this test's own."""
    async with Database(database_url, max_size=8) as database:
        yield database


def _fresh_database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    server.ensure_running()
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield url_of(server.url, name)
    server.ensure_running()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
