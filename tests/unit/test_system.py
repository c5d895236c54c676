"""The state of the system: what is told, how often it is looked at, and what is kept back."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from ingress import Serve
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, DeploymentStatusOverview
from ray.serve.schema import DeploymentStatus as Status
from ray.serve.schema import DeploymentStatusTrigger as Trigger
from ray.serve.schema import ReplicaState as State

from graphs.http.observability.serve_load import Load, Rates, loads_of
from graphs.http.observability.system_schemas import DeploymentState, SystemBody
from graphs.http.observability.system_view import (
    KEPT_S,
    LOAD_KEPT_S,
    LOAD_STALE_S,
    SENTENCES,
    SystemView,
    installed_versions,
)
from graphs.kinds import KINDS
from graphs.local.system import with_dashboard
from models.samples import DIALOGUE
from storage.jobs import JobStatistics

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

ASR = ("graphs", "asr")
NO_JOBS = JobStatistics({}, {}, {}, {}, {}, {})


def deployment(status: str = "HEALTHY", message: str = "", **replicas: int) -> DeploymentStatusOverview:
    # Serve declares members of ReplicaState here, and gives their values.
    counts = {cast(State, State(name.upper()).value): count for name, count in replicas.items()}
    return DeploymentStatusOverview(Status(status), Trigger.UNSPECIFIED, counts, message)


def application(status: str = "RUNNING", **deployments: DeploymentStatusOverview) -> ApplicationStatusOverview:
    return ApplicationStatusOverview(ApplicationStatus(status), "", 0.0, deployments)


def export(ongoing: int, queued: int, handled: int, replica: str = "a") -> str:
    labels = f'application="graphs",deployment="asr",replica="{replica}",NodeAddress="192.0.2.2"'
    return f"""\
# TYPE ray_serve_replica_processing_queries gauge
ray_serve_replica_processing_queries{{{labels}}} {ongoing}
# TYPE ray_serve_deployment_queued_queries gauge
ray_serve_deployment_queued_queries{{{labels}}} {queued}
# TYPE ray_serve_deployment_request_counter_total counter
ray_serve_deployment_request_counter_total{{{labels},route="/x"}} {handled}
ray_serve_deployment_request_counter_total{{{labels},route="/y"}} 1
# TYPE ray_node_cpu gauge
ray_node_cpu 1
"""


TARGET = """\
# TYPE ray_serve_autoscaling_target_replicas gauge
ray_serve_autoscaling_target_replicas{application="graphs",deployment="asr"} 3
"""


class System:
    """A system as a test wants it, and how often it was asked."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked = 0
        self.texts = [export(2, 1, 10), export(1, 0, 5, "b") + TARGET]
        self.slow: asyncio.Event | None = None
        self.applications: Mapping[str, ApplicationStatusOverview] = {"graphs": application(asr=deployment(running=2))}
        self.view = SystemView(self._statuses, self._exports, lambda: self.now)

    async def _statuses(self) -> Mapping[str, ApplicationStatusOverview]:
        self.asked += 1
        await asyncio.sleep(0)
        return self.applications

    async def _exports(self) -> list[str]:
        if self.slow is not None:
            await self.slow.wait()
        return self.texts

    async def look(self) -> SystemBody:
        async def jobs() -> JobStatistics:
            return NO_JOBS

        return await self.view.look(("graphs",), jobs, KINDS, None, "1")

    async def asr(self) -> DeploymentState:
        return (await self.look()).applications[0].deployments[0]


def test_loads_are_summed_over_replicas_routes_and_nodes() -> None:
    assert loads_of([export(2, 1, 10), "", export(1, 0, 5, "b") + TARGET]) == {ASR: Load(3, 1, 17, 3)}
    assert loads_of([]) == {}


def test_a_rate_is_the_mean_over_about_a_minute() -> None:
    def load(handled: int) -> dict[tuple[str, str], Load]:
        return {ASR: Load(0, 0, handled, None)}

    rates = Rates()
    assert rates.of(ASR) is None
    rates.add(0.0, load(100))
    rates.add(9.0, load(190))
    assert rates.of(ASR) is None  # too short to tell
    rates.add(10.0, load(200))
    assert rates.of(ASR) == pytest.approx(10.0)
    assert rates.of(("graphs", "other")) is None
    for at in range(20, 200, 10):
        rates.add(float(at), load(200))
    assert rates.of(ASR) == 0.0  # what was before the last minute is forgotten
    rates.add(200.0, load(5))  # a replica ended
    assert rates.of(ASR) == 0.0


async def test_everybody_within_two_seconds_gets_the_same_answer() -> None:
    system = System()
    bodies = await asyncio.gather(*(system.look() for _ in range(5)))
    assert system.asked == 1
    assert all(body is bodies[0] for body in bodies)
    system.now += KEPT_S
    await system.look()
    assert system.asked == 2


async def test_loads_stand_beside_the_health() -> None:
    system = System()
    asr = await system.asr()
    assert (asr.status, asr.message) == ("healthy", None)
    assert asr.replicas.model_dump() == {"running": 2, "starting": 0, "stopping": 0, "target": 3}
    assert (asr.ongoing_requests, asr.queued_requests, asr.requests_per_second) == (3, 1, None)
    system.now += 20.0
    system.texts = [export(0, 0, 40), export(0, 0, 5, "b")]
    await system.look()
    await system.view._measuring  # type: ignore[misc]
    system.now += KEPT_S
    asr = await system.asr()
    assert (asr.ongoing_requests, asr.requests_per_second) == (0, 1.5)
    assert (await system.look()).load_age_seconds == KEPT_S


