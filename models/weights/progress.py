"""Progress of downloads."""

import logging
from typing import Protocol

_log = logging.getLogger(__name__)
_MEBIBYTE = 1 << 20


class Progress(Protocol):
    """Receives the progress of one download at a time."""

    def begins(self, name: str, size: int, done: int) -> None:
        """Report a download of ``size`` bytes, of which ``done`` are here from an earlier attempt."""
        ...

    def advances(self, size: int) -> None:
        """Report ``size`` more bytes."""
        ...

    def says(self, what: str) -> None:
        """Report the beginning of a long step."""
        ...


class LoggedProgress:
    """Logs the beginning of each download; used by engines at their start."""

    def begins(self, name: str, size: int, done: int) -> None:
        """See ``Progress``."""
        _log.info("fetching %s: %d MiB, %d of them here", name, size // _MEBIBYTE, done // _MEBIBYTE)

    def advances(self, size: int) -> None:
        """See ``Progress``."""

    def says(self, what: str) -> None:
        """See ``Progress``."""
        _log.info("%s", what)
