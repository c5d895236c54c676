"""golos' routes as its clients know them: Russian errors in ``{"error": ...}``, and every request counted."""

# ruff: noqa: RUF001 - Russian texts
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from graphs.common.errors import ApiError, as_api_error
from graphs.http.server.assistant_audio import FIELD
from graphs.http.server.errors import respond
from graphs.http.server.services import services_of
from storage.sessions import AssistantCounters

_log = structlog.get_logger()

# By code, and for codes of several fields by code and field.
_TEXTS = {
    "rate_limited": "Превышен лимит запросов. Попробуйте позже.",
    "missing_key": "Не указан ключ API",
    "invalid_key": "Неверный ключ API",
    "malformed_json": "Неверный формат запроса",
    "malformed_form": "Неверный формат запроса",
    "not_multipart": "Неверный формат запроса",
    "upload_timeout": "Время ожидания файла истекло",
    "missing_file": "Аудио файл не найден в запросе",
    "empty_file": "Файл пустой",
    ("too_large", FIELD): "Файл слишком большой",
    "too_large": "Запрос слишком большой",
    "unsupported_media": "Неподдерживаемый формат файла",
    "no_audio": "В файле нет звука",
    "damaged": "Файл повреждён",
    "encrypted": "Файл зашифрован",
    "too_short": "Запись слишком короткая",
    ("too_long", FIELD): "Запись слишком длинная",
    "too_long": "Сообщение слишком длинное",
    "empty_text": "Сообщение не может быть пустым",
    "conversation_refused": "Модель отклонила это сообщение",
    "unsupported_language": "Язык не поддерживается",
    "unknown_voice": "Неизвестный голос",
    "unsupported_voice": "Голос не говорит на этом языке",
    "session_not_found": "Сессия не найдена",
    "session_busy": "Дождитесь ответа на предыдущее сообщение",
    "too_many_sessions": "Слишком много сессий",
    "chat_unavailable": "Не удалось получить ответ. Попробуйте позже.",
    "role_unavailable": "Сервис перегружен. Попробуйте позже.",
    "storage_unavailable": "Хранилище недоступно. Попробуйте позже.",
    "speech_timeout": "Время ожидания синтеза речи истекло",
}
_FAULT = "Внутренняя ошибка сервера"
_INVALID = "Неверный запрос"
# golos calls all of these 400; its own 413 and 429 stay, and its 500 is for the recogniser and the chat engine.
_STATUS = {408: 400, 415: 400, 422: 400}
_CODE_STATUS = {"chat_unavailable": 500}


class GolosRoute(APIRoute):
    """A route that answers errors in golos' words and counts its requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handle(request)
            except Exception as error:
                response = refusal(request, error)
            outcome = "successful_requests" if response.status_code < 400 else "failed_requests"
            await _count(request, "total_requests", outcome)
            return response

        return handled


def counts(request: Request, *names: str) -> None:
    """Count, at the end of the request, that it used these."""
    if not hasattr(request.state, "golos_counts"):
        request.state.golos_counts = set()
    request.state.golos_counts.update(names)


async def _count(request: Request, *names: str) -> None:
    counts(request, *names)
    try:
        await AssistantCounters(services_of(request).database).add(request.state.golos_counts)
    except Exception:
        # The response matters more than that it is counted.
        _log.warning("a request was not counted", exc_info=True)


def refusal(request: Request, error: Exception) -> Response:
    """Return an error's response."""
    match error:
        case RequestValidationError():
            told = ApiError(400, "invalid_request", str(error))
        case HTTPException():
            told = ApiError(error.status_code, "http", str(error.detail))
        case _:
            told = as_api_error(error)
    status = _CODE_STATUS.get(told.code, _STATUS.get(told.status, told.status))
    text = _TEXTS.get((told.code, told.field or "")) or _TEXTS.get(told.code)
    text = text or (_FAULT if status >= 500 else _INVALID)
    return respond(request, ApiError(status, told.code, text, retry_after=told.retry_after))
