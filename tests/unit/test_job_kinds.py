"""A kind of job that only this test declares works everywhere; the four shipped ones are declared in the same way."""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from fake_roles import ABSENT, Absent
from fastapi.testclient import TestClient
from finished_jobs import finish
from ingress import Serve
from pydantic import BaseModel, ConfigDict, Field

from graphs.common.config import GraphsConfig
from graphs.common.job_forms import OfObject, RecordingRequest
from graphs.common.job_kind import (
    JSON,
    Artifact,
    CheckContext,
    JobKind,
    MediaArtifact,
    Options,
    WorkerContext,
    as_json,
    by_name,
    handlers_of,
)
from graphs.common.recordings import result_key
from graphs.http.observability.system_view import SystemView
from graphs.kinds import KINDS
from graphs.worker import WorkerReplica
from models.errors import InputError
from models.samples import DIALOGUE
from storage.jobs import Attempt, Handler, JobResult

pytestmark = pytest.mark.unit

RECORDING = DIALOGUE.read_bytes()


class CountRequest(RecordingRequest):
    unit: str = Field(default="bytes")


class CountOfObject(CountRequest, OfObject):
    pass


class Count(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int
    unit: str
    speakers: tuple[str, ...]


async def check(context: CheckContext, options: Options) -> None:
    if options.get("unit", "bytes") not in ("bytes", "bits"):
        raise InputError("unknown_unit", f"Owner {context.owner_id} asked for an unknown unit.", field="unit")


def handler(context: WorkerContext) -> Handler:
    async def run(attempt: Attempt) -> JobResult:
        job = attempt.job
        assert job.input_key is not None
        audio = await asyncio.to_thread(context.objects.get, job.input_key)
        unit = job.params["options"].get("unit", "bytes")
        report = Count(number=len(audio) * (8 if unit == "bits" else 1), unit=unit, speakers=("A",))
        keys = [result_key(job.id, attempt.fence, name) for name in ("count.json", "copy.flac")]
        context.objects.put(keys[0], report.model_dump_json().encode())
        context.objects.put(keys[1], audio)
        return JobResult({"artifact": keys[0], "copy_object": keys[1], "number": report.number, "speakers": ["A"]})

    return run


def renamed(report: Count, labels: dict[str, str]) -> Count:
    return report.model_copy(update={"speakers": tuple(labels.get(name, name) for name in report.speakers)})


COUNT: JobKind[Count] = JobKind(
    name="count",
    operation="create_count",
    summary="Count a recording",
    description="Accept a recording.",
    form=CountRequest,
    body=CountOfObject,
    report=Count,
    artifacts={
        "count.json": Artifact(JSON, as_json),
        "count.txt": Artifact(
            "text/plain", lambda count, job: f"{job.params['filename']}: {count.number} {count.unit}"
        ),
    },
    handler=handler,
    check=check,
    media=lambda _options: MediaArtifact("copy.flac", "copy_object"),
    rename=renamed,
)
FIVE = by_name(*KINDS.values(), COUNT)


def submit(client: TestClient, **fields: str) -> Any:
    return client.post("/v1/jobs/count", files={"file": ("talk.flac", RECORDING)}, data=fields)


def context(client: TestClient) -> WorkerContext:
    services = client.app.state.services  # type: ignore[attr-defined]
    return WorkerContext(
        config=GraphsConfig(),
        database=services.database,
        objects=services.objects,
        roles=ABSENT,
        speakers=services.speakers,
        share=lambda samples: pytest.fail("nothing is shared"),
        put=lambda data: pytest.fail("nothing is shared"),
    )


def work(client: TestClient, job_id: str) -> dict[str, Any]:
    """Run a job with the handler that the workers would have."""
    return finish(client, job_id, COUNT.name, handlers_of(by_name(COUNT), context(client))[COUNT.name])


def test_a_new_kind_is_submitted_done_shown_and_served(serve: Serve) -> None:
    with serve(kinds=FIVE) as client:
        accepted = submit(client, unit="bits")
        job = accepted.json()
        assert (accepted.status_code, job["kind"], job["params"]) == (202, "count", {"unit": "bits"})
        assert accepted.headers["location"] == f"/v1/jobs/{job['id']}"
        early = client.get(f"/v1/jobs/{job['id']}/artifacts/count.txt")
        assert (early.status_code, early.json()["code"]) == (409, "not_ready")

        done = work(client, job["id"])
        number = 8 * len(RECORDING)
        assert (done["state"], done["result"]) == ("succeeded", {"number": number, "speakers": ["A"]})
        assert set(done["artifacts"]) == {"count.json", "count.txt", "copy.flac"}
        assert client.get("/v1/jobs", params={"kind": "count"}).json()["jobs"] == [done]

        assert client.put(f"/v1/jobs/{job['id']}/labels", json={"labels": {"A": "Ada"}}).status_code == 200
        report = client.get(done["artifacts"]["count.json"])
        assert report.headers["content-type"] == "application/json"
        assert report.json() == {"number": number, "unit": "bits", "speakers": ["Ada"]}
        text = client.get(done["artifacts"]["count.txt"])
        assert (text.text, text.headers["content-type"]) == (f"talk.flac: {number} bits", "text/plain; charset=utf-8")
        assert client.get(done["artifacts"]["copy.flac"], follow_redirects=True).content == RECORDING
        link = client.post(f"/v1/jobs/{job['id']}/media/copy.flac").json()
        assert (link["content_type"], client.get(link["url"]).content) == ("audio/flac", RECORDING)
        missing = client.get(f"/v1/jobs/{job['id']}/artifacts/waveform.json")
        assert (missing.status_code, missing.json()["code"]) == (404, "artifact_not_found")


def test_a_new_kind_takes_a_stored_recording_and_refuses_what_its_check_refuses(serve: Serve) -> None:
    with serve(kinds=FIVE) as client:
        ticket = client.post("/v1/uploads", json={}).json()
        client.put(ticket["url"], content=RECORDING, headers=ticket["headers"])
        named = client.post("/v1/jobs/count", json={"object_key": ticket["object_key"]})
        assert (named.status_code, named.json()["params"]) == (202, {})
        for refused in (
            submit(client, unit="lines"),
            client.post("/v1/jobs/count", json={"object_key": ticket["object_key"], "unit": "lines"}),
        ):
            assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
                422,
                "unknown_unit",
                "unit",
            )
        assert submit(client, colour="red").json()["field"] == "colour"


