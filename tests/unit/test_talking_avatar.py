"""The talking avatar's routes over fake roles: its shapes, its limits, its Russian errors."""

# ruff: noqa: RUF001 - Russian texts
import asyncio
import io
from dataclasses import replace
from typing import Any

import av
import pytest
from fake_roles import ABSENT, FakeLipsync, FakeSpeech
from fake_roles.speech import ENGLISH, RATE, RUSSIAN
from fastapi.testclient import TestClient
from ingress import Serve
from structlog.testing import capture_logs

from deployments.errors import RoleUnavailable
from graphs.common.roles import Roles
from graphs.http.compat.talking_avatar.health import CACHE_SECONDS, TalkingAvatarHealth
from models.speech import Voice

pytestmark = pytest.mark.unit

KAZAKH = Voice("kk-aigul", "Aigul", ("kk",), "fake", RATE, "female")


def roles(lipsync: FakeLipsync | None = None, speech: FakeSpeech | None = None) -> Roles:
    speech = speech or FakeSpeech(ENGLISH, RUSSIAN, KAZAKH)
    return replace(ABSENT, speech=speech, lipsync=lipsync or FakeLipsync())


def generate(client: TestClient, path: str = "/api/generate", **body: Any) -> Any:
    return client.post(path, json=body)


def refused(response: Any) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    return response.status_code, response.json()["error"]


def test_a_text_becomes_a_film_to_save(serve: Serve) -> None:
    speech = FakeSpeech(ENGLISH, RUSSIAN, KAZAKH)
    with serve(roles(speech=speech)) as client:
        response = generate(client, text="раз два три четыре пять")
        assert response.status_code == 200
        assert response.headers["content-type"] == "video/mp4"
        assert response.headers["content-disposition"].startswith('attachment; filename="avatar_speech.mp4"')
        with av.open(io.BytesIO(response.content), "r") as film:
            assert [stream.type for stream in film.streams] == ["video", "audio"]
            assert len(list(film.decode(video=0))) >= 0.5 * 25
        for path, language in (("/api/generate", "en"), ("/r/api/generate", "kk")):
            assert generate(client, path, text="one", language=language, static_mode=True).status_code == 200
    assert [call["voice"] for call in speech.calls] == ["ru-boris", "en-anna", "kk-aigul"]


@pytest.mark.parametrize("prefix", ["", "/r"])
def test_errors_are_the_talking_avatars_own(serve: Serve, prefix: str) -> None:
    path = f"{prefix}/api/generate"
    with serve(roles(), texts={"max_speech_chars": 20}) as client:
        for response, expected in (
            (generate(client, path), (400, 'Требуется поле "text"')),
            (generate(client, path, language="ru"), (400, 'Требуется поле "text"')),
            (client.post(path, json=["text"]), (400, 'Требуется поле "text"')),
            (generate(client, path, text=""), (400, "Текст не может быть пустым")),
            (generate(client, path, text=" \n"), (400, "Текст не может быть пустым")),
            (generate(client, path, text=7), (400, 'Поле "text" должно быть строкой')),
            (generate(client, path, text="да", language="de"), (400, "Неподдерживаемый язык")),
            (generate(client, path, text="да", language=None), (400, "Неподдерживаемый язык")),
            (
                generate(client, path, text="да", static_mode="да"),
                (400, 'Поле "static_mode" должно быть true или false'),
            ),
            (
                generate(client, path, text="а" * 21),
                (400, "Текст слишком длинный: допускается не более 20 символов"),
            ),
            (generate(client, path, text="..."), (400, "В тексте нечего произнести")),
            (generate(client, path, text="?"), (400, "Этот текст нельзя произнести")),
            (client.post(path, content=b"{"), (400, "Неверный формат запроса: ожидается JSON")),
            (client.post(path, content=b"text=hello"), (400, "Неверный формат запроса: ожидается JSON")),
            (generate(client, path, text="а" * 70_000), (413, "Запрос слишком большой")),
        ):
            assert refused(response) == expected
        assert generate(client, path, text="а" * 20).status_code == 200
        assert refused(client.get(path))[0] == 405
        assert refused(client.get(f"{prefix}/api/nothing"))[0] == 404


def test_a_language_that_no_voice_speaks_is_unsupported(serve: Serve) -> None:
    with serve(roles(speech=FakeSpeech(ENGLISH))) as client:
        assert refused(generate(client, text="да")) == (400, "Неподдерживаемый язык")