async def test_slow_nodes_do_not_hold_the_answer_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.http.observability.system_view.FIRST_LOAD_WAIT_S", 0.01)
    system = System()
    system.slow = asyncio.Event()
    body = await system.look()
    (asr,) = body.applications[0].deployments
    assert (asr.ongoing_requests, asr.replicas.target, body.load_age_seconds) == (None, None, None)
    system.slow.set()
    await system.view._measuring  # type: ignore[misc]
    system.now += KEPT_S
    assert (await system.asr()).ongoing_requests == 3


async def test_numbers_of_long_ago_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.http.observability.system_view.FIRST_LOAD_WAIT_S", 0.01)
    system = System()
    await system.look()
    system.slow = asyncio.Event()
    system.now += LOAD_STALE_S
    assert (await system.asr()).ongoing_requests == 3
    system.now += KEPT_S
    assert (await system.asr()).ongoing_requests is None
    system.slow.set()
    await system.view._measuring  # type: ignore[misc]


async def test_nodes_that_fail_leave_the_last_measurement_and_are_asked_again() -> None:
    system = System()
    await system.look()

    async def broken() -> list[str]:
        raise ConnectionError("no node answers")

    system.view.exports, working = broken, system.view.exports
    system.now += LOAD_KEPT_S
    assert (await system.asr()).ongoing_requests == 3
    await system.view._measuring  # type: ignore[misc]
    system.view.exports = working
    system.texts = [export(7, 0, 0)]
    system.now += LOAD_KEPT_S
    await system.look()
    await system.view._measuring  # type: ignore[misc]
    system.now += KEPT_S
    assert (await system.asr()).ongoing_requests == 7


async def test_replicas_are_counted_by_what_they_do() -> None:
    system = System()
    states = {"running": 1, "starting": 2, "updating": 1, "recovering": 1, "stopping": 1, "pending_migration": 1}
    system.applications = {"graphs": application("DEPLOYING", asr=deployment("UPSCALING", "", **states))}
    body = await system.look()
    (asr,) = body.applications[0].deployments
    assert body.applications[0].status == "deploying"
    assert (asr.status, asr.message) == ("upscaling", "Replicas are being added.")
    assert (asr.replicas.running, asr.replicas.starting, asr.replicas.stopping) == (1, 4, 2)


def test_every_status_but_healthy_has_a_sentence() -> None:
    assert set(SENTENCES) == {status.value for status in Status} - {"HEALTHY"}


def test_an_owner_is_told_of_the_system_and_nothing_that_is_not_for_owners(serve: Serve) -> None:
    secret = 'Traceback: File "/srv/secret/asr.py" on host 192.0.2.2'
    system = System()
    system.applications = {
        "graphs": application("UNHEALTHY", asr=deployment("DEPLOY_FAILED", secret)),
        "api": application(ingress=deployment(running=1)),
        "another": application(),
    }
    with serve(dashboard_url="http://127.0.0.1:8265", applications=["graphs", "api", "live"]) as client:
        client.app.state.system_view = system.view  # type: ignore[attr-defined]
        for _ in range(2):
            client.post("/v1/jobs/spoof", files={"file": ("secret.flac", DIALOGUE.read_bytes())})
        answer = client.get("/v1/system")
        del client.headers["X-API-Key"]
        assert client.get("/v1/system").status_code == 401
    body: dict[str, Any] = answer.json()
    assert SystemBody.model_validate(body)
    assert "secret" not in answer.text
    assert "192.0.2.2" not in answer.text
    assert [(found["name"], found["status"]) for found in body["applications"]] == [
        ("graphs", "unhealthy"),
        ("api", "running"),
        ("live", "not_deployed"),
    ]
    assert body["applications"][0]["deployments"][0]["message"].startswith("It could not be started")
    (spoof,) = body["queue"]
    assert (spoof["kind"], spoof["queued"], spoof["running"], spoof["failed"]) == ("spoof", 2, 0, 0)
    assert spoof["queued_audio_seconds"] == pytest.approx(62, abs=2)
    assert spoof["oldest_queued_seconds"] >= 0
    assert body["dashboard_url"] == "http://127.0.0.1:8265"
    assert body["versions"] == installed_versions()
    assert {"python", "ray", "numpy"} <= set(body["versions"])


def test_a_controller_that_does_not_answer_is_an_outage(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise RuntimeError("the controller at 192.0.2.2 is gone")

    async def no_exports() -> list[str]:
        return []

    monkeypatch.setattr("graphs.http.observability.system_view.serve.status", silent)
    with serve() as client:
        client.app.state.system_view = SystemView(exports=no_exports)  # type: ignore[attr-defined]
        answer = client.get("/v1/system")
    assert (answer.status_code, answer.json()["code"]) == (503, "state_unavailable")
    assert "192.0.2.2" not in answer.text


def test_a_local_run_tells_the_api_where_the_dashboard_is_unless_it_was_told() -> None:
    url = "http://127.0.0.1:8265"
    graphs = {"import_path": "graphs.app:graphs", "args": {}}
    api = {"import_path": "graphs.app:api", "args": {"logs": {}}}
    told = {"import_path": "graphs.app:api", "args": {"dashboard_url": "https://ray.example"}}
    bare = {"import_path": "graphs.app:api", "args": None}
    assert with_dashboard([graphs, api, told, bare], url) == [
        graphs,
        {**api, "args": {"dashboard_url": url, "logs": {}}},
        told,
        {**bare, "args": {"dashboard_url": url}},
    ]
