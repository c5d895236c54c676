"""golos' routes over fakes: its shapes, its limits, its Russian errors."""

# ruff: noqa: RUF001 - Russian texts
import base64
import re
from typing import Any

import pytest
from assistant_app import another_owner, conversing, seconds, silent, spoken
from fake_roles import FakeAsr, FakeChat, FakeSpeech
from fastapi.testclient import TestClient
from ingress import Serve
from structlog.testing import capture_logs

from graphs.http.compat.golos.routes import written_language
from models.chat import ChatUnavailable

pytestmark = pytest.mark.unit

RUSSIAN = {"language": "ru"}


def ask_aloud(
    client: TestClient, file: bytes | None = None, name: str = "me.wav", type: str = "audio/wav", **query: str
) -> Any:
    recording = (name, spoken() if file is None else file, type)
    return client.post("/api/v1/voice/process", files={"audio": recording}, params=query)


def ask(client: TestClient, message: Any = "Привет", **body: Any) -> Any:
    return client.post("/api/v1/chat/message", json={"message": message, **body})


def refused(response: Any) -> tuple[int, str]:
    assert list(response.json()) == ["error"]
    return response.status_code, response.json()["error"]


def test_a_voice_is_answered_with_text_and_speech(serve: Serve) -> None:
    chat, speech = FakeChat("У меня ", "всё хорошо."), FakeSpeech()
    with conversing(serve, chat, asr=FakeAsr("Как дела?"), speech=speech, assistant=RUSSIAN) as client:
        answer = ask_aloud(client).json()
        again = ask_aloud(client, session_id=answer["session_id"]).json()
    assert list(answer) == ["text", "response", "audio", "session_id"]
    assert (answer["text"], answer["response"]) == ("Как дела?", "У меня всё хорошо.")
    assert base64.b64decode(answer["audio"]).startswith(b"RIFF")
    assert re.fullmatch(r"\d{14}-[a-z0-9]{8}", answer["session_id"])
    assert again["session_id"] == answer["session_id"]
    assert [message.content for message in chat.asked[1]] == ["Как дела?", "У меня всё хорошо.", "Как дела?"]
    assert {call["voice"] for call in speech.calls} == {"ru-boris"}


@pytest.mark.parametrize(("file", "segments"), [(silent, ("привет",)), (spoken, ("[музыка]", "эм"))])
def test_what_is_not_understood_is_asked_for_again_and_not_sent_to_the_model(
    serve: Serve, file: Any, segments: tuple[str, ...]
) -> None:
    chat = FakeChat("never")
    with conversing(serve, chat, asr=FakeAsr(*segments), assistant=RUSSIAN) as client:
        response = ask_aloud(client, file())
        kept = client.get(f"/v1/assistant/sessions/{response.json()['session_id']}").json()["messages"]
    assert response.status_code == 200
    assert response.json()["text"] == ""
    assert response.json()["response"] == "Не удалось распознать речь. Повторите, пожалуйста."
    assert base64.b64decode(response.json()["audio"]).startswith(b"RIFF")
    assert (chat.asked, kept) == ([], [])


def test_without_speech_the_text_still_comes(serve: Serve) -> None:
    with conversing(serve, FakeChat("Нет ! голоса."), assistant=RUSSIAN) as client, capture_logs():
        response = ask_aloud(client)
    assert response.status_code == 200
    assert response.json()["response"] == "Нет ! голоса."


def test_without_any_voice_the_audio_is_empty(serve: Serve) -> None:
    down = FakeSpeech().failing(voices=RuntimeError("secret"))
    chat, asr = FakeChat("Нет голоса."), FakeAsr("Да?")
    with conversing(serve, chat, speech=down, asr=asr, assistant=RUSSIAN) as client, capture_logs():
        answer = ask_aloud(client).json()
        unheard = ask_aloud(client, silent())
    assert (answer["response"], answer["audio"]) == ("Нет голоса.", "")
    assert (unheard.status_code, unheard.json()["audio"]) == (200, "")


