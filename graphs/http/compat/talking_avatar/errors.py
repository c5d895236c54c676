"""Errors as the talking avatar's clients know them: Russian, in ``{"error": ...}``."""

# ruff: noqa: RUF001 - Russian texts
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from graphs.common.errors import ApiError
from graphs.http.server.errors import ErrorFormat, as_http_error

MISSING_TEXT = 'Требуется поле "text"'
UNSUPPORTED_LANGUAGE = "Неподдерживаемый язык"

_TEXTS = {
    "missing_key": "Не указан ключ API",
    "invalid_key": "Неверный ключ API",
    "malformed_json": "Неверный формат запроса: ожидается JSON",
    "too_large": "Запрос слишком большой",
    "empty_text": "Текст не может быть пустым",
    "nothing_to_say": "В тексте нечего произнести",
    "unsayable": "Этот текст нельзя произнести",
    "too_long": "Текст слишком длинный",
    "unsupported_language": UNSUPPORTED_LANGUAGE,
    "avatar_not_found": "Аватар недоступен",
    "role_unavailable": "Модель не загружена или перегружена. Попробуйте позже.",
    "too_many_films": "Сервис перегружен. Попробуйте позже.",
    "storage_unavailable": "Хранилище недоступно. Попробуйте позже.",
}
_FIELDS = {
    "language": UNSUPPORTED_LANGUAGE,
    "static_mode": 'Поле "static_mode" должно быть true или false',
}
_FAULT = "Внутренняя ошибка сервера"
_INVALID = "Неверный запрос"


class Refusal(ApiError):
    """An error that is told in the talking avatar's words already."""


def _translate(error: Exception) -> ApiError:
    """Call whatever is wrong with a request 400."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestValidationError):
        return ApiError(400, "invalid_request", _invalid(error))
    translated = as_http_error(error)
    if isinstance(error, HTTPException):  # of the router, whose words are English
        return translated
    return ApiError(
        400 if translated.status in (415, 422) else translated.status,
        translated.code,
        _TEXTS.get(translated.code, _FAULT if translated.status >= 500 else _INVALID),
        retry_after=translated.retry_after,
    )


def _invalid(error: RequestValidationError) -> str:
    fault = error.errors()[0]
    if fault["type"] == "string_type" and fault["loc"][-1] == "text":
        return 'Поле "text" должно быть строкой'
    return _FIELDS.get(str(fault["loc"][-1]), MISSING_TEXT)


ERRORS = ErrorFormat(("/api/", "/r/api/"), lambda error: {"error": error.detail}, _translate)
