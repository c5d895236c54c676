"""The gRPC service on the running system, for a stock client that knows the contract and nothing of Ray."""

from collections.abc import Iterator
from typing import Any

import boto3
import grpc
import httpx
import pytest
from cluster_system import BUCKET, LENT_BUCKET
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from waiting import events, patiently, submit, wait_for

from graphs.http.compat.realtone.rpc.audio_analyzer_pb2 import AnalyzeAudioRequest, AnalyzeAudioResponse
from graphs.http.compat.realtone.rpc.audio_analyzer_pb2_grpc import AudioAnalysisStub

pytestmark = pytest.mark.cluster

Code = grpc.StatusCode
FIVE_MINUTES = 300


class Caller:
    """A client as RealTone's Go backend is one."""

    def __init__(self, channel: grpc.Channel, key: str) -> None:
        self.stub = AudioAnalysisStub(channel)  # type: ignore[no-untyped-call]
        self.metadata = (("authorization", f"Bearer {key}"),)

    def call(self, bucket: str, key: str, **options: object) -> tuple[AnalyzeAudioResponse, grpc.Call]:
        request = AnalyzeAudioRequest(minio_bucket_name=bucket, minio_object_key=key)
        options = {"metadata": self.metadata, "timeout": FIVE_MINUTES, **options}
        found: tuple[AnalyzeAudioResponse, grpc.Call] = self.stub.AnalyzeAudio.with_call(request, **options)
        return found

    def refusal(self, bucket: str, key: str, **options: object) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as refused:
            self.call(bucket, key, **options)
        return refused.value


@pytest.fixture(scope="module")
def channel(system) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(system.grpc_address) as channel:
        yield channel


@pytest.fixture(scope="module")
def caller(system, channel) -> Caller:
    return Caller(channel, system.key)


def uploaded(client: httpx.Client, recording: bytes) -> str:
    """Upload past the service and return the object's key."""
    ticket = client.post("/v1/uploads", json={"content_type": "audio/flac"}).json()
    httpx.put(ticket["url"], content=recording, headers=ticket["headers"]).raise_for_status()
    key: str = ticket["object_key"]
    return key


def spoof_job(client: httpx.Client, correlation_id: str) -> dict[str, Any] | None:
    """Return the job that a call with this correlation id made."""
    jobs = patiently(client, "/v1/jobs?kind=spoof&limit=100").json()["jobs"]
    return next((job for job in jobs if job["correlation_id"] == correlation_id), None)


@pytest.fixture(scope="module")
def recording(system, dialogue) -> str:
    with system.client() as client:
        return uploaded(client, dialogue)


def test_a_recording_gets_the_same_scores_as_over_http(client, caller, recording) -> None:
    response, call = caller.call(BUCKET, recording, metadata=(*caller.metadata, ("x-correlation-id", "grpc-1")))
    told = dict(call.trailing_metadata())
    assert told["x-correlation-id"] == "grpc-1"
    job = spoof_job(client, "grpc-1")
    assert job
    chunks = client.get(f"/v1/jobs/{job['id']}/artifacts/spoof.json").json()["chunks"]
    expected = [
        (f"chunk_{i}", pytest.approx(chunk["p_spoof"]), pytest.approx(chunk["start"]), pytest.approx(chunk["end"]))
        for i, chunk in enumerate(chunks)
        if chunk["p_spoof"] is not None
    ]
    assert expected
    found = [(p.chunk_id, p.score, p.start_time_seconds, p.end_time_seconds) for p in response.predictions]
    assert found == expected
    assert response.error_message == ""


def test_the_operators_bucket_is_read_below_the_callers_name(system, client, channel, dialogue) -> None:
    made = client.post("/admin/users", json={"name": "ada"}, headers={"X-Admin-Key": system.admin_key}).json()
    s3 = boto3.client("s3", endpoint_url=system.s3_endpoint, region_name="us-east-1")
    s3.create_bucket(Bucket=LENT_BUCKET)
    for key in ("ada/1700000000000000000/talk.flac", "adam/talk.flac"):
        s3.put_object(Bucket=LENT_BUCKET, Key=key, Body=dialogue)
    ada = Caller(channel, made["api_key"])
    response, _call = ada.call(LENT_BUCKET, "ada/1700000000000000000/talk.flac")
    assert response.predictions
    assert ada.refusal(LENT_BUCKET, "adam/talk.flac").code() is Code.NOT_FOUND


@pytest.mark.parametrize("sent", [(), (("authorization", "Bearer nobody's"),), (("x-api-key", "nobody's"),)])
def test_without_a_valid_key_a_call_is_unauthenticated(caller, recording, sent) -> None:
    assert caller.refusal(BUCKET, recording, metadata=sent).code() is Code.UNAUTHENTICATED


def test_refusals_have_the_contracts_statuses(system, client, caller, recording) -> None:
    with system.client(system.other_key) as stranger:
        foreign = uploaded(stranger, b"another's")
    for bucket, key, code in (
        ("", recording, Code.INVALID_ARGUMENT),
        (BUCKET, "", Code.INVALID_ARGUMENT),
        (BUCKET, uploaded(client, b"no recording"), Code.INVALID_ARGUMENT),
        (BUCKET, uploaded(client, b""), Code.INVALID_ARGUMENT),
        ("elsewhere", recording, Code.NOT_FOUND),
        (BUCKET, f"{recording}0", Code.NOT_FOUND),
        (BUCKET, foreign, Code.NOT_FOUND),
    ):
        refused = caller.refusal(bucket, key)
        assert refused.code() is code, (bucket, key)
        assert refused.details()
        assert "Traceback" not in refused.details()
        assert dict(refused.trailing_metadata())["x-correlation-id"]


def test_a_caller_who_leaves_takes_the_job_along(client, caller, dialogue) -> None:
    busy = [submit(client, dialogue) for _ in range(2)]  # as many as the worker takes at once
    wait_for(lambda: {patiently(client, f"/v1/jobs/{job}").json()["state"] for job in busy} == {"running"})
    request = AnalyzeAudioRequest(minio_bucket_name=BUCKET, minio_object_key=uploaded(client, dialogue))
    metadata = (*caller.metadata, ("x-correlation-id", "grpc-leaves"))
    call = caller.stub.AnalyzeAudio.future(request, metadata=metadata, timeout=FIVE_MINUTES)
    job = wait_for(lambda: spoof_job(client, "grpc-leaves"))
    call.cancel()
    assert events(client, job["id"])[-1]["event"] == "cancelled"
    for waiting in busy:
        client.delete(f"/v1/jobs/{waiting}")


def test_the_service_describes_itself(channel) -> None:
    assert "audioanalyzer.AudioAnalysis" in ProtoReflectionDescriptorDatabase(channel).get_services()


def test_a_message_is_bounded_before_anybody_is_asked_for_a_key(caller) -> None:
    refused = caller.refusal("x" * (4 * 2**20 + 1), "key", metadata=())
    assert refused.code() is Code.RESOURCE_EXHAUSTED