def test_a_message_is_answered_in_its_session(serve: Serve) -> None:
    chat = FakeChat("Здравствуйте.")
    with conversing(serve, chat) as client:
        first = ask(client).json()
        assert list(first) == ["response", "session_id"]
        assert ask(client, "Ещё", session_id=first["session_id"]).json()["session_id"] == first["session_id"]
        assert len(chat.asked[-1]) == 3
        assert client.delete(f"/api/v1/session/{first['session_id']}").json() == {"message": "Сессия очищена"}
        assert client.delete("/api/v1/session/unknown").json() == {"message": "Сессия очищена"}
        anew = ask(client, "Снова", session_id=first["session_id"]).json()
    assert anew["session_id"] != first["session_id"]
    assert len(chat.asked[-1]) == 1
    assert chat.languages == ["ru"] * 3


def test_another_owners_session_is_not_continued(serve: Serve) -> None:
    chat = FakeChat("Здравствуйте.")
    with conversing(serve, chat) as client:
        session = ask(client, "тайна").json()["session_id"]
        response = client.post(
            "/api/v1/chat/message", json={"message": "что?", "session_id": session}, headers=another_owner(client)
        )
    assert response.json()["session_id"] != session
    assert [message.content for message in chat.asked[-1]] == ["что?"]


def test_errors_are_goloss_own(serve: Serve) -> None:
    with conversing(serve, FakeChat("Да."), rate_limits={"assistant": 1000}) as client:
        for response, expected in (
            (ask(client, ""), (400, "Сообщение не может быть пустым")),
            (ask(client, "ы" * 5001), (400, "Сообщение слишком длинное")),
            (ask(client, 7), (400, "Неверный запрос")),
            (client.post("/api/v1/chat/message", content=b"{"), (400, "Неверный формат запроса")),
            (client.post("/api/v1/voice/process", files={"x": b""}), (400, "Аудио файл не найден в запросе")),
            (client.post("/api/v1/voice/process"), (400, "Неверный формат запроса")),
            (ask_aloud(client, b""), (400, "Файл пустой")),
            (ask_aloud(client, b"x" * (11 * 2**20)), (413, "Файл слишком большой")),
            (ask_aloud(client, type="audio/midi"), (400, "Неподдерживаемый формат файла")),
            (ask_aloud(client, b"no sound", type="audio/wav"), (400, "Неподдерживаемый формат файла")),
            (ask_aloud(client, name="me.txt", type=""), (400, "Неподдерживаемый формат файла")),
            (client.post("/api/v1/tts", json={"text": " "}), (400, "Сообщение не может быть пустым")),
            (client.post("/api/v1/tts", json={"text": "да", "voice": "nobody"}), (400, "Неизвестный голос")),
        ):
            assert refused(response) == expected
        assert ask(client, "ы" * 5000).status_code == 200
        assert ask_aloud(client, type="audio/wav; codecs=1").status_code == 200
        assert ask_aloud(client, name="me.WAV", type="application/octet-stream").status_code == 200
        del client.headers["X-API-Key"]
        assert refused(ask(client)) == (401, "Не указан ключ API")


def test_a_model_that_is_down_is_goloss_500(serve: Serve) -> None:
    with conversing(serve, FakeChat(ChatUnavailable("secret"))) as client, capture_logs():
        response = ask(client)
    assert refused(response) == (500, "Не удалось получить ответ. Попробуйте позже.")
    assert "retry-after" in response.headers


def test_a_fault_says_nothing_of_the_inside(serve: Serve) -> None:
    with conversing(serve, FakeChat(RuntimeError("secret"))) as client, capture_logs():
        quiet = TestClient(client.app, raise_server_exceptions=False, headers=client.headers)
        assert refused(ask(quiet)) == (500, "Внутренняя ошибка сервера")


