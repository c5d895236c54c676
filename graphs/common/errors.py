"""Errors as callers of the service get them, whatever they call it by: HTTP, WebSocket or gRPC."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from deployments.errors import RoleOutOfMemory, RoleUnavailable
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

# Status of an InputError by its code; the rest is 422.
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


def as_api_error(error: Exception) -> ApiError:
    """Translate an error of the engines, the roles or the stores; any other is a fault, which is logged."""
    for kind in type(error).__mro__:
        if kind in _TRANSLATIONS:
            return _TRANSLATIONS[kind](error)
    _log.error("fault", exc_info=error)
    return ApiError(500, "internal", "The service failed; its operators find this by the correlation id.")


def _role_out_of_memory(error: RoleOutOfMemory) -> ApiError:
    _log.error("role out of memory", reason=str(error))
    detail = "The model has too little GPU memory for this now; try again, or with less at once."
    return ApiError(503, "out_of_memory", detail, retry_after=error.retry_after)


def _role_unavailable(error: RoleUnavailable) -> ApiError:
    _log.warning("role unavailable", reason=str(error))
    return ApiError(503, error.code, error.detail, retry_after=error.retry_after)


def _chat_unavailable(error: ChatUnavailable) -> ApiError:
    _log.error("chat engine unavailable", exc_info=error)
    retry_after = error.retry_after or RETRY_AFTER_OUTAGE_S
    return ApiError(503, "chat_unavailable", "The chat engine can't be reached; try again.", retry_after=retry_after)


def _storage_unavailable(error: Exception) -> ApiError:
    _log.error("storage unavailable", exc_info=error)
    detail = "Storage can't be reached; try again."
    return ApiError(503, "storage_unavailable", detail, retry_after=RETRY_AFTER_OUTAGE_S)


def _object_not_found(_error: Exception) -> ApiError:
    return ApiError(404, "object_not_found", "There is no such object.", field="object_key")


def _name_taken(thing: str) -> Callable[[Any], ApiError]:
    return lambda error: ApiError(409, "name_taken", f"You have {thing} named {error.name} already.", field="name")


_TRANSLATIONS: Mapping[type, Callable[[Any], ApiError]] = {
    ApiError: lambda error: error,
    InputError: lambda error: ApiError(
        _INPUT_STATUS.get(error.code, 422), error.code, error.message, field=error.field
    ),
    JobNotFound: lambda _: ApiError(404, "job_not_found", "There is no such job.", field="job_id"),
    NotRetryable: lambda error: ApiError(
        409,
        "not_retryable",
        f"Only a failed or a cancelled job can be tried again; this one is {error.state}.",
        field="job_id",
    ),
    QueueFull: lambda error: ApiError(
        429, "queue_full", "Too many of your jobs are waiting.", retry_after=error.retry_after
    ),
    IdempotencyConflict: lambda _: ApiError(
        409,
        "idempotency_conflict",
        "This Idempotency-Key was used for a different request; use a new one.",
        field="Idempotency-Key",
    ),
    ObjectNotFound: _object_not_found,
    InvalidKey: _object_not_found,
    ObjectTooLarge: lambda error: ApiError(
        413, "too_large", f"The file is larger than {error.limit} bytes.", field="file"
    ),
    SessionNotFound: lambda _: ApiError(
        404, "session_not_found", "There is no such session, or it has expired.", field="session_id"
    ),
    SessionBusy: lambda _: ApiError(
        409,
        "session_busy",
        "A reply of this session is under way; one is given at a time.",
        field="session_id",
        retry_after=1,
    ),
    TooManySessions: lambda error: ApiError(429, "too_many_sessions", str(error), retry_after=error.retry_after),
    VoiceNotFound: lambda _: ApiError(404, "voice_not_found", "There is no such voice.", field="voice"),
    VoiceNameTaken: _name_taken("a voice"),
    TooManyVoices: lambda error: ApiError(
        409, "too_many_voices", f"An owner may have {error.limit} voices.", field="name"
    ),
    AvatarNotFound: lambda _: ApiError(404, "avatar_not_found", "There is no such avatar.", field="avatar"),
    AvatarNameTaken: _name_taken("an avatar"),
    TooManyAvatars: lambda error: ApiError(
        409, "too_many_avatars", f"An owner may have {error.limit} avatars.", field="name"
    ),
    RoleOutOfMemory: _role_out_of_memory,
    RoleUnavailable: _role_unavailable,
    ChatUnavailable: _chat_unavailable,
    DatabaseUnavailable: _storage_unavailable,
    StorageUnavailable: _storage_unavailable,
}

KNOWN_ERRORS: tuple[type[Exception], ...] = tuple(_TRANSLATIONS)
"""Errors that ``as_api_error`` translates; their subclasses, too."""
