"""Fixtures that every kind of test may use."""

from pathlib import Path

import pytest
import structlog

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

pytest_plugins = ["postgres"]

# structlog's default renders tracebacks with all local variables, which takes seconds each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that start a system in one process, one after another, where several run tests (pytest-xdist)."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if item.get_closest_marker("cluster"):
                item.add_marker(pytest.mark.xdist_group("cluster"))


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
