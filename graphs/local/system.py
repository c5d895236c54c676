"""The whole system on this machine, as a block: PostgreSQL and Ray side by side, then Serve; they stop in reverse."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphs.common.config import ADMIN_KEY_VARIABLE, DATABASE_URL_VARIABLE
from graphs.local.applications import deploy
from graphs.local.cluster import Dashboard, ray_with_dashboard, wait_until_ready
from graphs.local.environment import Environment, StartError, kept_api_key
from graphs.local.grpc_port import reserved_grpc_port
from graphs.local.model_fetch import ModelFetch
from graphs.local.supervisor import SupervisedPostgres
from models.chat import OpenAiSettings
from storage.database import Database, migrate
from storage.users import Users

OWNER = "local"
API = "graphs.app:api"
LIVE = "graphs.app:live"


@dataclass(frozen=True)
class RunningSystem:
    """Addresses and keys of a running system.

    Attributes:
        url: Base URL of the HTTP API.
        grpc_address: Address of the gRPC service; None where the configuration has none.
        dashboard: Ray's dashboard.
        api_key: Key of the local owner.
        database_url: URL of the embedded PostgreSQL.
        postgres_folder: Where that PostgreSQL lives.
        notices: Sentences on engines that stand in for others.
    """

    url: str
    grpc_address: str | None
    dashboard: Dashboard
    api_key: str
    database_url: str
    postgres_folder: Path
    notices: tuple[str, ...] = ()


@contextmanager
def running(
    environment: Environment,
    config: dict[str, Any],
    on_step: Callable[[str], None] = lambda step: None,
    *,
    fetch: ModelFetch | None = None,
) -> Iterator[RunningSystem]:
    """Run the system for the length of the block; no process is left behind.

    Missing weights are fetched while PostgreSQL and Ray start; the roles are deployed when they are there.

    Args:
        environment: Ports, data folder and admin key.
        config: A checked Serve configuration; its ports are replaced by the environment's.
        on_step: Told what is being done or waited for.
        fetch: Chooses the engines and fetches their weights, and has not begun; left out, one of the configuration.

    Raises:
        StartError: It can't start; the message says why.
    """
    folder = environment.data / "postgres"
    environment.data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_one(environment.data))
        models = stack.enter_context(fetch or ModelFetch(config))
        grpc_options = config.get("grpc_options", {})
        grpc_port = None
        if grpc_options.get("grpc_servicer_functions"):
            grpc_port = stack.enter_context(reserved_grpc_port(environment.grpc_port))
            grpc_options = {**grpc_options, "port": grpc_port}
        key = kept_api_key(environment.data)
        postgres = SupervisedPostgres(folder)
        os.environ[DATABASE_URL_VARIABLE] = postgres.url
        os.environ[ADMIN_KEY_VARIABLE] = environment.admin_key
        os.environ["VOICEGRAPH_DATA"] = str(environment.data)
        on_step("starting PostgreSQL and Ray")
        stack.callback(postgres.stop)
        beside = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="start"))
        database_ready = beside.submit(_prepare_database, postgres, key)
        dashboard = stack.enter_context(ray_with_dashboard())
        # Before Ray waits for the end of all processes that were started beside it.
        stack.callback(models.stop)
        database_ready.result()
        choice = models.chosen(lambda: on_step("waiting for the models"))
        config = choice.config
        on_step("deploying")
        url = f"http://127.0.0.1:{environment.port}"
        http_options = {**config.get("http_options", {}), "port": environment.port}
        applications = with_chat(with_dashboard(config["applications"], dashboard.url), environment.chat)
        deploy({**config, "applications": applications, "http_options": http_options, "grpc_options": grpc_options})
        wait_until_ready(url, on_step)
        dashboard.process.start()
        grpc_address = None if grpc_port is None else f"127.0.0.1:{grpc_port}"
        yield RunningSystem(url, grpc_address, dashboard, key, postgres.url, folder, choice.notices)


def with_dashboard(applications: list[dict[str, Any]], url: str) -> list[dict[str, Any]]:
    """Return the applications, of which the API's knows where Ray's dashboard is, unless it was told."""
    return [
        {**application, "args": {"dashboard_url": url, **(application.get("args") or {})}}
        if application["import_path"] == API
        else application
        for application in applications
    ]


def with_chat(applications: list[dict[str, Any]], chat: OpenAiSettings | None) -> list[dict[str, Any]]:
    """Return the applications, of which those with an assistant ask this chat server; None leaves them as they are."""
    if chat is None:
        return applications

    def connected(arguments: dict[str, Any]) -> dict[str, Any]:
        assistant = {**(arguments.get("assistant") or {}), "chat": chat.model_dump(mode="json")}
        return {**arguments, "assistant": assistant}

    return [
        {**application, "args": connected(application.get("args") or {})}
        if application["import_path"] in (API, LIVE)
        else application
        for application in applications
    ]


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(
                f"another VoiceGraph runs on {data}; stop it, or set VOICEGRAPH_DATA and VOICEGRAPH_PORT"
            ) from None
        yield


def _prepare_database(postgres: SupervisedPostgres, key: str) -> None:
    """Start PostgreSQL with the newest schema and the local owner in it."""
    url = postgres.start()
    migrate(url)
    asyncio.run(_register(url, key))


async def _register(database_url: str, key: str) -> None:
    async with Database(database_url) as database:
        await Users(database).ensure_bootstrap(OWNER, key)
