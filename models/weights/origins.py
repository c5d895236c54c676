"""Protocol of the servers that weights are fetched from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class ConnectionLost(Exception):
    """The connection broke, or the server asked to come again; another try may do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to be fetched.

    Attributes:
        path: Inside the folder that it is laid into, with slashes.
        size: In bytes.
        digest: See ``models.weights.digests``; None where the server tells none.
        etag: The version of the file, in the server's words.
    """

    path: str
    size: int
    digest: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Listing:
    """The files of a source at one moment.

    Attributes:
        server: Where it is, in words.
        files: All of its files.
        revision: The commit, where there is one.
        licence: As the source states it.
        converted: See ``Manifest``.
    """

    server: str
    files: tuple[RemoteFile, ...]
    revision: str | None = None
    licence: str | None = None
    converted: bool = False


class Origin(Protocol):
    """A server that weights are fetched from.

    Its methods raise ``MissingWeights`` with a sentence where it does not give them, and ``ConnectionLost``.
    """

    def listing(self) -> Listing:
        """Return what there is."""
        ...

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Yield the bytes of a file of the last listing, from an offset on."""
        ...
