"""Errors as responses: RFC 9457 problem documents on the project's own routes, the seeds' JSON on theirs."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from deployments.errors import RoleOutOfMemory, RoleUnavailable
from graphs.avatar.streams import TooManyFilms
from graphs.http.server.correlation import CORRELATION_HEADER, correlation_id_of
from models.chat import ChatUnavailable
from models.errors import InputError
from storage.avatars import AvatarNameTaken, AvatarNotFound, TooManyAvatars
from storage.database import DatabaseUnavailable
from storage.jobs import IdempotencyConflict, JobNotFound, NotRetryable, QueueFull
from storage.objects import InvalidKey, ObjectNotFound, ObjectTooLarge, StorageUnavailable
from storage.sessions import SessionBusy, SessionNotFound, TooManySessions
from storage.voices import TooManyVoices, VoiceNameTaken, VoiceNotFound

_log = structlog.get_logger()
RETRY_AFTER_OUTAGE_S = 5

# Paths of contracts section B, and of section D's FastAPI services: their errors are {"detail": ...}.
DETAIL_PATHS = (
    "/upload",
    "/transcribe",
    "/results/",
    "/status/",
    "/labels/",
    "/admin/",
    "/health",
    "/ready",
    "/metrics",
    "/asr",
    "/tts",
    "/voices",
)

# Paths of contracts sections A, C and E: theirs are {"error": ...}.
ERROR_PATHS = ("/api/", "/r/api/")

# Paths of contracts section D: theirs are {"error": ..., "type": ...}.
LINGUA_PATHS = ("/s2s", "/synthesize", "/register_speaker", "/extract", "/config/speaker-mode")

# What the engines call bad input, as HTTP has it; the rest is 422.
_INPUT_STATUS = {
    "empty_file": 400,
    "too_large": 413,
    "unsupported_media": 415,
}


class ApiError(Exception):
    """A request that can't be served, with everything its response needs.

    Args:
        status: HTTP status.
        code: A stable machine-readable name.
        detail: A sentence for a person that names the limit where there is one.
        field: The part of the request at fault.
        retry_after: Seconds after which it may work.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, field: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after = retry_after


def install(app: FastAPI) -> None:
    """Register the translation of every error into its response."""
    app.add_exception_handler(ApiError, _on_api_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _on_validation_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_exception)  # type: ignore[arg-type]
    for known in (
        InputError,
        DatabaseUnavailable,
        IdempotencyConflict,
        JobNotFound,
        NotRetryable,
        QueueFull,
        InvalidKey,
        ObjectNotFound,
        ObjectTooLarge,
        StorageUnavailable,
        ChatUnavailable,
        RoleUnavailable,
        SessionBusy,
        SessionNotFound,
        TooManySessions,
        TooManyVoices,
        VoiceNameTaken,
        VoiceNotFound,
        TooManyAvatars,
        AvatarNameTaken,
        AvatarNotFound,
    ):
        app.add_exception_handler(known, _on_known_error)
    app.add_exception_handler(Exception, _on_fault)