def test_a_new_kind_is_in_the_api_description(serve: Serve) -> None:
    with serve(kinds=FIVE) as client:
        paths = client.get("/openapi.json").json()["paths"]
        shipped = [path for path in paths if path in {f"/v1/jobs/{name}" for name in KINDS}]
    post = paths["/v1/jobs/count"]["post"]
    assert post["summary"] == "Count a recording"
    content = post["requestBody"]["content"]
    assert {"file", "unit"} <= set(content["multipart/form-data"]["schema"]["properties"])
    assert "object_key" in content["application/json"]["schema"]["properties"]
    results = paths["/v1/jobs/{job_id}/artifacts/{name}"]["get"]["responses"]["200"]
    assert {"$ref": "#/components/schemas/Count"} in results["content"]["application/json"]["schema"]["anyOf"]
    assert shipped == ["/v1/jobs/transcription", "/v1/jobs/spoof", "/v1/jobs/translation", "/v1/jobs/avatar"]


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        by_name(COUNT, dataclasses.replace(KINDS["spoof"], name="count"))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_shipped_kind_is_named_as_it_is_registered(kind: JobKind[Any]) -> None:
    assert KINDS[kind.name] is kind
    fields = set(kind.form.model_fields)
    assert fields < set(kind.body.model_fields), "what a form takes, JSON takes too"


def test_every_shipped_kind_makes_its_handler(serve: Serve) -> None:
    with serve() as client:
        assert handlers_of(KINDS, context(client)).keys() == KINDS.keys()


@pytest.fixture
def older(serve: Serve) -> Iterator[tuple[TestClient, str, str]]:
    """A version without the kind, on the database of one that had it, with a finished and a waiting job of the kind."""
    with serve(kinds=FIVE) as newer:
        finished, waiting = submit(newer).json()["id"], submit(newer, unit="bits").json()["id"]
        newer.post(f"/v1/jobs/{waiting}/cancel")
        assert work(newer, finished)["state"] == "succeeded"
        newer.post(f"/v1/jobs/{waiting}/retry")
        key = newer.headers["X-API-Key"]
        with serve() as client:
            client.headers["X-API-Key"] = key
            yield client, finished, waiting