def test_ten_requests_a_minute_are_answered(serve: Serve) -> None:
    with conversing(serve, FakeChat("Да."), rate_limits={"assistant": 3}) as client:
        statuses = [ask(client).status_code for _ in range(8)]
        assert refused(ask(client)) == (429, "Превышен лимит запросов. Попробуйте позже.")
    # The minute may have turned in between.
    assert 3 <= statuses.count(200) <= 6
    assert set(statuses) == {200, 429}


def test_a_recording_is_recognised(serve: Serve) -> None:
    with conversing(serve, FakeChat("never"), asr=FakeAsr("Раз, два.")) as client:
        for name, file in (("me.wav", spoken()), ("me.mp3", spoken("mp3")), ("me.ogg", spoken("opus"))):
            response = client.post("/api/v1/stt", files={"audio": (name, file)})
            assert response.json() == {"text": "Раз, два."}
        assert client.post("/api/v1/stt", files={"audio": ("me.wav", silent())}).json() == {"text": ""}


@pytest.mark.parametrize(
    ("text", "voice", "expected"),
    [("раз два три", "default", "ru-boris"), ("one two", "default", "en-anna"), ("one two", "en-anna", "en-anna")],
)
def test_a_text_is_said_as_wav(serve: Serve, text: str, voice: str, expected: str) -> None:
    speech = FakeSpeech()
    with conversing(serve, FakeChat("never"), speech=speech) as client:
        response = client.post("/api/v1/tts", json={"text": f"{text} " * 5, "voice": voice})
    assert response.headers["content-type"] == "audio/wav"
    assert seconds(response.content) > 0.5
    assert {call["voice"] for call in speech.calls} == {expected}


def test_the_counters_move(serve: Serve) -> None:
    with conversing(serve, FakeChat("Да.")) as client:
        assert client.get("/api/v1/metrics").json() == {
            **dict.fromkeys(("total_requests", "successful_requests", "failed_requests"), 0),
            **dict.fromkeys(("gigachat_requests", "stt_requests", "tts_requests", "active_sessions"), 0),
            "start_time": None,
        }
        ask(client)
        ask_aloud(client)
        ask(client, "")
        counted = client.get("/api/v1/metrics").json()
    assert counted.pop("start_time")
    assert counted == {
        "total_requests": 4,
        "successful_requests": 3,
        "failed_requests": 1,
        "gigachat_requests": 2,
        "stt_requests": 1,
        "tts_requests": 1,
        "active_sessions": 2,
    }


def test_health_needs_no_key_and_names_what_is_down(serve: Serve) -> None:
    chat = FakeChat("Да.")
    with conversing(serve, chat) as client:
        del client.headers["X-API-Key"]
        response = client.get("/api/v1/health")
        assert response.status_code == 200
        report = response.json()
        assert (report["status"], report["service"]) == ("ok", "golos-api")
        assert {name: part["status"] for name, part in report["dependencies"].items()} == {
            "gigachat": "ok",
            "audio_service": "ok",
            "database": "ok",
        }
        assert {"version", "uptime", "timestamp"} < set(report)


def test_a_model_that_is_down_degrades_the_health(serve: Serve) -> None:
    chat = FakeChat("Да.")
    chat.errors["check"] = ChatUnavailable("secret")
    with conversing(serve, chat) as client, capture_logs():
        response = client.get("/api/v1/health")
    assert (response.status_code, response.json()["status"]) == (503, "degraded")
    assert response.json()["dependencies"]["gigachat"]["status"] == "error"
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("Привет", "en", "ru"),
        ("Hello", "en", "en"),
        ("Привіт", "uk", "uk"),
        ("123", "en", "en"),
        ("Hi, ты", "en", "en"),
    ],
)
def test_the_language_of_a_text_shows_in_its_letters(text: str, default: str, expected: str) -> None:
    assert written_language(text, default) == expected
