"""A real PostgreSQL for every kind of test: one server per session, and a database for each test alone."""

import os
import signal
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from storage.database import Database, migrate
from storage.embedded_postgres import EmbeddedPostgres

TEMPLATE = "migrated"

Shape = list[tuple[Any, ...]]


def kill(server: EmbeddedPostgres) -> int:
    """Kills the server without a warning, waits for its death, and returns the pid it had."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while server.pid is not None:
        assert time.monotonic() < deadline, "the killed server is still there"
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


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database without any schema, this test's own."""
    url = _create(postgres_server, "template0")
    yield url
    _drop(postgres_server, url)


@dataclass
class Template:
    """A database that others are copied from, and the copies that a test has left as good as new."""

    shape: Shape
    returned: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def _template(postgres_server: EmbeddedPostgres) -> Template:
    with psycopg.connect(url_of(postgres_server.url, TEMPLATE)) as connection:
        return Template(connection.execute(_SHAPE).fetchall())


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, _template: Template) -> Iterator[str]:
    """The URL of a database with the current schema and nothing in it, this test's own.

    Making one takes longer than most tests, so that the next test gets the same one, emptied, unless this one changed
    more than rows or still has connections.
    """
    postgres_server.ensure_running()
    url = _template.returned.pop() if _template.returned else _create(postgres_server, TEMPLATE)
    yield url
    postgres_server.ensure_running()
    if _empty(url, _template.shape):
        _template.returned.append(url)
    else:
        _drop(postgres_server, url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with the current schema, this test's own."""
    async with Database(database_url, max_size=8) as database:
        yield database


def _empty(url: str, shape: Shape) -> bool:
    """Delete all rows; False where that does not make a database what its template is."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute(_OTHERS).fetchone() != (0,):
            return False
        # Neither triggers nor foreign keys have a say in it.
        connection.execute("SET session_replication_role = replica")
        for (table,) in connection.execute(_TABLES).fetchall():
            connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
        for (sequence,) in connection.execute(_USED_SEQUENCES).fetchall():
            connection.execute(SQL("ALTER SEQUENCE {} RESTART").format(Identifier(sequence)))
        return connection.execute(_SHAPE).fetchall() == shape


_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
_USED_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"
_SHAPE = """
SELECT 'relation', n.nspname, c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull::text, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname NOT LIKE 'pg%' AND n.nspname <> 'information_schema'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '', '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text, '', '', ''
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname, pg_get_function_identity_arguments(oid), prosrc, '', '', '', ''
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'setting', setconfig::text, '', '', '', '', '', '' FROM pg_db_role_setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 'version', version_num, '', '', '', '', '', '' FROM alembic_version
ORDER BY 1, 2, 3, 4, 5
"""


def _create(server: EmbeddedPostgres, template: str) -> str:
    server.ensure_running()
    name = f"test_{uuid.uuid4().hex}"
    # The other strategy leaves unlogged tables that cannot be read after the server was killed (wal_level = minimal).
    statement = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(Identifier(name), Identifier(template))
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement)
    return url_of(server.url, name)


def _drop(server: EmbeddedPostgres, url: str) -> None:
    server.ensure_running()
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