def as_api_error(error: Exception) -> ApiError:
    """Translate an error of the engines or the stores."""
    match error:
        case ApiError():
            return error
        case InputError():
            return ApiError(_INPUT_STATUS.get(error.code, 422), error.code, error.message, field=error.field)
        case JobNotFound():
            return ApiError(404, "job_not_found", "There is no such job.", field="job_id")
        case ObjectNotFound() | InvalidKey():
            return ApiError(404, "object_not_found", "There is no such object.", field="object_key")
        case ObjectTooLarge():
            return ApiError(413, "too_large", f"The file is larger than {error.limit} bytes.", field="file")
        case IdempotencyConflict():
            return ApiError(
                409,
                "idempotency_conflict",
                "This Idempotency-Key was used for a different request; use a new one.",
                field="Idempotency-Key",
            )
        case NotRetryable():
            return ApiError(
                409,
                "not_retryable",
                f"Only a failed or a cancelled job can be tried again; this one is {error.state}.",
                field="job_id",
            )
        case QueueFull():
            return ApiError(429, "queue_full", "Too many of your jobs are waiting.", retry_after=error.retry_after)
        case SessionNotFound():
            return ApiError(
                404, "session_not_found", "There is no such session, or it has expired.", field="session_id"
            )
        case SessionBusy():
            return ApiError(
                409,
                "session_busy",
                "A reply of this session is under way; one is given at a time.",
                field="session_id",
                retry_after=1,
            )
        case TooManySessions():
            return ApiError(429, "too_many_sessions", str(error), retry_after=error.retry_after)
        case VoiceNotFound():
            return ApiError(404, "voice_not_found", "There is no such voice.", field="voice")
        case VoiceNameTaken():
            return ApiError(409, "name_taken", f"You have a voice named {error.name} already.", field="name")
        case TooManyVoices():
            return ApiError(409, "too_many_voices", f"An owner may have {error.limit} voices.", field="name")
        case AvatarNotFound():
            return ApiError(404, "avatar_not_found", "There is no such avatar.", field="avatar")
        case AvatarNameTaken():
            return ApiError(409, "name_taken", f"You have an avatar named {error.name} already.", field="name")
        case TooManyAvatars():
            return ApiError(409, "too_many_avatars", f"An owner may have {error.limit} avatars.", field="name")
        case TooManyFilms():
            return ApiError(
                503,
                "too_many_films",
                "As many films are being made as there is room for; try again.",
                retry_after=error.retry_after,
            )
        case RoleOutOfMemory():
            _log.error("role out of memory", reason=str(error))
            return ApiError(
                503,
                "out_of_memory",
                "The model has too little GPU memory for this now; try again, or with less at once.",
                retry_after=error.retry_after,
            )
        case RoleUnavailable():
            _log.warning("role unavailable", reason=str(error))
            return ApiError(
                503, "role_unavailable", "The model has too much to do; try again.", retry_after=error.retry_after
            )
        case ChatUnavailable():
            _log.error("chat engine unavailable", exc_info=error)
            return ApiError(
                503,
                "chat_unavailable",
                "The chat engine can't be reached; try again.",
                retry_after=error.retry_after or RETRY_AFTER_OUTAGE_S,
            )
        case DatabaseUnavailable() | StorageUnavailable():
            _log.error("storage unavailable", exc_info=error)
            return ApiError(
                503, "storage_unavailable", "Storage can't be reached; try again.", retry_after=RETRY_AFTER_OUTAGE_S
            )
        case _:
            _log.error("fault", exc_info=error)
            return ApiError(500, "internal", "The service failed; its operators find this by the correlation id.")


async def _on_api_error(request: Request, error: ApiError) -> JSONResponse:
    return respond(request, error)


async def _on_known_error(request: Request, error: Exception) -> JSONResponse:
    return respond(request, as_api_error(error))


async def _on_fault(request: Request, error: Exception) -> JSONResponse:
    return respond(request, as_api_error(error))


async def _on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
    code = HTTPStatus(error.status_code).name.lower()
    translated = ApiError(error.status_code, code, str(error.detail))
    response = respond(request, translated)
    response.headers.update(error.headers or {})
    return response


async def _on_validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
    faults = [_fault(item) for item in error.errors()]
    status = 400 if any(item["type"] == "json_invalid" for item in error.errors()) else 422
    code = "malformed_json" if status == 400 else "invalid_request"
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    translated = ApiError(status, code, detail, field=str(faults[0]["field"]) if faults else None)
    return respond(request, translated, errors=faults)


def _fault(item: dict[str, Any]) -> dict[str, Any]:
    # The location's first part is body, query, path or header; a field of the body goes by its own name.
    location = [str(part) for part in item["loc"]]
    field = ".".join(location[1:]) if len(location) > 1 and item["type"] != "json_invalid" else location[0]
    message = "is not a known field" if item["type"] == "extra_forbidden" else str(item["msg"])
    return {"field": field, "message": message}


def respond(request: Request, error: ApiError, **extra: Any) -> JSONResponse:
    """Render an error in the form of the route's family."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="voicegraph"'
    correlation_id = correlation_id_of(request)
    headers[CORRELATION_HEADER] = correlation_id
    if request.url.path.startswith(DETAIL_PATHS):
        return JSONResponse({"detail": error.detail}, error.status, headers=headers)
    if request.url.path.startswith(ERROR_PATHS):
        return JSONResponse({"error": error.detail}, error.status, headers=headers)
    if request.url.path.startswith(LINGUA_PATHS):
        return JSONResponse({"error": error.detail, "type": error.code}, error.status, headers=headers)
    problem = {
        "type": f"urn:voicegraph:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "correlation_id": correlation_id,
        **({"field": error.field} if error.field else {}),
        **extra,
    }
    return JSONResponse(problem, error.status, headers=headers, media_type="application/problem+json")
