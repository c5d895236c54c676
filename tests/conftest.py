"""Fixtures that every kind of test may use."""

import os
import re
from collections.abc import Generator
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


_RUNNING_SYSTEM_TIMEOUT_S = 180.0
"""Of one test in a running system, whose start and stop have bounds of their own (local_run.py)."""

_FAST_CPU_S = 4.0
"""Processor time that a test of the fast tier may take, imports included; so it holds on a busy machine, too."""

_SERVICES = frozenset({"postgres_server", "s3_endpoint"})
"""Fixtures that start a server. Whatever asks for one, by other fixtures too, is not in the fast tier."""


def _is_fast(item: pytest.Item) -> bool:
    """Tell whether a test needs no service and is not marked slow."""
    return (
        not item.nodeid.startswith(_SYSTEMS)
        and item.get_closest_marker("slow") is None
        and _SERVICES.isdisjoint(getattr(item, "fixturenames", ()))
        # Tests of the server itself start it without a fixture.
        and not hasattr(getattr(item, "module", None), "EmbeddedPostgres")
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules that are slow as a whole unread by the fast tier: importing their engines takes seconds."""
    if config.option.markexpr != "fast" or collection_path.suffix != ".py":
        return None
    return re.search(r"^pytestmark = .*\bslow\b", collection_path.read_text("utf-8"), re.MULTILINE) is not None or None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Sort every test into its tier, and bound its time."""
    if _is_fast(item):
        item.add_marker("fast")
    if item.get_closest_marker("cluster") is not None and item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(_RUNNING_SYSTEM_TIMEOUT_S, func_only=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first the tests that start a system of their own: none then runs beside that of the other tests."""
    items.sort(key=lambda item: not item.nodeid.startswith(_OWN_SYSTEM))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Keep the fast tier fast."""
    began = sum(os.times()[:4])
    yield
    # Of this process and of those that it started and that have ended.
    if item.config.option.markexpr == "fast" and (took := sum(os.times()[:4]) - began) > _FAST_CPU_S:
        pytest.fail(f"{took:.1f} s of processor time: mark it slow", pytrace=False)


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
