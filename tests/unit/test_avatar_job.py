"""Avatar jobs from a text or a recording to a stored film: the real ingress, queue, encoder and stores."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from avatar_films import decoded, picture, syllables
from fake_roles import ABSENT, FakeLipsync, FakeSpeaker, FakeSpeech
from fastapi.testclient import TestClient
from finished_jobs import finish, told
from ingress import ADMIN, Serve

from deployments.errors import RoleUnavailable
from graphs.avatar.job import AvatarJob
from graphs.avatar.kind import AVATAR
from graphs.avatar.report import AvatarFilm
from graphs.common.config import RecordingLimits
from graphs.common.roles import Roles
from models.audio.encoding import encode

pytestmark = pytest.mark.unit

ROUTE = "/v1/jobs/avatar"
SMALL = {"avatars": {"max_side": 128}}
WORDS = " ".join(["word"] * 17)


def roles(speech: FakeSpeech | None = None, lipsync: FakeLipsync | None = None) -> Roles:
    return replace(ABSENT, speech=speech or FakeSpeech(), speaker=FakeSpeaker(), lipsync=lipsync or FakeLipsync())


def recording(seconds: float = 2.0) -> bytes:
    return encode([syllables(seconds, 24_000)], "flac", 24_000)


def submit(client: TestClient, **request: Any) -> str:
    answer = client.post(ROUTE, **request)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def do(client: TestClient, job_id: str) -> dict[str, Any]:
    """Run a worker until the job has ended, and return the job."""
    services = client.app.state.services  # type: ignore[attr-defined]
    handler = AvatarJob(services.films.graph, services.objects, RecordingLimits(), services.speakers, services.avatars)
    return finish(client, job_id, AVATAR.name, handler)


def files(folder: Path) -> list[Path]:
    return [path for name in ("jobs", "uploads") for path in (folder / name).rglob("*") if path.is_file()]


def test_a_text_becomes_a_film_and_a_report(serve: Serve, tmp_path: Path) -> None:
    with serve(roles(), **SMALL) as client:
        job = do(client, submit(client, json={"text": WORDS, "label": True}))
        assert (job["kind"], job["state"], job["progress"]) == ("avatar", "succeeded", 1.0), job
        assert list(job["artifacts"]) == ["avatar.json", "avatar.mp4"]
        film = client.get(job["artifacts"]["avatar.mp4"])
        played = client.post(f"/v1/jobs/{job['id']}/media/avatar.mp4").json()
        assert (played["content_type"], client.get(played["url"]).content) == ("video/mp4", film.content)
        unheard = client.post(f"/v1/jobs/{job['id']}/media/recording")
        assert (unheard.status_code, unheard.json()["code"]) == (404, "no_recording")
        report = AvatarFilm.model_validate_json(client.get(job["artifacts"]["avatar.json"]).text)
        story = told(client, job["id"])
        missing = client.get(f"/v1/jobs/{job['id']}/recording")
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert (missing.status_code, missing.json()["code"]) == (404, "no_recording")
    assert (film.history[0].status_code, film.headers["content-type"]) == (307, "video/mp4")
    made = decoded(film.content)
    assert len(made.mouth) == 50 == report.frames
    assert film.content.index(b"moov") < film.content.index(b"mdat")
    assert (report.avatar, report.voice, report.language, report.label) == ("default", "en-anna", "en", True)
    assert set(report.engines) == {"lipsync", "speech"}
    assert {"prepare", "lipsync", "encoding", "total", "store"} <= set(report.timings)
    assert {**job["result"], "speakers": []} == {
        **report.model_dump(mode="json", exclude={"version"}),
        "speakers": [],
    }
    (stored,) = [data for event, data in story if event == "film"]
    assert (stored["name"], stored["bytes"]) == ("avatar.mp4", len(film.content))
    progress = [data["progress"] for event, data in story if event == "progress"]
    assert progress == sorted(progress) and len(progress) > 2
    assert not files(tmp_path)


def test_a_recording_becomes_a_film_and_can_be_heard_again(serve: Serve) -> None:
    with serve(roles(lipsync=FakeLipsync(faces=2)), **SMALL) as client:
        avatar = client.post("/v1/avatars", files={"file": ("x", picture())}, data={"name": "me"}).json()["id"]
        job = do(client, submit(client, files={"file": ("talk.flac", recording())}, data={"avatar": avatar}))
        film = decoded(client.get(job["artifacts"]["avatar.mp4"]).content)
        again = client.get(f"/v1/jobs/{job['id']}/recording")
    assert len(film.mouth) == 58
    result = job["result"]
    assert (result["avatar"], result["faces"], result["voice"]) == (avatar, 2, None)
    assert set(result["engines"]) == {"lipsync"}
    assert (result["sample_rate"], again.content) == (24_000, recording())
    assert "as it was sent" in film.tags["comment"]


def test_a_presigned_upload_becomes_a_film(serve: Serve) -> None:
    with serve(roles(), **SMALL) as client:
        ticket = client.post("/v1/uploads", json={"content_type": "audio/flac"}).json()
        client.put(ticket["url"], content=recording(), headers=ticket["headers"])
        accepted = client.post(ROUTE, json={"object_key": ticket["object_key"], "label": True})
        assert (accepted.status_code, accepted.json()["params"]) == (202, {"label": True})
        early = client.get(f"/v1/jobs/{accepted.json()['id']}/artifacts/avatar.mp4")
        assert (early.status_code, early.json()["code"]) == (409, "not_ready")
        assert do(client, accepted.json()["id"])["state"] == "succeeded"


def test_what_cannot_be_done_is_refused_at_once_and_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    stranger = str(uuid.uuid4())
    texts: list[tuple[dict[str, Any], int, str, str]] = [
        ({}, 422, "invalid_request", "body"),
        ({"text": "hi", "object_key": "uploads/1/x"}, 422, "invalid_request", "body"),
        ({"object_key": "uploads/1/x", "voice": "en-anna"}, 422, "invalid_request", "body"),
        ({"text": "hi", "allow_truncated": True}, 422, "invalid_request", "body"),
        ({"text": " "}, 422, "empty_text", "text"),
        ({"text": "x" * 301}, 422, "too_long", "text"),
        ({"text": "x" * 299, "speed": 0.25}, 422, "too_long", "text"),
        ({"text": "hi", "avatar": stranger}, 404, "avatar_not_found", "avatar"),
        ({"text": "hi", "voice": "nobody"}, 422, "unknown_voice", "voice"),
        ({"text": "hi", "language": "kk"}, 422, "unsupported_language", "language"),
        ({"object_key": "uploads/2/x"}, 404, "object_not_found", "object_key"),
    ]
    with serve(roles(), texts={"max_speech_chars": 300}, video={"max_seconds": 30}, **SMALL) as client:
        for body, status, code, field in texts:
            refused = client.post(ROUTE, json=body)
            problem = refused.json()
            assert (refused.status_code, problem["code"], problem["field"]) == (status, code, field), problem
        for fields, seconds, status, code in (
            ({"avatar": stranger}, 2.0, 404, "avatar_not_found"),
            ({"text": "hi"}, 2.0, 422, "invalid_request"),
            ({}, 31.0, 422, "too_long"),
        ):
            refused = client.post(ROUTE, files={"file": ("a.flac", recording(seconds))}, data=fields)
            assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert client.get("/v1/jobs").json()["jobs"] == []
    assert not files(tmp_path)


def test_an_avatar_that_was_deleted_meanwhile_fails_the_job_for_good(serve: Serve) -> None:
    with serve(roles(), **SMALL) as client:
        avatar = client.post("/v1/avatars", files={"file": ("x", picture())}, data={"name": "me"}).json()["id"]
        job_id = submit(client, json={"text": "hi", "avatar": avatar})
        assert client.delete(f"/v1/avatars/{avatar}").status_code == 204
        job = do(client, job_id)
    assert (job["state"], job["attempt"], job["error"]["code"]) == ("failed", 1, "avatar_gone")


def test_nothing_to_say_and_too_much_fail_the_job_for_good(serve: Serve) -> None:
    with serve(roles(), video={"max_seconds": 1}, **SMALL) as client:
        for text, code in (("...", "nothing_to_say"), ("a b c d e f g h i j k l", "too_long")):
            job = do(client, submit(client, json={"text": text}))
            assert (job["state"], job["attempt"], job["error"]["code"]) == ("failed", 1, code)


def test_a_busy_role_lets_the_job_try_again(serve: Serve, tmp_path: Path) -> None:
    calls = iter(range(100))

    async def before() -> None:
        if next(calls) == 0:
            raise RoleUnavailable("busy")

    with serve(roles(lipsync=FakeLipsync(before=before)), **SMALL) as client:
        job = do(client, submit(client, json={"text": WORDS}))
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert {path.parent.name for path in files(tmp_path)} == {"2"}


def test_the_same_idempotency_key_is_one_job(serve: Serve) -> None:
    with serve(roles(), **SMALL) as client:
        once = {"Idempotency-Key": "k"}
        first = client.post(ROUTE, json={"text": "hi"}, headers=once)
        again = client.post(ROUTE, json={"text": "hi"}, headers=once)
        other = client.post(ROUTE, json={"text": "ho"}, headers=once)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["params"] == {"text": "hi", "language": "en"}


def test_another_owner_sees_nothing_of_it(serve: Serve) -> None:
    with serve(roles(), **SMALL) as client:
        job = do(client, submit(client, json={"text": "hi"}))
        client.headers["X-API-Key"] = client.post("/admin/users?name=stranger", headers=ADMIN).json()["api_key"]
        assert {client.get(url).status_code for url in job["artifacts"].values()} == {404}


def test_the_reference_describes_the_route_and_its_report(serve: Serve) -> None:
    with serve(roles()) as client:
        reference = client.get("/openapi.json").json()
    content = reference["paths"][ROUTE]["post"]["requestBody"]["content"]
    assert {"file", "avatar", "label"} <= set(content["multipart/form-data"]["schema"]["properties"])
    assert {"text", "object_key", "avatar", "voice"} <= set(content["application/json"]["schema"]["properties"])
    assert "AvatarFilm" in reference["components"]["schemas"]
