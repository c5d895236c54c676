import asyncio
import logging
import multiprocessing

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from postgres import kill

from storage.database import _MIGRATIONS, Database, DatabaseUnavailable, MigrationError, migrate, newest_revision
from storage.embedded_postgres import EmbeddedPostgres

pytestmark = [pytest.mark.unit, pytest.mark.anyio, pytest.mark.timeout(60)]

NOWHERE = "postgresql://somebody:hunter2@127.0.0.1:1/nowhere"


async def one(database: Database) -> int:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT 1 AS one")
        (row,) = await cursor.fetchall()
    return int(row["one"])


async def test_a_connection_is_a_transaction(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE kept (id int)")
    with pytest.raises(KeyError):
        async with database.connection() as connection:
            await connection.execute("INSERT INTO kept VALUES (1)")
            raise KeyError
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT count(*) AS n FROM kept")
        assert await cursor.fetchall() == [{"n": 0}]


async def test_a_restart_of_the_server_is_survived(database: Database, postgres_server: EmbeddedPostgres) -> None:
    assert await asyncio.gather(*(one(database) for _ in range(8))) == [1] * 8
    await asyncio.to_thread(kill, postgres_server)
    await asyncio.to_thread(postgres_server.ensure_running)
    assert await asyncio.gather(*(one(database) for _ in range(8))) == [1] * 8


async def test_a_connection_lost_in_the_middle_is_an_unavailable_database(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.connection() as connection, database.connection() as other:
            await other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
            await connection.execute("SELECT 1")
    assert await one(database) == 1


async def test_a_slow_statement_is_ended_by_the_server(database_url: str) -> None:
    async with Database(database_url, statement_timeout=0.05) as database:
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            async with database.connection() as connection:
                await connection.execute("SELECT pg_sleep(60)")
        assert await one(database) == 1


async def test_an_error_of_the_statement_itself_is_passed_on(database: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        async with database.connection() as connection:
            await connection.execute("SELECT * FROM nothing_of_that_name")


async def test_an_absent_server_is_unavailable_and_opening_does_not_wait_for_it() -> None:
    async with Database(NOWHERE, checkout_timeout=0.1) as database:
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
        with pytest.raises(DatabaseUnavailable):
            await database.wait_until_available(timeout=0.2)


async def test_an_operation_is_repeated_over_an_outage_and_its_value_returned(database: Database) -> None:
    calls = 0

    async def falter() -> str:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise DatabaseUnavailable("gone")
        return "back"

    assert await database.retry(falter, for_seconds=60.0) == "back"
    assert calls == 3


async def test_other_errors_are_not_repeated(database: Database) -> None:
    calls = 0

    async def fail() -> None:
        nonlocal calls
        calls += 1
        raise KeyError

    with pytest.raises(KeyError):
        await database.retry(fail)
    assert calls == 1


async def test_the_password_is_neither_shown_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Database(NOWHERE, checkout_timeout=0.1) as database:
        with pytest.raises(DatabaseUnavailable) as refused:
            await database.ping()
        assert repr(database) == "Database(127.0.0.1/nowhere)"
    assert "hunter2" not in f"{refused.value!r} {database!r} {caplog.text}"


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@host:port:port/%zz", "hunter2", "http://hunter2@x/"])
def test_an_unreadable_url_is_refused_without_being_repeated(url: str) -> None:
    for refuse in (Database, migrate):
        with pytest.raises(ValueError, match="not a PostgreSQL connection URI") as refused:
            refuse(url)
        assert "hunter2" not in str(refused.value)
        assert refused.value.__suppress_context__


async def test_options_of_the_url_are_kept(database_url: str) -> None:
    async with Database(f"{database_url}&options=-c%20work_mem%3D5MB&application_name=mine") as database:
        async with database.connection() as connection:
            cursor = await connection.execute(
                "SELECT current_setting('work_mem') AS m, current_setting('application_name') AS n,"
                " current_setting('TimeZone') AS z"
            )
            assert await cursor.fetchall() == [{"m": "5MB", "n": "mine", "z": "UTC"}]


def test_simultaneous_migrations_by_several_processes_all_succeed(empty_database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        pool.map(migrate, [empty_database_url] * 8, chunksize=1)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0006",)]
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


def test_a_schema_that_is_the_newest_is_left_alone(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty_database_url, revision="0005")
    migrate(empty_database_url)
    monkeypatch.delattr(command, "upgrade")
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest_revision(),)]


def test_the_newest_revision_is_the_head_of_the_migrations() -> None:
    assert ScriptDirectory(str(_MIGRATIONS)).get_current_head() == newest_revision()


def test_a_failed_migration_leaves_nothing_behind(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE job_totals (in_the_way int)")
    with pytest.raises(MigrationError, match="job_totals"):
        migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("job_totals",)]


def test_a_migration_of_an_absent_server_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        migrate(NOWHERE)
