"""AnalyzeAudio for a stock client, over a server that hands calls on as Serve's proxy and replica do."""

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import grpc
import pytest
from fake_roles import ABSENT
from google.protobuf.descriptor import FieldDescriptor
from ray.serve._private.grpc_util import gRPCGenericServer
from ray.serve.grpc_util import RayServegRPCContext
from realtone_jobs import Handler, answering, report, working
from structlog.testing import capture_logs

from deployments.serve_config import check
from deployments.strict import ConfigError, validate
from graphs.common.config import DATABASE_URL_VARIABLE, ApiConfig
from graphs.common.recordings import new_upload_key
from graphs.http.compat.realtone.rpc import audio_analyzer_pb2 as pb2
from graphs.http.compat.realtone.rpc.analysis import AudioAnalysis, from_this_machine
from graphs.http.compat.realtone.rpc.audio_analyzer_pb2_grpc import AudioAnalysisStub
from graphs.http.compat.realtone.rpc.metrics import RpcMetrics
from graphs.http.compat.realtone.rpc.routing import APPLICATION, add_audio_analysis
from graphs.http.server.lifespan import open_services
from graphs.http.server.services import Services
from graphs.local.environment import StartError, read_environment
from graphs.local.grpc_port import reserved_grpc_port
from models.errors import InputError
from models.samples import DIALOGUE
from storage.database import DatabaseUnavailable
from storage.jobs import Attempt, JobResult
from storage.objects import StorageUnavailable

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

Code = grpc.StatusCode
BUCKET = "own-bucket"
RECORDING = DIALOGUE.read_bytes()


class Service:
    """A served AudioAnalysis, its stores, a user and the user's client."""

    def __init__(self, services: Services, folder: Path, address: str, channel: grpc.aio.Channel, key: str) -> None:
        self.services, self.folder, self.address, self.key = services, folder, address, key
        self.stub = AudioAnalysisStub(channel)  # type: ignore[no-untyped-call]
        self.user_id = 1

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.key}"),)

    def call(self, bucket: str = BUCKET, key: str = "", metadata: Any = None, timeout: float | None = 30) -> Any:
        request = pb2.AnalyzeAudioRequest(minio_bucket_name=bucket, minio_object_key=key)
        return self.stub.AnalyzeAudio(request, metadata=metadata or self.metadata, timeout=timeout)

    async def refusal(self, *arguments: Any, **options: Any) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.call(*arguments, **options)
        return refused.value

    def upload(self, body: bytes = RECORDING, owner: int | None = None) -> str:
        key = new_upload_key(owner or self.user_id)
        self.services.objects.put(key, body)
        return key

    async def jobs(self) -> list[Any]:
        return (await self.services.jobs.list(self.user_id)).jobs


