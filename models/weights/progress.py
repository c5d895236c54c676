"""How a fetch tells what it does."""

import logging
from typing import Protocol

_log = logging.getLogger(__name__)
_MEBIBYTE = 1 << 20


class Progress(Protocol):
    """Told of one reference at a time."""

    def begins(self, name: str, size: int, done: int) -> None:
        """So many bytes are to come, of which some are here from an earlier attempt."""
        ...

    def advances(self, size: int) -> None:
        """So many more bytes have come."""
        ...

    def says(self, what: str) -> None:
        """Something that takes time begins."""
        ...


class LoggedProgress:
    """Writes a log line where a fetch begins: what an engine does when it starts."""

    def begins(self, name: str, size: int, done: int) -> None:
        """See ``Progress``."""
        _log.info("fetching %s: %d MiB, %d of them here", name, size // _MEBIBYTE, done // _MEBIBYTE)

    def advances(self, size: int) -> None:
        """See ``Progress``."""

    def says(self, what: str) -> None:
        """See ``Progress``."""
        _log.info("%s", what)
