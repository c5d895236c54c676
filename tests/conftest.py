"""Fixtures that every kind of test may use."""

import os
from pathlib import Path
from typing import Any

import pytest
import structlog

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

pytest_plugins = ["postgres"]

# Threads of OpenMP that wait give their core to the other processes of the suite.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# structlog's default renders tracebacks with all local variables, which takes seconds each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


_SYSTEMS = ("tests/production/", "tests/cluster/")
_OWN_SYSTEM = ("tests/production/", "tests/cluster/test_local_run.py", "tests/cluster/test_upload_backpressure.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first the tests that start a system of their own: none then runs beside that of the other tests."""
    items.sort(key=lambda item: not item.nodeid.startswith(_OWN_SYSTEM))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes run the tests (pytest-xdist), give one of them all that need a running system.

    Two systems at once are more than a small machine can start in time. The others are handed out file by file.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneSystem(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return "a running system" if file.startswith(_SYSTEMS) else file

    return OneSystem(config, log)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def librispeech() -> Path:
    """The folder with real speech for checking; a user's clone has none of it."""
    folder = SHARED_DATA / "librispeech"
    if not folder.is_dir():
        pytest.skip("../shared/data/librispeech is not beside this checkout")
    return folder
