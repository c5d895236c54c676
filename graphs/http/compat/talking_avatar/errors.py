"""The talking avatar's routes as its clients know them: Russian errors in ``{"error": ...}``."""

# ruff: noqa: RUF001 - Russian texts
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from graphs.common.errors import ApiError, as_api_error
from graphs.http.server.errors import respond

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


class TalkingAvatarRoute(APIRoute):
    """A route that answers errors in the talking avatar's words."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                return refusal(request, error)

        return handled


def refusal(request: Request, error: Exception) -> Response:
    """Return an error's response: whatever is wrong with a request is 400."""
    told: ApiError
    match error:
        case Refusal():
            told = error
        case RequestValidationError():
            told = ApiError(400, "invalid_request", _invalid(error))
        case HTTPException():
            told = ApiError(error.status_code, "http", _INVALID if error.status_code < 500 else _FAULT)
        case _:
            told = as_api_error(error)
            told = ApiError(
                400 if told.status in (415, 422) else told.status,
                told.code,
                _TEXTS.get(told.code, _FAULT if told.status >= 500 else _INVALID),
                retry_after=told.retry_after,
            )
    return respond(request, told)


def _invalid(error: RequestValidationError) -> str:
    fault = error.errors()[0]
    if fault["type"] == "string_type" and fault["loc"][-1] == "text":
        return 'Поле "text" должно быть строкой'
    return _FIELDS.get(str(fault["loc"][-1]), MISSING_TEXT)
