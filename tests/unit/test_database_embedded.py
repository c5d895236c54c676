import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from postgres import kill

from storage.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not below pytest's own temporary folder, which every start of pytest closes to other users.
    with tempfile.TemporaryDirectory(prefix="voicegraph-embedded-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A folder that was absent, became a server and was stopped; making one takes long, and the tests share it."""
    with tempfile.TemporaryDirectory(prefix="voicegraph-embedded-") as path:
        folder = Path(path) / "made" / "on the way"
        with EmbeddedPostgres(folder):
            pass
        yield folder


@pytest.fixture
def server(cluster: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(cluster)
    yield server
    server.stop()


def answer(server: EmbeddedPostgres) -> object:
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT count(*) FROM pg_database WHERE datname = 'voicegraph'").fetchone()


def test_a_new_folder_becomes_a_server_and_stopping_it_leaves_no_process(server: EmbeddedPostgres) -> None:
    url = server.start()
    assert url == server.url
    assert answer(server) == (1,)
    pid = server.pid
    assert pid is not None
    server.stop()
    assert server.pid is None
    assert not psutil.pid_exists(pid)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server.stop()


def test_data_outlives_a_stop_and_a_kill(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
    server.stop()
    server.start()
    with psycopg.connect(server.url) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
    kill(server)
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT id FROM kept ORDER BY id").fetchall() == [(1,), (2,)]


def test_a_supervisor_is_told_when_the_server_had_died(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.ensure_running() is False
    first = kill(server)
    assert server.ensure_running() is True
    assert server.pid not in (None, first)
    assert server.ensure_running() is False
    assert answer(server) == (1,)


def test_busy_children_of_a_killed_server_do_not_hinder_its_restart(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The busy child does not leave by itself, however long it is waited for.
    monkeypatch.setattr("storage.embedded_postgres._ORPHAN_SECONDS", 0.2)
    with psycopg.connect(server.start()) as connection:
        connection.execute(
            "CREATE FUNCTION spin() RETURNS void LANGUAGE plpgsql AS "
            "'BEGIN PERFORM sum(g) FROM generate_series(1, 100000000000) g; END'"
        )
    busy = psycopg.connect(server.url, autocommit=True)
    thread = threading.Thread(target=_ignore_errors, args=(busy, "SELECT spin()"))
    thread.start()
    kill(server)
    assert server.ensure_running() is True
    thread.join()
    assert answer(server) == (1,)


def _ignore_errors(connection: psycopg.Connection[object], query: str) -> None:
    try:
        connection.execute(query.encode())
    except psycopg.OperationalError:
        pass


def test_a_stale_pid_file_that_names_a_living_stranger_is_not_believed(server: EmbeddedPostgres) -> None:
    server.start()
    kill(server)
    pid_file = server._data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    # A process of the server's own account, so that PostgreSQL itself would believe it.
    owner = pid_file.stat()
    with subprocess.Popen(["sleep", "600"], user=owner.st_uid, group=owner.st_gid, cwd="/") as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert server.ensure_running() is True
        assert answer(server) == (1,)
        assert stranger.poll() is None
        stranger.kill()


def test_simultaneous_starts_in_threads_and_processes_make_one_server(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from storage.embedded_postgres import EmbeddedPostgres;"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start(); print(server.pid)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
        )
        for _ in range(2)
    ]
    servers = [EmbeddedPostgres(folder) for _ in range(3)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pids = {int(process.communicate()[0].splitlines()[-1]) for process in processes}
    assert pids == {servers[0].pid}
    assert answer(servers[2]) == (1,)
    servers[1].stop()
    assert servers[0].pid is None


@pytest.mark.parametrize(
    "name", ["with space", "quote ' and \" quote", "comma, here", "percent%20", "Папка", "x" * 150 + "/" + "y" * 150]
)
def test_a_folder_may_have_any_name(folder: Path, cluster: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    cluster.rename(folder / name)
    try:
        with EmbeddedPostgres(folder / name) as server:
            assert answer(server) == (1,)
    finally:
        (folder / name).rename(cluster)


def test_a_terminals_interrupt_does_not_reach_the_server(server: EmbeddedPostgres) -> None:
    program = (
        # A shell that starts something in the background has it ignore interrupts.
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from pathlib import Path; from storage.embedded_postgres import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1])).start(); print('started', flush=True); time.sleep(600)"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", program, str(server._folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    assert launcher.stdout is not None
    while launcher.stdout.readline().strip() != "started":
        pass
    pid = server.pid
    os.killpg(launcher.pid, signal.SIGINT)
    launcher.wait()
    launcher.stdout.close()
    assert server.pid == pid
    assert server.ensure_running() is False
    assert answer(server) == (1,)


def test_another_major_versions_data_is_refused_with_a_way_out(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 15.*choose another folder"):
        EmbeddedPostgres(folder).start()


def test_a_server_that_cannot_start_says_why(server: EmbeddedPostgres) -> None:
    settings = server._data / "postgresql.conf"
    own = settings.read_text()
    settings.write_text("no_such_setting = on\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
            server.start()
    finally:
        settings.write_text(own)


def test_an_interrupted_creation_is_begun_anew(folder: Path) -> None:
    (folder / "data.unfinished").mkdir()
    (folder / "data.unfinished" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder) as server:
        assert answer(server) == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_a_server_of_its_own(folder: Path) -> None:
    import pwd

    nobody = pwd.getpwnam("nobody")
    home = folder / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    folder.chmod(0o755)
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        subprocess.run([sys.executable, "-c", "import psycopg, storage"], cwd=REPOSITORY, check=True, **identity)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("other users may not run this Python or read this checkout")
    program = (
        "import sys, psycopg; from pathlib import Path; from storage.embedded_postgres import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path(sys.argv[1])) as server:\n"
        "    print(psycopg.connect(server.url).execute('SELECT 42').fetchone()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(home / "postgres")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        **identity,
    )
    assert done.stdout.strip() == "42", done.stderr
    assert (home / "postgres" / "data").stat().st_uid == nobody.pw_uid


def test_only_the_owner_may_enter_the_sockets_folder(server: EmbeddedPostgres) -> None:
    server.start()
    mode = server._socket_folder().stat().st_mode & 0o777
    assert mode == 0o700


def test_stopping_where_nothing_ever_was_does_nothing(folder: Path) -> None:
    shutil.rmtree(folder / "absent", ignore_errors=True)
    EmbeddedPostgres(folder / "absent").stop()
    assert not (folder / "absent").exists()
