"""Errors as lingua's clients know them: of two services, with a layout each."""

from fastapi.exceptions import RequestValidationError

from graphs.common.errors import ApiError
from graphs.http.server.errors import ErrorFormat, as_http_error


def _translate(error: Exception) -> ApiError:
    """Call a body that is not of the declared type 400, by its first fault."""
    if isinstance(error, RequestValidationError):
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"][1:]))
        if fault["type"] == "missing":
            return ApiError(400, "missing_field", f"Missing '{field}'", field=field)
        return ApiError(400, "invalid_request", f"{field}: {fault['msg']}", field=field)
    translated = as_http_error(error)
    if translated.code == "malformed_json":
        return ApiError(400, translated.code, "Invalid JSON", field=translated.field)
    return translated


SPEECH_ERRORS = ErrorFormat(("/asr", "/tts", "/voices"), lambda error: {"detail": error.detail}, _translate)
TYPED_ERRORS = ErrorFormat(
    ("/s2s", "/synthesize", "/register_speaker", "/extract", "/config/speaker-mode"),
    lambda error: {"error": error.detail, "type": error.code},
    _translate,
)
