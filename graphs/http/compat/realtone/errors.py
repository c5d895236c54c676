"""Errors as RealTone's clients know them: ``{"error": ...}``, and 400 for whatever is wrong with an upload."""

from graphs.common.errors import ApiError
from graphs.http.server.errors import ErrorFormat, as_http_error
from models.errors import InputError


def _translate(error: Exception) -> ApiError:
    translated = as_http_error(error)
    if isinstance(error, InputError) or translated.status in (413, 415, 422):
        return ApiError(400, translated.code, translated.detail, field=translated.field)
    return translated


ERRORS = ErrorFormat(("/api/v1/audio/", "/api/v1/history"), lambda error: {"error": error.detail}, _translate)