def test_a_film_needs_a_key_and_so_does_the_picture(serve: Serve) -> None:
    with serve(roles()) as client:
        del client.headers["X-API-Key"]
        for response in (
            generate(client, text="да"),
            generate(client, "/r/api/generate", text="да"),
            client.get("/api/avatar"),
            client.get("/r/api/avatar"),
        ):
            assert refused(response) == (401, "Не указан ключ API")
        wrong = {"X-API-Key": "nobody's"}
        assert refused(client.get("/api/avatar", headers=wrong)) == (401, "Неверный ключ API")


SECRET = RuntimeError("secret")
AWAY = RoleUnavailable("no replica can be reached", retry_after=9.0)


def test_a_model_that_is_not_there_is_told_with_a_time_to_come_back(serve: Serve) -> None:
    with serve(roles(FakeLipsync().failing(fingerprint=AWAY))) as client, capture_logs():
        response = generate(client, text="да")
    assert refused(response) == (503, "Модель не загружена или перегружена. Попробуйте позже.")
    assert response.headers["retry-after"] == "9"


def test_a_fault_says_nothing_of_the_inside(serve: Serve) -> None:
    with serve(roles(FakeLipsync().failing(fingerprint=SECRET))) as client, capture_logs():
        quiet = TestClient(client.app, raise_server_exceptions=False, headers=client.headers)
        assert refused(generate(quiet, text="да")) == (500, "Внутренняя ошибка сервера")


def test_the_picture_is_the_bundled_avatars(serve: Serve) -> None:
    with serve(roles()) as client:
        picture = client.get("/api/avatar")
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
        assert picture.content == client.get("/v1/avatars/default/picture").content
        assert client.get("/r/api/avatar").content == picture.content
        again = client.get("/api/avatar", headers={"If-None-Match": picture.headers["etag"]})
        assert again.status_code == 304


def dumb() -> FakeSpeech:
    return FakeSpeech().failing(voices=AWAY)


@pytest.mark.parametrize(
    ("lipsync", "speech", "expected"),
    [
        (FakeLipsync(), FakeSpeech(), ("ready", True, True, "cpu")),
        (FakeLipsync(device="cuda"), FakeSpeech(), ("ready", True, True, "cuda")),
        (FakeLipsync().failing(prepare=SECRET), FakeSpeech(), ("degraded", True, False, "cpu")),
        (FakeLipsync(device="cuda"), dumb(), ("degraded", False, True, "cuda")),
        (FakeLipsync().failing(fingerprint=SECRET, device=SECRET), dumb(), ("offline", False, False, "cpu")),
    ],
)
def test_health_needs_no_key_and_tells_what_works(
    serve: Serve, lipsync: FakeLipsync, speech: FakeSpeech, expected: tuple[str, bool, bool, str]
) -> None:
    with serve(roles(lipsync, speech)) as client, capture_logs():
        del client.headers["X-API-Key"]
        report = client.get("/api/health")
        below = client.get("/r/api/health")
    assert report.status_code == 200
    assert report.json() == dict(zip(("status", "models_loaded", "avatar_loaded", "device"), expected, strict=True))
    assert below.json() == report.json()
    assert "secret" not in report.text


def test_health_asks_the_parts_once_in_a_few_seconds(serve: Serve) -> None:
    now = 0.0
    asked = 0

    class Counting(FakeSpeech):
        async def voices(self) -> tuple[Voice, ...]:
            nonlocal asked
            asked += 1
            return await super().voices()

    with serve(roles(speech=Counting())) as client:
        client.app.state.talking_avatar_health = TalkingAvatarHealth(monotonic=lambda: now)  # type: ignore[attr-defined]
        for _ in range(3):
            client.get("/api/health")
        assert asked == 1
        now = CACHE_SECONDS
        assert client.get("/api/health").json()["status"] == "ready"
        assert asked == 2


def test_a_part_that_does_not_answer_does_not_hold_up_health(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(FakeSpeech):
        async def voices(self) -> tuple[Voice, ...]:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("graphs.http.compat.talking_avatar.health.PROBE_SECONDS", 0.05)
    with serve(roles(speech=Silent())) as client, capture_logs():
        report = client.get("/api/health").json()
    assert (report["status"], report["models_loaded"]) == ("degraded", False)
