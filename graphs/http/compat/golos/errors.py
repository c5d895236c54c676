"""Errors as golos' clients know them: Russian, in ``{"error": ...}``."""

# ruff: noqa: RUF001 - Russian texts
from starlette.exceptions import HTTPException

from graphs.common.errors import ApiError
from graphs.http.server.errors import ErrorFormat, as_http_error

# By code, and for codes of several fields by code and field.
_TEXTS = {
    "rate_limited": "Превышен лимит запросов. Попробуйте позже.",
    "missing_key": "Не указан ключ API",
    "invalid_key": "Неверный ключ API",
    "malformed_json": "Неверный формат запроса",
    "malformed_form": "Неверный формат запроса",
    "not_multipart": "Неверный формат запроса",
    "upload_timeout": "Время ожидания файла истекло",
    "missing_field": "Аудио файл не найден в запросе",
    "unknown_field": "Аудио файл не найден в запросе",
    "empty_file": "Файл пустой",
    ("too_large", "audio"): "Файл слишком большой",
    "too_large": "Запрос слишком большой",
    "unsupported_media": "Неподдерживаемый формат файла",
    "no_audio": "В файле нет звука",
    "damaged": "Файл повреждён",
    "encrypted": "Файл зашифрован",
    "too_short": "Запись слишком короткая",
    ("too_long", "audio"): "Запись слишком длинная",
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


def _translate(error: Exception) -> ApiError:
    translated = as_http_error(error)
    if isinstance(error, HTTPException):  # of the router, which golos leaves in English
        return translated
    status = _CODE_STATUS.get(translated.code, _STATUS.get(translated.status, translated.status))
    text = _TEXTS.get((translated.code, translated.field or "")) or _TEXTS.get(translated.code)
    text = text or (_FAULT if status >= 500 else _INVALID)
    return ApiError(status, translated.code, text, retry_after=translated.retry_after)


ERRORS = ErrorFormat(("/api/v1/",), lambda error: {"error": error.detail}, _translate)
