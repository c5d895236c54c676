"""Errors as RealTone's clients know them: ``{"error": ...}``, and 400 for whatever is wrong with an upload."""

from graphs.common.errors import ApiError
from graphs.http.server.errors import ErrorFormat, as_http_error
from models.errors import InputError


def _translate(error: Exception) -> ApiError:
    told = as_http_error(error)
    if isinstance(error, InputError) or told.status in (413, 415, 422):
        return ApiError(400, told.code, told.detail, field=told.field)
    return told


ERRORS = ErrorFormat(("/api/v1/audio/", "/api/v1/history"), lambda error: {"error": error.detail}, _translate)
