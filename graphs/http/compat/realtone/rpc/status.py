"""Errors as gRPC status codes."""

from grpc import StatusCode

from graphs.common.errors import ApiError, as_api_error
from storage.jobs import Job
from storage.objects import StorageUnavailable

_BY_HTTP_STATUS = {
    401: StatusCode.UNAUTHENTICATED,
    404: StatusCode.NOT_FOUND,
    429: StatusCode.RESOURCE_EXHAUSTED,
    500: StatusCode.INTERNAL,
    503: StatusCode.UNAVAILABLE,
}
_BY_API_CODE = {"service_full": StatusCode.RESOURCE_EXHAUSTED, "idempotency_conflict": StatusCode.ALREADY_EXISTS}
# What a failed job says besides the codes of bad input.
_BY_JOB_CODE = {
    "internal": StatusCode.INTERNAL,
    "internal_error": StatusCode.INTERNAL,
    "worker_lost": StatusCode.INTERNAL,
    "recording_gone": StatusCode.NOT_FOUND,
    "time_limit": StatusCode.DEADLINE_EXCEEDED,
}


class RpcError(Exception):
    """A call that ends with this status.

    Args:
        code: The status.
        details: A sentence for the caller.
        retry_after: Seconds after which it may work.
    """

    def __init__(self, code: StatusCode, details: str, *, retry_after: float | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.retry_after = retry_after


def as_rpc_error(error: Exception) -> RpcError:
    """Translate an error of the engines, the stores or the routes; what is none of theirs is logged and told no one."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, StorageUnavailable) and not error.retryable:
        as_api_error(error)  # logged, for only an operator can help
        return RpcError(StatusCode.FAILED_PRECONDITION, "The object store is not set up.")
    known = as_api_error(error)
    return RpcError(_code(known), known.detail, retry_after=known.retry_after)


def _code(error: ApiError) -> StatusCode:
    return _BY_API_CODE.get(error.code) or _BY_HTTP_STATUS.get(error.status, StatusCode.INVALID_ARGUMENT)


def of_unsuccessful(job: Job) -> RpcError:
    """Return the status of a job that ended without a result."""
    if job.state == "cancelled":
        return RpcError(StatusCode.CANCELLED, "The analysis was cancelled.")
    failure = job.error or {"code": "internal", "message": "The analysis failed."}
    return RpcError(_BY_JOB_CODE.get(failure["code"], StatusCode.INVALID_ARGUMENT), failure["message"])
