"""One running system for all cluster tests: Ray, Serve, real PostgreSQL, an S3 API over HTTP, embedded engines.

It is what `make run` starts, with a configuration of its own.
"""

import os
import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from chat_servers import KEY as CHAT_KEY
from chat_servers import ChatServer
from chat_servers import running as running_chat
from cluster_system import ADMIN_KEY, BUCKET, LENT_BUCKET, System
from local_run import LocalRun
from recordings import THREE_TURNS_S, beginning_as_flac
from s3 import s3_endpoint

from deployments.serve_config import check
from graphs.local.cluster import free_port
from graphs.local.engines import embedded
from models.samples import DIALOGUE
from storage.embedded_postgres import EmbeddedPostgres

__all__ = ["s3_endpoint"]

# Ray's workers would otherwise wait for whatever else runs here, other tests foremost.
os.environ.setdefault("RAY_worker_niceness", "0")

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
CHAT_KEY_VARIABLE = "VOICEGRAPH_TESTS_CHAT_KEY"


@pytest.fixture(scope="session")
def dialogue() -> bytes:
    """The bundled recording of two speakers."""
    return DIALOGUE.read_bytes()


@pytest.fixture(scope="session")
def brief() -> bytes:
    """Three turns of it, two speakers, 10 s."""
    return beginning_as_flac(THREE_TURNS_S)


def configuration(endpoint: str, chat_url: str) -> dict[str, Any]:
    """Return the local configuration of ``MODELS=none`` over S3, with impatient workers, a chat server and room."""
    config = embedded(yaml.safe_load((REPOSITORY / "serve_config.local.yaml").read_text()))
    storage = {"objects": {"kind": "s3", "bucket": BUCKET, "endpoint_url": endpoint}}
    graphs, api, live = config["applications"]
    graphs["args"] |= {"storage": storage}
    graphs["args"]["worker"] = {"concurrency": 2, "heartbeat_seconds": 0.5, "stalled_after_seconds": 3.0}
    api["args"] |= {
        "storage": storage,
        "grpc": {"buckets": [{"name": LENT_BUCKET}], "loopback_only": True},
        "recordings": {"max_bytes": 20 * 1024 * 1024, "max_seconds": 1200},
        "rate_limits": {"assistant": 1000, "upload": 1000, "results": 1000, "health": 1000, "metrics": 1000},
        "assistant": {
            "chat": {
                "engine": "openai",
                "base_url": chat_url,
                "model": "fake",
                "api_key_variable": CHAT_KEY_VARIABLE,
                "max_retries": 1,
            }
        },
    }
    live["args"] = api["args"]
    return config


@pytest.fixture(scope="session")
def chat() -> Iterator[ChatServer]:
    """A server with OpenAI's chat protocol."""
    with pytest.MonkeyPatch.context() as environment, running_chat() as server:
        environment.setenv(CHAT_KEY_VARIABLE, CHAT_KEY)
        yield server


_started = pytest.StashKey[ExitStack]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Stop the system after the last test that may use it: what else this session runs needs the cores."""
    yield
    if nextitem is None or not nextitem.path.is_relative_to(FOLDER):
        item.config.stash.get(_started, ExitStack()).close()


@pytest.fixture(scope="session")
def system(s3_endpoint: str, chat: ChatServer, pytestconfig: pytest.Config) -> Iterator[System]:
    """The running system; it stops with the last of these tests, or with the session."""
    with ExitStack() as started:
        pytestconfig.stash[_started] = started
        yield started.enter_context(_running(s3_endpoint, chat))


@contextmanager
def _running(s3_endpoint: str, chat: ChatServer) -> Iterator[System]:
    config = configuration(s3_endpoint, chat.url)
    check(config)
    # Not in pytest's own temporary folder: the next pytest closes that to the user who runs PostgreSQL.
    with tempfile.TemporaryDirectory(prefix="voicegraph-cluster-tests-") as folder:
        data = Path(folder)
        file, recording = data / "serve_config.yaml", data / "first.flac"
        file.write_text(yaml.safe_dump(config))
        recording.write_bytes(beginning_as_flac(THREE_TURNS_S))
        arguments = ("--config", str(file), "--file", str(recording))
        run = LocalRun.start(data, free_port(8123), *arguments, VOICEGRAPH_ADMIN_KEY=ADMIN_KEY)
        try:
            said = run.until("^Serving")
            found = dict(re.findall(r"^(URL|gRPC|API key) +(\S+)", said, re.MULTILINE))
            other = httpx.post(
                f"{found['URL']}/admin/users", params={"name": "somebody else"}, headers={"X-Admin-Key": ADMIN_KEY}
            )
            postgres = EmbeddedPostgres(data / "postgres")
            yield System(
                url=found["URL"],
                grpc_address=found["gRPC"],
                s3_endpoint=s3_endpoint,
                key=found["API key"],
                other_key=other.json()["api_key"],
                admin_key=ADMIN_KEY,
                database_url=postgres.url,
                postgres=postgres,
                chat=chat,
                said=said,
            )
            assert run.left()
        finally:
            status = run.interrupt()
        assert status == 0, run.said()
        assert run.left() == []


@pytest.fixture
def client(system: System) -> Iterator[httpx.Client]:
    with system.client() as client:
        yield client
