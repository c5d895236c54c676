"""Keeps the embedded PostgreSQL running while the system does."""

import threading
from pathlib import Path

import structlog

from storage.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

PERIOD_S = 1.0
_log = structlog.get_logger()


class SupervisedPostgres:
    """A PostgreSQL server of one's own that is started again when it dies.

    Args:
        folder: Holds its data.
    """

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder)
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._supervise, name="postgres-supervisor", daemon=True)

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._server.url

    def start(self) -> str:
        """Start the server and the watch over it; return its URL."""
        url = self._server.start()
        self._watch.start()
        return url

    def stop(self) -> None:
        """Stop watching, then the server."""
        self._stopping.set()
        if self._watch.is_alive():
            self._watch.join()
        self._server.stop()

    def _supervise(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            try:
                if self._server.ensure_running():
                    _log.warning("PostgreSQL had died and was started again")
            except EmbeddedPostgresError as error:
                _log.error("PostgreSQL can't be started", error=str(error))
