"""Errors as responses: RFC 9457 problem documents on the project's own routes, the seeds' JSON on theirs."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from graphs.common.errors import KNOWN_ERRORS, ApiError, as_api_error
from graphs.http.server.correlation import CORRELATION_HEADER, correlation_id_of

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


def install(app: FastAPI) -> None:
    """Register the translation of every error into its response."""
    app.add_exception_handler(RequestValidationError, _on_validation_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_exception)  # type: ignore[arg-type]
    for known in KNOWN_ERRORS:
        app.add_exception_handler(known, _on_known_error)
    app.add_exception_handler(Exception, _on_fault)


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
