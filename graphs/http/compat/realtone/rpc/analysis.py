"""``AnalyzeAudio``: a durable job like any other, whose end the caller waits for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi.security import HTTPAuthorizationCredentials
from fastapi.security.utils import get_authorization_scheme_param
from grpc import StatusCode
from ray.serve.grpc_util import RayServegRPCContext

from graphs.common.config import ApiConfig
from graphs.http.compat.realtone.rpc.audio_analyzer_pb2 import (
    AnalyzeAudioRequest,
    AnalyzeAudioResponse,
    AudioChunkPrediction,
)
from graphs.http.compat.realtone.rpc.buckets import Buckets
from graphs.http.compat.realtone.rpc.metrics import RpcMetrics
from graphs.http.compat.realtone.rpc.status import RpcError, as_rpc_error, of_unsuccessful
from graphs.http.compat.realtone.scores import scored_chunks
from graphs.http.server.auth import owner as owner_of_key
from graphs.http.server.correlation import CORRELATION_HEADER, acceptable_or_new
from graphs.http.server.job_view import load_report
from graphs.http.server.services import Services
from graphs.http.server.submission import Submission, submit_job
from graphs.spoof.kind import SPOOF
from graphs.spoof.report import SpoofReport
from storage.jobs import Job, JobNotFound
from storage.users import User

NO_SPEECH = "no speech found"
_LOOPBACK = ("ipv4:127.", "ipv6:[::1]:", "ipv6:%5B::1%5D:", "unix:")
_CORRELATION = CORRELATION_HEADER.lower()

_log = structlog.get_logger()


def from_this_machine(peer: str) -> bool:
    """Tell whether gRPC's name for a peer is this machine's."""
    return peer.startswith(_LOOPBACK)


class AudioAnalysis:
    """The service, within an ingress replica.

    Args:
        config: Settings of the application.

    Raises:
        ValueError: See ``Buckets``.
    """

    def __init__(self, config: ApiConfig) -> None:
        self._loopback_only = config.grpc.loopback_only
        self._buckets = Buckets(config)
        self._metrics = RpcMetrics()

    async def analyze(
        self, services: Services, request: AnalyzeAudioRequest, context: RayServegRPCContext
    ) -> AnalyzeAudioResponse:
        """Score a recording of the object store.

        A refusal is a status on the context and an empty response, not an exception: Serve would write a traceback for
        one and drop the metadata.
        """
        sent = {key.lower(): value for key, value in context.invocation_metadata() if isinstance(value, str)}
        correlation_id = acceptable_or_new(sent.get(_CORRELATION, ""))
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        trailing = [(_CORRELATION, correlation_id)]
        code = StatusCode.CANCELLED
        started = time.monotonic()
        try:
            if self._loopback_only and not from_this_machine(context.peer()):
                raise RpcError(StatusCode.PERMISSION_DENIED, "This service takes calls from its own machine only.")
            owner = await _authenticated(services, sent)
            response = await self._analyze(services, owner, request, correlation_id)
            code = StatusCode.OK
            return response
        except Exception as error:
            refused = as_rpc_error(error)
            code = refused.code
            context.set_code(code)
            context.set_details(refused.details)
            if refused.retry_after is not None:
                trailing.append(("retry-after", str(max(1, round(refused.retry_after)))))
            return AnalyzeAudioResponse()
        finally:
            context.set_trailing_metadata(trailing)
            self._metrics.observe("AnalyzeAudio", code.name, time.monotonic() - started)

    async def _analyze(
        self, services: Services, owner: User, request: AnalyzeAudioRequest, correlation_id: str
    ) -> AnalyzeAudioResponse:
        submission = await self._buckets.submission(
            services, owner, request.minio_bucket_name, request.minio_object_key
        )
        async with _job(services, owner, submission, correlation_id) as job:
            try:
                async for _event in services.jobs.follow(job.id, owner.id):
                    pass
                ended = await services.jobs.get(job.id, owner.id)
            except JobNotFound:
                raise RpcError(StatusCode.CANCELLED, "The analysis was erased.") from None
        if ended.state != "succeeded":
            raise of_unsuccessful(ended)
        return _response(await load_report(services, SPOOF, ended))


async def _authenticated(services: Services, sent: dict[str, str]) -> User:
    scheme, credentials = get_authorization_scheme_param(sent.get("authorization"))
    bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials)
    return await owner_of_key(services, sent.get("x-api-key"), bearer if scheme.lower() == "bearer" else None)


@asynccontextmanager
async def _job(services: Services, owner: User, submission: Submission, correlation_id: str) -> AsyncIterator[Job]:
    """Submit the job, and cancel it when the caller leaves or its deadline passes."""
    # In a task of its own: a caller who leaves while the job is being committed must not leave it running.
    submitting = asyncio.create_task(submit_job(services, owner, submission, correlation_id=correlation_id))
    try:
        job, _created = await asyncio.shield(submitting)
        _log.info("grpc analysis", job_id=str(job.id))
        yield job
    except asyncio.CancelledError:
        await asyncio.shield(_abandon(services, owner, submitting))
        raise


async def _abandon(services: Services, owner: User, submitting: "asyncio.Task[tuple[Job, bool]]") -> None:
    try:
        job, _created = await submitting
        await services.jobs.cancel(job.id, owner.id)
        _log.info("caller has gone; job cancelled", job_id=str(job.id))
    except Exception as error:
        _log.warning("caller has gone; no job to cancel", reason=str(error))


def _response(report: SpoofReport) -> AnalyzeAudioResponse:
    predictions = [
        AudioChunkPrediction(chunk_id=chunk, score=p_spoof, start_time_seconds=start, end_time_seconds=end)
        for chunk, p_spoof, start, end in scored_chunks(report)
    ]
    return AnalyzeAudioResponse(predictions=predictions, error_message="" if predictions else NO_SPEECH)
