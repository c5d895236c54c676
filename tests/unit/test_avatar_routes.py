"""POST /v1/avatars/{id}/speak over fake roles: what is filmed, what is refused, and what is left behind."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from avatar_films import decoded, picture, syllables
from fake_roles import ABSENT, FakeLipsync, FakeSpeaker, FakeSpeech
from ingress import ADMIN, Serve
from structlog.testing import capture_logs

from graphs.avatar.streams import TooManyFilms
from graphs.common.config import VideoSettings
from graphs.common.roles import Roles
from graphs.http.routes.avatar_films import BegunFilm, FilmResponse
from models.audio.encoding import encode

pytestmark = pytest.mark.unit

SMALL = {"avatars": {"max_side": 128}}
SPEAK = "/v1/avatars/default/speak"


def filming(speech: FakeSpeech | None = None, lipsync: FakeLipsync | None = None) -> Roles:
    return replace(ABSENT, speech=speech or FakeSpeech(), speaker=FakeSpeaker(), lipsync=lipsync or FakeLipsync())


def recording(seconds: float = 2.0, rate: int = 44_100) -> bytes:
    return encode([syllables(seconds, rate)], "flac", rate)


def refused(response: Any) -> tuple[int, str, str | None]:
    problem = response.json()
    return response.status_code, problem["code"], problem.get("field")


def objects(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_text_becomes_a_film_that_is_marked_as_synthetic(serve: Serve) -> None:
    speech = FakeSpeech()
    with serve(filming(speech), **SMALL) as client:
        response = client.post(SPEAK, json={"text": " ".join(["word"] * 17), "speed": 1.0})
    assert (response.status_code, response.headers["content-type"]) == (200, "video/mp4")
    assert response.headers["x-synthetic-video"] == "engine=fake-1"
    assert response.headers["x-synthetic-speech"] == "engine=fake; voice=en-anna"
    assert response.headers["content-disposition"] == 'inline; filename="avatar.mp4"'
    assert "x-faces" not in response.headers
    film = decoded(response.content)
    assert len(film.mouth) == 50
    assert {"fake-1", "en-anna"} <= set(re.findall(r"[\w-]+", film.tags["comment"]))
    assert (speech.calls[0]["language"], speech.closed) == ("en", 1)


def test_language_voice_and_speed_reach_the_synthesiser(serve: Serve) -> None:
    speech = FakeSpeech()
    with serve(filming(speech), **SMALL) as client:
        for asked in ({"language": "ru"}, {"voice": "ru-boris"}, {"voice": "default", "speed": 2.0}):
            assert client.post(SPEAK, json={"text": "a b", **asked}).status_code == 200
    said = [(call["voice"], call["language"], call["speed"]) for call in speech.calls]
    assert said == [("ru-boris", "ru", 1.0), ("ru-boris", "ru", 1.0), ("en-anna", "en", 2.0)]


def test_a_recording_becomes_a_films_sound_at_its_own_rate_and_is_erased(serve: Serve, tmp_path: Path) -> None:
    with serve(filming(), **SMALL) as client:
        response = client.post(SPEAK, files={"file": ("x.bin", recording())}, data={"label": "true"})
        assert response.status_code == 200, response.text
        assert "x-synthetic-speech" not in response.headers
    film = decoded(response.content)
    assert len(film.mouth) == 58
    heard, seen = np.array(film.loud) > 0.2, np.array(film.mouth) > 128
    assert (heard == seen).mean() > 0.9
    assert not objects(tmp_path / "uploads")


def test_several_faces_are_noted(serve: Serve) -> None:
    with serve(filming(lipsync=FakeLipsync(faces=3)), **SMALL) as client:
        avatar = client.post("/v1/avatars", files={"file": ("x", picture())}, data={"name": "us"}).json()
        response = client.post(f"/v1/avatars/{avatar['id']}/speak", json={"text": "hello"})
    assert response.headers["x-faces"] == "3; the largest speaks"


def test_what_cannot_be_said_is_refused_before_the_film(serve: Serve) -> None:
    table: list[tuple[dict[str, Any], int, str, str | None]] = [
        ({"text": " "}, 422, "empty_text", "text"),
        ({"text": "x" * 301}, 422, "too_long", "text"),
        ({"text": "x" * 300, "speed": 0.25}, 422, "too_long", "text"),
        ({"text": "..."}, 422, "nothing_to_say", "text"),
        ({"text": "?"}, 422, "unsayable", "text"),
        ({"text": "hi", "language": "kk"}, 422, "unsupported_language", "language"),
        ({"text": "hi", "voice": "nobody"}, 422, "unknown_voice", "voice"),
        ({"text": "hi", "voice": "ru-boris", "language": "en"}, 422, "unsupported_voice", "voice"),
        ({"text": "hi", "speed": 9}, 422, "invalid_request", "speed"),
        ({"text": "hi", "tempo": 1}, 422, "invalid_request", "tempo"),
        ({"language": "en"}, 422, "invalid_request", "text"),
    ]
    with serve(filming(), texts={"max_speech_chars": 300}, video={"max_seconds": 35}, **SMALL) as client:
        with capture_logs():
            for body, status, code, field in table:
                assert refused(client.post(SPEAK, json=body)) == (status, code, field), body
        for avatar in (str(uuid4()), "nobody"):
            assert refused(client.post(f"/v1/avatars/{avatar}/speak", json={"text": "hi"}))[:2] == (
                404,
                "avatar_not_found",
            )
        assert client.post(SPEAK, content="{", headers={"content-type": "application/json"}).status_code == 400
        assert client.app.state.services.films._open == 0  # type: ignore[attr-defined]


def test_recordings_that_cannot_be_used_are_refused_and_leave_nothing(serve: Serve, tmp_path: Path) -> None:
    with serve(filming(), video={"max_seconds": 3}, **SMALL) as client:
        for file, status, code in (
            (recording(4.0), 422, "too_long"),
            (recording(0.1), 422, "too_short"),
            (picture(), 415, "unsupported_media"),
            (b"", 400, "empty_file"),
        ):
            response = client.post(SPEAK, files={"file": ("x.wav", file)})
            assert refused(response) == (status, code, "file")
        odd = client.post(SPEAK, files={"file": ("x.wav", recording())}, data={"voice": "en-anna"})
        assert refused(odd) == (422, "invalid_request", "voice")
        none = client.post(SPEAK, files={"other": ("x.wav", recording())})
        assert none.status_code == 422
    assert not objects(tmp_path / "uploads")


def test_another_owners_avatar_does_not_exist(serve: Serve) -> None:
    with serve(filming(), **SMALL) as client:
        avatar = client.post("/v1/avatars", files={"file": ("x", picture())}, data={"name": "me"}).json()["id"]
        client.headers["X-API-Key"] = client.post("/admin/users?name=stranger", headers=ADMIN).json()["api_key"]
        assert refused(client.post(f"/v1/avatars/{avatar}/speak", json={"text": "hi"}))[0] == 404
        del client.headers["X-API-Key"]
        assert client.post(SPEAK, json={"text": "hi"}).status_code == 401


def test_without_a_place_there_is_a_503_that_says_when_to_come_back(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(filming(), **SMALL) as client:
        films = client.app.state.services.films  # type: ignore[attr-defined]
        monkeypatch.setattr(films, "settings", VideoSettings(max_films=1))
        monkeypatch.setattr(films, "_open", 1)
        for request in ({"json": {"text": "hi"}}, {"files": {"file": ("x", recording())}}):
            response = client.post(SPEAK, **request)
            assert (response.status_code, response.json()["code"]) == (503, "too_many_films")
            assert int(response.headers["retry-after"]) > 0
    assert TooManyFilms(1).retry_after > 0
    assert not objects(tmp_path / "uploads")


def test_a_film_that_fails_midway_is_logged_and_ends_its_response(serve: Serve) -> None:
    with serve(filming(), **SMALL) as client:
        words = " ".join(["word"] * 40)
        with capture_logs() as logs, pytest.raises(RuntimeError, match="secret"):
            client.post(SPEAK, json={"text": f"{words} !"}, headers={"X-Correlation-ID": "c-7"})
    (entry,) = [entry for entry in logs if entry["event"] == "film broken off"]
    assert entry["correlation_id"] == "c-7"


@pytest.mark.anyio
async def test_a_client_who_leaves_ends_the_film() -> None:
    closed = asyncio.Event()

    class Endless:
        async def pieces(self) -> Any:
            while True:
                yield b"piece"

        def close(self) -> None:
            closed.set()

    endless: Any = Endless()
    response = FilmResponse(BegunFilm(endless, {}))

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(0)

    await asyncio.wait_for(response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send), 10)
    assert closed.is_set()


def test_the_reference_describes_the_route(serve: Serve) -> None:
    with serve(filming()) as client:
        reference = client.get("/openapi.json").json()
    operation = reference["paths"]["/v1/avatars/{avatar_id}/speak"]["post"]
    content = operation["requestBody"]["content"]
    assert {"text", "language", "voice", "speed", "label"} == set(content["application/json"]["schema"]["properties"])
    assert {"file", "label"} <= set(content["multipart/form-data"]["schema"]["properties"])
    assert "video/mp4" in operation["responses"]["200"]["content"]
