"""A kind of job that only this test declares works everywhere; the four shipped ones are declared in the same way."""

import asyncio
import dataclasses
from typing import Any, cast

import pytest
from fake_roles import ABSENT
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
    WorkerRoles,
    as_json,
    by_name,
    handlers_of,
)
from graphs.common.recordings import result_key
from graphs.kinds import KINDS
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


def work(client: TestClient, job_id: str) -> dict[str, Any]:
    """Do a job with the handler that the workers would have."""
    services = client.app.state.services  # type: ignore[attr-defined]
    context = WorkerContext(
        config=GraphsConfig(),
        database=services.database,
        objects=services.objects,
        roles=cast(WorkerRoles, ABSENT),
        speakers=services.speakers,
        share=lambda samples: pytest.fail("nothing is shared"),
        put=lambda data: pytest.fail("nothing is shared"),
    )
    return finish(client, job_id, COUNT.name, handlers_of(by_name(COUNT), context)[COUNT.name])


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
