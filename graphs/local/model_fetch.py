"""Fetch of the weights that a local run needs, while PostgreSQL and Ray start."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphs.local.engines import Choice, choose, fetched_needs, is_fetched, preferences
from graphs.local.environment import StartError
from models.errors import AlteredWeights
from models.weights import cached, resolve
from models.weights.catalogue import named_set
from models.weights.configuration import Need
from models.weights.pinned import Archive
from models.weights.sources import SetSource

_PERIOD_S = 0.25
_STOP_S = 3.0
_MB = 1_000_000


class ModelFetch:
    """Chooses each role's engine, in a thread that fetches what is missing; a context manager.

    Args:
        config: A checked Serve configuration.
        better: Configurations that are preferred to it, the best first.
        online: Fetch what is missing; otherwise only what is on this machine counts.
        sets_only: Fetch named sets alone; what else is missing is left to the engine, which says so at its start.

    Attributes:
        config: The Serve configuration.
    """

    def __init__(
        self,
        config: dict[str, Any],
        better: Sequence[Mapping[str, Any]] = (),
        *,
        online: bool = True,
        sets_only: bool = True,
    ) -> None:
        self.config = config
        self._tried = preferences(*better, config)
        self._online = online
        self._sets_only = sets_only
        self._progress = _Progress()
        self._done = threading.Event()
        self._outcome: Choice | Exception | None = None
        self._thread = threading.Thread(target=self._run, name="model-fetch", daemon=True)

    def __enter__(self) -> "ModelFetch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the fetch, if it goes on."""
        self._progress.stopped.set()
        self._thread.join(_STOP_S)

    @property
    def line(self) -> str:
        """How far it is, such as ``fetching models: 57 of 183 MB``; empty where nothing is fetched."""
        return "" if self._done.is_set() else self._progress.line

    def chosen(self, on_wait: Callable[[], None] = lambda: None) -> Choice:
        """Wait for the end, and return the engines.

        Args:
            on_wait: Called all the while.

        Raises:
            StartError: A source of weights gave other bytes than it must.
        """
        while not self._done.wait(_PERIOD_S):
            on_wait()
        if isinstance(self._outcome, AlteredWeights):
            raise StartError(str(self._outcome))
        if isinstance(self._outcome, Exception):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome

    def _run(self) -> None:
        try:
            if self._online:
                self._progress.expect(self._expected())
            self._outcome = choose(self.config, self._tried, self._resolve)
        except Exception as error:
            self._outcome = error
        finally:
            self._done.set()

    def _expected(self) -> dict[str, int]:
        """Return the bytes to be fetched by the name of the weights, as far as the catalogue knows them."""
        expected: dict[str, int] = {}
        counted: set[Archive] = set()
        for need in fetched_needs(self._tried, sets_only=self._sets_only):
            reference = need.reference
            source = reference.weights.source(reference.name)
            if isinstance(source, SetSource) and cached(reference.name, reference.weights) is None:
                pinned = named_set(source.name)
                fetched = [archive for archive in pinned.archives if archive not in counted]
                counted.update(fetched)
                size = sum(archive.size for archive in fetched) if pinned.archives else pinned.size
                expected[f"set://{pinned.name}"] = size
        return expected

    def _resolve(self, need: Need) -> None:
        if is_fetched(need, sets_only=self._sets_only):
            reference = need.reference
            resolve(reference.name, reference.weights, allow_download=self._online, progress=self._progress)


class _Stopped(Exception):
    """The run ends before the fetch does."""


class _Progress:
    """Progress over all weights; see ``models.weights.progress.Progress``.

    Attributes:
        stopped: Once set, the fetch ends.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._expected: dict[str, int] = {}
        self._shares: dict[str, float] = {}
        self._name = ""
        self._size = self._done = 0

    def expect(self, sizes: Mapping[str, int]) -> None:
        """Take the bytes to be fetched by the name of the weights."""
        with self._lock:
            self._expected.update(sizes)

    @property
    def line(self) -> str:
        """Sum over all that is fetched; empty while nothing is."""
        with self._lock:
            total = sum(self._expected.values())
            done = sum(self._expected[name] * share for name, share in self._shares.items())
        return f"fetching models: {done / _MB:.0f} of {total / _MB:.0f} MB" if total else ""

    def begins(self, name: str, size: int, done: int) -> None:
        """Report a download; another source may begin the same again."""
        with self._lock:
            self._name, self._size, self._done = name, size, done
            self._expected.setdefault(name, size)
            self._shares[name] = done / size if size else 0.0

    def advances(self, size: int) -> None:
        """Report bytes.

        Raises:
            _Stopped: The fetch is to end.
        """
        if self.stopped.is_set():
            raise _Stopped
        with self._lock:
            self._done += size
            self._shares[self._name] = min(1.0, self._done / self._size) if self._size else 1.0

    def says(self, what: str) -> None:
        """Report the beginning of a long step, which the line leaves out."""


def local_choice(config: dict[str, Any]) -> Choice:
    """Return the engines of a configuration whose weights are on this machine, and the embedded ones for the others."""
    with ModelFetch(config, online=False) as fetch:
        return fetch.chosen()