Serving = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def serving(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serving:
    monkeypatch.setenv(DATABASE_URL_VARIABLE, database_url)

    @asynccontextmanager
    async def run(handler: Handler | None = None, objects: Any = None, **settings: Any) -> AsyncIterator[Service]:
        objects = objects or {"kind": "directory", "path": str(tmp_path / BUCKET)}
        config = validate(ApiConfig, {"storage": {"objects": objects}, **settings})
        async with open_services(config, ABSENT) as services:
            services.objects.ensure()
            key = (await services.users.create("ada")).api_key
            async with _server(AudioAnalysis(config), services) as address, grpc.aio.insecure_channel(address) as found:
                service = Service(services, tmp_path, address, found, key)
                if handler is None:
                    yield service
                else:
                    async with working(services.database, handler):
                        yield service

    return run


@asynccontextmanager
async def _server(analysis: AudioAnalysis, services: Services) -> AsyncIterator[str]:
    """Serve over Serve's own gRPC server class, without its cluster."""

    def factory(service_method: str, streaming_type: object) -> Callable[..., Awaitable[bytes]]:
        assert service_method == "/audioanalyzer.AudioAnalysis/AnalyzeAudio"

        async def answer(request: Any, context: Any) -> bytes:
            assert ("application", APPLICATION) in context.invocation_metadata()
            carried = RayServegRPCContext(context)
            response = await analysis.analyze(services, request, carried)
            carried._set_on_grpc_context(context)
            return response.SerializeToString()

        return answer

    server = gRPCGenericServer(factory)
    add_audio_analysis(object_with_method(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def object_with_method() -> Any:
    class Servicer:
        async def AnalyzeAudio(self, request: Any, context: Any) -> Any:
            raise AssertionError("Serve replaces it")

    return Servicer()


async def until(found: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
    """Ask until there is something, for 10 s."""
    async with asyncio.timeout(10):
        while not (some := await found()):  # noqa: ASYNC110 -- another connection makes it
            await asyncio.sleep(0.01)
    return some


async def queued(service: Service, number: int) -> list[Any]:
    jobs = await service.jobs()
    return jobs if len(jobs) >= number else []


def trailing(error_or_call: Any, key: str) -> str | None:
    return dict(error_or_call or ()).get(key)


async def test_an_uploaded_recording_is_answered_chunk_by_chunk(serving: Serving, tmp_path: Path) -> None:
    async with serving(answering(tmp_path / BUCKET, report(0.1234, None, 0.98765, duration=10.5))) as service:
        call = service.call(key=service.upload(), metadata=(("x-api-key", service.key), ("x-correlation-id", "call-7")))
        response = await call
        predictions = [
            (found.chunk_id, round(found.score, 5), found.start_time_seconds, found.end_time_seconds)
            for found in response.predictions
        ]
        assert predictions == [("chunk_0", 0.1234, 0.0, 4.0), ("chunk_2", 0.98765, 8.0, 10.5)]
        assert response.error_message == ""
        assert trailing(await call.trailing_metadata(), "x-correlation-id") == "call-7"
        (job,) = await service.jobs()
        assert (job.kind, job.state, job.correlation_id) == ("spoof", "succeeded", "call-7")


async def test_a_recording_without_speech_has_no_predictions_and_says_so(serving: Serving, tmp_path: Path) -> None:
    async with serving(answering(tmp_path / BUCKET, report(None, None))) as service:
        response = await service.call(key=service.upload())
    assert list(response.predictions) == []
    assert response.error_message == "no speech found"


async def test_a_call_wants_a_key_before_anything_else(serving: Serving) -> None:
    async with serving() as service:
        for sent in (
            ("x-nothing", ""),
            ("authorization", "Bearer nobody's"),
            ("authorization", f"Basic {service.key}"),
            ("x-api-key", "x" * 1000),
        ):
            refused = await service.refusal("", "", metadata=(sent,))
            assert refused.code() is Code.UNAUTHENTICATED
            assert len(str(trailing(refused.trailing_metadata(), "x-correlation-id"))) == 36


async def test_what_is_missing_or_not_the_callers_is_told_apart_by_status(serving: Serving) -> None:
    async with serving() as service:
        stranger = (await service.services.users.create("bob")).id
        foreign = service.upload(owner=stranger)
        own = service.upload()
        for bucket, key, code in (
            ("", own, Code.INVALID_ARGUMENT),
            (BUCKET, "", Code.INVALID_ARGUMENT),
            ("elsewhere", own, Code.NOT_FOUND),
            (BUCKET, f"{own}0", Code.NOT_FOUND),
            (BUCKET, foreign, Code.NOT_FOUND),
            (BUCKET, f"uploads/{service.user_id}/../{stranger}/{foreign.rpartition('/')[2]}", Code.NOT_FOUND),
            (BUCKET, ".secret", Code.NOT_FOUND),
            (BUCKET, service.upload(b""), Code.INVALID_ARGUMENT),
            (BUCKET, service.upload(b"no recording"), Code.INVALID_ARGUMENT),
        ):
            refused = await service.refusal(bucket, key)
            assert (refused.code(), bool(refused.details())) == (code, True), (bucket, key, refused)
        assert await service.jobs() == []
        assert service.services.objects.head(own).size == len(RECORDING)


@pytest.mark.parametrize(
    ("failure", "code", "details"),
    [
        (InputError("no_audio", "There is no sound in it."), Code.INVALID_ARGUMENT, "There is no sound in it."),
        (RuntimeError("secret"), Code.INTERNAL, "The work failed for a reason inside the service"),
    ],
)
async def test_an_analysis_that_fails_gives_its_reason_and_no_traceback(
    serving: Serving, tmp_path: Path, failure: Exception, code: grpc.StatusCode, details: str
) -> None:
    async with serving(answering(tmp_path / BUCKET, failure), jobs={"max_attempts": 1}) as service:
        with capture_logs():
            refused = await service.refusal(key=service.upload())
    assert refused.code() is code
    assert str(refused.details()).startswith(details)
    assert "secret" not in str(refused.details())


async def test_calls_are_counted_by_the_status_that_the_caller_saw(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []
    monkeypatch.setattr(RpcMetrics, "observe", lambda _self, *call: counted.append(call[:2]))
    async with serving(answering(tmp_path / BUCKET, report(0.5))) as service:
        await service.refusal("", "")
        await service.refusal("", "", metadata=(("x-api-key", "nobody's"),))
        await service.call(key=service.upload())
    assert counted == [("AnalyzeAudio", status) for status in ("INVALID_ARGUMENT", "UNAUTHENTICATED", "OK")]


async def test_outages_and_faults_have_their_own_statuses(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as service:
        key = service.upload()

        async def failing(error: Exception) -> grpc.aio.AioRpcError:
            async def fail(**_options: object) -> None:
                raise error

            monkeypatch.setattr(service.services.jobs, "submit", fail)
            with capture_logs():
                return await service.refusal(key=key)

        assert (await failing(DatabaseUnavailable("secret"))).code() is Code.UNAVAILABLE
        assert (await failing(StorageUnavailable("secret"))).code() is Code.UNAVAILABLE
        assert (await failing(StorageUnavailable("secret", retryable=False))).code() is Code.FAILED_PRECONDITION
        fault = await failing(RuntimeError("secret"))
        assert fault.code() is Code.INTERNAL
        assert "secret" not in str(fault.details())


async def test_a_missing_object_store_is_a_failed_precondition(serving: Serving) -> None:
    async with serving() as service:
        key = service.upload()
        shutil.rmtree(service.folder / BUCKET)
        with capture_logs():
            assert (await service.refusal(key=key)).code() is Code.FAILED_PRECONDITION


async def test_a_full_queue_is_exhausted_and_says_when_to_come_back(serving: Serving) -> None:
    async with serving(jobs={"max_queued_per_owner": 1}) as service:
        first = asyncio.ensure_future(service.call(key=service.upload()))
        await until(service.jobs)
        refused = await service.refusal(key=service.upload())
        assert refused.code() is Code.RESOURCE_EXHAUSTED
        assert int(str(trailing(refused.trailing_metadata(), "retry-after"))) >= 1
        first.cancel()


class Endless:
    """A handler that never ends by itself."""

    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def __call__(self, _attempt: Attempt) -> JobResult:
        self.started.set()
        await asyncio.Event().wait()
        raise AssertionError


async def until_cancelled(service: Service) -> None:
    for job in await until(service.jobs):
        async for _event in service.services.jobs.follow(job.id, service.user_id):
            pass
        assert (await service.services.jobs.get(job.id, service.user_id)).state == "cancelled"


async def test_a_caller_who_leaves_takes_the_job_along(serving: Serving) -> None:
    async with serving(handler := Endless()) as service:
        call = service.call(key=service.upload())
        await handler.started.wait()
        call.cancel()
        await until_cancelled(service)


async def test_a_deadline_takes_the_job_along(serving: Serving) -> None:
    async with serving(handler := Endless()) as service:
        timeout = 0.5
        while not handler.started.is_set():
            timeout *= 2  # until it is enough for the job to have begun
            assert (await service.refusal(key=service.upload(), timeout=timeout)).code() is Code.DEADLINE_EXCEEDED
        await until_cancelled(service)


async def test_a_caller_who_leaves_while_the_job_is_committed_takes_it_along(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as service:
        submit, committing, commit = service.services.jobs.submit, asyncio.Event(), asyncio.Event()

        async def slow(**options: Any) -> Any:
            committing.set()
            await commit.wait()
            return await submit(**options)

        monkeypatch.setattr(service.services.jobs, "submit", slow)
        call = service.call(key=service.upload())
        waiting = asyncio.ensure_future(call)
        await committing.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        commit.set()
        await until_cancelled(service)


@pytest.mark.parametrize("end", ["cancel", "erase"])
async def test_a_job_that_its_owner_ends_cancels_the_call(serving: Serving, end: str) -> None:
    async with serving() as service:
        call = asyncio.ensure_future(service.call(key=service.upload()))
        (job,) = await until(service.jobs)
        await getattr(service.services.jobs, end)(job.id, service.user_id)
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)) as ended:
            await call
        if isinstance(ended.value, grpc.aio.AioRpcError):
            assert ended.value.code() is Code.CANCELLED


LENT = {"buckets": [{"name": "audio-bucket"}, {"name": "shared-bucket", "prefix": ""}]}


async def test_lent_buckets_are_read_within_the_callers_prefix(serving: Serving, tmp_path: Path) -> None:
    for path in ("audio-bucket/ada/1/talk_1.flac", "audio-bucket/adam/1/talk.flac", "shared-bucket/any/talk.flac"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(RECORDING)
    async with serving(answering(tmp_path / BUCKET, report(0.5)), grpc=LENT) as service:
        for bucket, key in (("audio-bucket", "ada/1/talk_1.flac"), ("shared-bucket", "any/talk.flac")):
            assert len((await service.call(bucket, key)).predictions) == 1
        copied = (await service.jobs())[1]
        assert copied.params["filename"] == "talk_1.flac"
        assert service.services.objects.get(copied.input_key) == RECORDING
        for bucket, key, code in (
            ("audio-bucket", "adam/1/talk.flac", Code.NOT_FOUND),
            ("audio-bucket", "ada/1/nothing.flac", Code.NOT_FOUND),
            ("audio-bucket", "ada/../adam/1/talk.flac", Code.INVALID_ARGUMENT),
            ("shared-bucket", "/etc/passwd", Code.INVALID_ARGUMENT),
        ):
            assert (await service.refusal(bucket, key)).code() is code, (bucket, key)
        assert len(list((tmp_path / BUCKET / "uploads").rglob("[!.]*/[!.]*"))) == 2
        slash = (await service.services.users.create("ada/1")).api_key
        refused = await service.refusal("audio-bucket", "ada/1/talk_1.flac", metadata=(("x-api-key", slash),))
        assert refused.code() is Code.NOT_FOUND


async def test_a_lent_recording_that_is_too_large_or_unusable_leaves_no_copy(serving: Serving, tmp_path: Path) -> None:
    folder = tmp_path / "shared-bucket"
    folder.mkdir()
    (folder / "large.flac").write_bytes(RECORDING)
    (folder / "broken.flac").write_bytes(b"no recording")
    async with serving(grpc=LENT, recordings={"max_bytes": len(RECORDING) - 1}) as service:
        for key in ("large.flac", "broken.flac"):
            assert (await service.refusal("shared-bucket", key)).code() is Code.INVALID_ARGUMENT
        assert (await service.refusal("audio-bucket", "ada/talk.flac")).code() is Code.NOT_FOUND
    assert list((tmp_path / BUCKET).rglob("uploads/*/*")) == []


async def test_buckets_of_s3_are_read_likewise(serving: Serving, s3_endpoint: str, tmp_path: Path) -> None:
    objects = {"kind": "s3", "bucket": "grpc-own", "prefix": "voicegraph", "endpoint_url": s3_endpoint}
    lent = {"buckets": [{"name": "grpc-lent"}, {"name": "grpc-gone", "prefix": ""}]}
    s3 = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    s3.create_bucket(Bucket="grpc-lent")
    s3.put_object(Bucket="grpc-lent", Key="ada/talk.flac", Body=RECORDING)

    async with serving(objects=objects, grpc=lent) as service:
        calls = []
        for bucket, key in (("grpc-lent", "ada/talk.flac"), ("grpc-own", service.upload())):
            calls.append(asyncio.ensure_future(service.call(bucket, key)))
            await until(partial(queued, service, len(calls)))
        for bucket, key in (("grpc-gone", "a"), ("grpc-lent", "ada/nothing"), ("grpc-own", "uploads/1/nothing")):
            assert (await service.refusal(bucket, key)).code() is Code.NOT_FOUND
        for call in calls:
            call.cancel()


async def test_only_this_machine_is_answered_where_that_is_asked(serving: Serving) -> None:
    async with serving(grpc={"loopback_only": True}) as service:
        assert (await service.refusal(key="")).code() is Code.INVALID_ARGUMENT  # the caller is near
    for peer, near in (
        ("ipv4:127.0.0.1:5", True),
        ("ipv6:%5B::1%5D:5", True),
        ("unix:", True),
        ("ipv4:192.168.1.2:5", False),
        ("ipv6:%5B2001:db8::1%5D:5", False),
        ("", False),
    ):
        assert from_this_machine(peer) is near, peer


async def test_another_application_named_by_the_client_is_respected() -> None:
    seen: list[Any] = []

    def factory(service_method: str, streaming_type: object) -> Callable[..., Awaitable[bytes]]:
        async def answer(_request: Any, context: Any) -> bytes:
            seen.append([value for key, value in context.invocation_metadata() if key == "application"])
            return b""

        return answer

    server = gRPCGenericServer(factory)
    add_audio_analysis(object_with_method(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = AudioAnalysisStub(channel)  # type: ignore[no-untyped-call]
        await stub.AnalyzeAudio(pb2.AnalyzeAudioRequest(), metadata=(("application", "other"),))
        await stub.AnalyzeAudio(pb2.AnalyzeAudioRequest())
        unknown = channel.unary_unary("/audioanalyzer.AudioAnalysis/Nothing")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unknown(b"")
    await server.stop(None)
    assert seen == [["other"], [APPLICATION]]
    assert refused.value.code() is Code.UNIMPLEMENTED


def test_the_messages_have_the_contracts_names_numbers_and_types() -> None:
    string, number, message = FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_MESSAGE
    found = {
        name: [(field.number, field.name, field.type, field.is_repeated) for field in descriptor.fields]
        for name, descriptor in pb2.DESCRIPTOR.message_types_by_name.items()
    }
    assert pb2.DESCRIPTOR.package == "audioanalyzer"
    assert found == {
        "AnalyzeAudioRequest": [
            (1, "minio_bucket_name", string, False),
            (2, "minio_object_key", string, False),
        ],
        "AudioChunkPrediction": [
            (1, "chunk_id", string, False),
            (2, "score", number, False),
            (3, "start_time_seconds", number, False),
            (4, "end_time_seconds", number, False),
        ],
        "AnalyzeAudioResponse": [
            (1, "predictions", message, True),
            (2, "error_message", string, False),
        ],
    }


@pytest.mark.parametrize("prefix", ["{user}/", "{}/", "{owner_name", "{owner_name.x}/"])
def test_an_unknown_placeholder_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match="owner_name"):
        validate(ApiConfig, {"grpc": {"buckets": [{"name": "lent", "prefix": prefix}]}})


def test_the_systems_own_bucket_cannot_be_lent(tmp_path: Path) -> None:
    objects = {"kind": "directory", "path": str(tmp_path / "objects")}
    config = validate(ApiConfig, {"storage": {"objects": objects}, "grpc": {"buckets": [{"name": "objects"}]}})
    with pytest.raises(ValueError, match="own bucket"):
        AudioAnalysis(config)


def test_a_servicer_function_that_is_not_there_is_refused_before_deployment() -> None:
    with pytest.raises(ConfigError, match=r"grpc_options\.grpc_servicer_functions\[0\].*nothing"):
        check(
            {
                "grpc_options": {"grpc_servicer_functions": ["graphs.http.compat.realtone.rpc.routing:nothing"]},
                "applications": [],
            }
        )


def test_a_wanted_port_must_be_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with pytest.raises(StartError, match=f"VOICEGRAPH_GRPC_PORT is {taken}"), reserved_grpc_port(taken):
            pass


@pytest.mark.skipif(sys.platform != "linux", reason="the port is kept by a property of Linux's sockets")
async def test_a_port_is_kept_for_serve_and_from_everybody_else() -> None:
    with reserved_grpc_port(None) as first, reserved_grpc_port(None) as second:
        assert first != second
        with pytest.raises(StartError), reserved_grpc_port(first):
            pass
        server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
        assert server.add_insecure_port(f"[::]:{first}") == first
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{first}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary("/nothing")(b"")
        assert refused.value.code() is Code.UNIMPLEMENTED  # it is this server that answers
        await server.stop(None)


def test_the_local_port_is_taken_from_the_environment() -> None:
    assert read_environment({}, Path("/data")).grpc_port is None
    assert read_environment({"VOICEGRAPH_GRPC_PORT": "5005"}, Path("/data")).grpc_port == 5005
    with pytest.raises(StartError, match="VOICEGRAPH_GRPC_PORT"):
        read_environment({"VOICEGRAPH_GRPC_PORT": "http"}, Path("/data"))
