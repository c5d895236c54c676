"""Errors as responses: RFC 9457 problem documents, except on the paths of a family that lays out its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from graphs.common.errors import KNOWN_ERRORS, ApiError, as_api_error
from graphs.http.server.correlation import CORRELATION_HEADER, correlation_id_of


class InvalidRequest(ApiError):
    """A request whose parameters or body are not of the declared types.

    Args:
        status: HTTP status.
        code: A stable machine-readable name.
        faults: ``field`` and ``message`` of everything that is wrong.
    """

    def __init__(self, status: int, code: str, faults: Sequence[dict[str, str]]) -> None:
        detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
        super().__init__(status, code, detail, field=faults[0]["field"] if faults else None)
        self.faults = faults


def as_http_error(error: Exception) -> ApiError:
    """Translate any error of a request; what the router raises has the status's name as its code."""
    match error:
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            code = HTTPStatus(error.status_code).name.lower()
            return ApiError(error.status_code, code, str(error.detail))
        case _:
            return as_api_error(error)


@dataclass(frozen=True)
class ErrorFormat:
    """A family's form of errors, whoever raised them: its routes, what they depend on, or the router.

    Attributes:
        prefixes: Beginnings of the paths that it holds for; of several formats the one with the longest wins.
        body: Lays out an error.
        translate: Makes an error's status and words.
    """

    prefixes: tuple[str, ...]
    body: Callable[[ApiError], dict[str, Any]]
    translate: Callable[[Exception], ApiError] = as_http_error


def install(app: FastAPI, formats: Sequence[ErrorFormat] = ()) -> None:
    """Register the translation of every error into its response."""
    by_prefix = {prefix: form for form in formats for prefix in form.prefixes}
    prefixes = sorted(by_prefix, key=len, reverse=True)

    async def respond(request: Request, error: Exception) -> JSONResponse:
        prefix = next((prefix for prefix in prefixes if request.url.path.startswith(prefix)), None)
        if prefix is None:
            return _respond(request, error, as_http_error(error), None)
        form = by_prefix[prefix]
        return _respond(request, error, form.translate(error), form)

    for kind in (*KNOWN_ERRORS, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, respond)


def _respond(request: Request, error: Exception, api_error: ApiError, form: ErrorFormat | None) -> JSONResponse:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if api_error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(api_error.retry_after)))
    if api_error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="voicegraph"'
    correlation_id = headers[CORRELATION_HEADER] = correlation_id_of(request)
    if form is not None:
        return JSONResponse(form.body(api_error), api_error.status, headers=headers)
    problem = {
        "type": f"urn:voicegraph:problem:{api_error.code}",
        "title": HTTPStatus(api_error.status).phrase,
        "status": api_error.status,
        "detail": api_error.detail,
        "code": api_error.code,
        "correlation_id": correlation_id,
        **({"field": api_error.field} if api_error.field else {}),
        **({"errors": api_error.faults} if isinstance(api_error, InvalidRequest) else {}),
    }
    return JSONResponse(problem, api_error.status, headers=headers, media_type="application/problem+json")


def _invalid(error: RequestValidationError) -> InvalidRequest:
    malformed = any(item["type"] == "json_invalid" for item in error.errors())
    status, code = (400, "malformed_json") if malformed else (422, "invalid_request")
    return InvalidRequest(status, code, [_fault(item) for item in error.errors()])


def _fault(item: dict[str, Any]) -> dict[str, str]:
    # The location's first part is body, query, path or header; a field of the body goes by its own name.
    location = [str(part) for part in item["loc"]]
    field = ".".join(location[1:]) if len(location) > 1 and item["type"] != "json_invalid" else location[0]
    message = "is not a known field" if item["type"] == "extra_forbidden" else str(item["msg"])
    return {"field": field, "message": message}