def test_a_job_of_an_unknown_kind_is_shown_as_such(older: tuple[TestClient, str, str]) -> None:
    client, finished, waiting = older
    spoof = client.post("/v1/jobs/spoof", files={"file": RECORDING}).json()
    listed = client.get("/v1/jobs").json()["jobs"]
    assert {(job["id"], job["kind"], job["supported"]) for job in listed} == {
        (finished, "count", False),
        (waiting, "count", False),
        (spoof["id"], "spoof", True),
    }
    done = client.get(f"/v1/jobs/{finished}").json()
    assert (done["state"], done["result"], done["artifacts"]) == ("succeeded", None, {})
    shown = client.get(f"/v1/jobs/{waiting}").json()
    assert (shown["state"], shown["params"], shown["queue_position"]) == ("queued", {"unit": "bits"}, 1)
    assert shown["filename"] == "talk.flac"
    queue = {row["kind"]: row["supported"] for row in system_queue(client)}
    assert queue == {"count": False, "spoof": True}


def system_queue(client: TestClient) -> list[dict[str, Any]]:
    async def nothing() -> Any:
        return []

    client.app.state.system_view = SystemView(lambda: asyncio.sleep(0, {}), nothing)  # type: ignore[attr-defined]
    rows: list[dict[str, Any]] = client.get("/v1/system").json()["queue"]
    return rows


def test_results_of_an_unknown_kind_wait_for_a_version_that_has_it(older: tuple[TestClient, str, str]) -> None:
    client, finished, _waiting = older
    for name in ("count.json", "copy.flac", "waveform.json"):
        missing = client.get(f"/v1/jobs/{finished}/artifacts/{name}")
        assert (missing.status_code, missing.json()["code"]) == (404, "artifact_not_found")
        assert "'count'" in missing.json()["detail"]
    assert client.post(f"/v1/jobs/{finished}/media/copy.flac").status_code == 404
    assert client.get(f"/v1/jobs/{finished}/recording", follow_redirects=True).content == RECORDING
    assert "event: succeeded" in client.get(f"/v1/jobs/{finished}/events").text
    named = client.put(f"/v1/jobs/{finished}/labels", json={"labels": {"A": "Ada"}})
    assert (named.status_code, named.json()["labels"]) == (200, {"A": "Ada"})


def test_a_job_of_an_unknown_kind_is_cancelled_and_erased_but_not_retried(older: tuple[TestClient, str, str]) -> None:
    client, finished, waiting = older
    assert client.post(f"/v1/jobs/{waiting}/cancel").json()["state"] == "cancelled"
    refused = client.post(f"/v1/jobs/{waiting}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "unsupported_kind")
    assert client.get(f"/v1/jobs/{waiting}").json()["state"] == "cancelled"
    for job_id in (finished, waiting):
        assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
        assert client.get(f"/v1/jobs/{job_id}").status_code == 404
    objects = client.app.state.services.objects  # type: ignore[attr-defined]
    assert [*objects.list("uploads/"), *objects.list("jobs/")] == []


def test_a_worker_leaves_a_job_of_an_unknown_kind_in_the_queue(older: tuple[TestClient, str, str]) -> None:
    client, _finished, waiting = older
    spoof = client.post("/v1/jobs/spoof", files={"file": RECORDING}).json()["id"]

    async def done(_attempt: Attempt) -> JobResult:
        return JobResult({})

    assert finish(client, spoof, "spoof", done)["state"] == "succeeded", "it was submitted after the other one"
    left = client.get(f"/v1/jobs/{waiting}").json()
    assert (left["state"], left["attempt"], left["queue_position"]) == ("queued", 0, 1)
    services = client.app.state.services  # type: ignore[attr-defined]
    assert client.portal is not None
    backlog = client.portal.call(lambda: services.jobs.backlog(kinds=KINDS))
    assert (backlog.queued, backlog.running) == (0, 0), "it asks for no more workers"


def test_the_workers_replica_does_the_jobs_of_its_kinds(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.worker.configure_logs", lambda level: None)
    with serve(kinds=FIVE) as client:
        job_id = submit(client).json()["id"]
        services = client.app.state.services  # type: ignore[attr-defined]
        config = GraphsConfig(storage=services.config.storage)

        async def until_ended() -> None:
            replica = WorkerReplica(config, defaultdict(Absent), FIVE)
            async for _event in services.jobs.follow(UUID(job_id), 1):
                await replica.check_health()
            await replica.__del__()

        assert client.portal is not None
        client.portal.call(until_ended)
        assert client.get(f"/v1/jobs/{job_id}").json()["result"]["number"] == len(RECORDING)
