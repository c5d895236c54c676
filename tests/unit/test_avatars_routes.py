"""/v1/avatars over fake roles."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from avatar_pictures import animated, as_jpeg, as_png, bomb_png, face_picture, moving_clip
from fake_roles import ABSENT, FakeLipsync
from fastapi.testclient import TestClient
from ingress import ADMIN, Serve
from structlog.testing import capture_logs

from deployments.errors import RoleUnavailable
from graphs.common.roles import Roles

pytestmark = pytest.mark.unit


def seeing(lipsync: FakeLipsync | None = None) -> Roles:
    return replace(ABSENT, lipsync=lipsync or FakeLipsync())


def upload(client: TestClient, data: bytes | None = None, name: str | None = "me", **request: Any) -> Any:
    file = as_png(face_picture(160, 176)) if data is None else data
    return client.post(
        "/v1/avatars", files={"file": ("x.bin", file)}, data={} if name is None else {"name": name}, **request
    )


def refused(response: Any) -> tuple[int, str, str]:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    return response.status_code, problem["code"], problem["field"]


def objects(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def test_an_avatar_is_uploaded_shown_listed_and_erased(serve: Serve, tmp_path: Path) -> None:
    with serve(seeing()) as client:
        response = upload(client, name=" Бабушка ")
        avatar = response.json()
        assert (response.status_code, response.headers["location"]) == (201, f"/v1/avatars/{avatar['id']}")
        assert {**avatar, "id": "", "created_at": ""} == {
            "id": "",
            "name": "Бабушка",
            "kind": "still",
            "width": 160,
            "height": 176,
            "seconds": None,
            "faces": 1,
            "note": None,
            "created_at": "",
        }
        assert not objects(tmp_path / "uploads")
        assert client.get(response.headers["location"]).json() == avatar
        default, listed = client.get("/v1/avatars").json()["avatars"]
        assert (default["id"], default["created_at"]) == ("default", None)
        assert listed == avatar
        assert client.delete(response.headers["location"]).status_code == 204
        assert refused(client.get(response.headers["location"])) == (404, "avatar_not_found", "avatar")
        assert refused(client.delete(response.headers["location"])) == (404, "avatar_not_found", "avatar")
        assert not objects(tmp_path / "avatars")


def test_a_clip_is_an_avatar(serve: Serve) -> None:
    with serve(seeing()) as client:
        avatar = upload(client, moving_clip(0.8, width=160, height=176)).json()
        picture = client.get(f"/v1/avatars/{avatar['id']}/picture")
    assert (avatar["kind"], avatar["seconds"]) == ("clip", 0.8)
    assert picture.content.startswith(b"\xff\xd8\xff")


def test_several_faces_are_told(serve: Serve) -> None:
    with serve(seeing(FakeLipsync(faces=3))) as client:
        avatar = upload(client).json()
        assert (avatar["faces"], avatar["note"]) == (3, "3 faces were seen; the largest one speaks.")
        assert client.get("/v1/avatars").json()["avatars"][1] == avatar


def test_a_picture_is_kept_by_browsers_and_asked_for_again(serve: Serve) -> None:
    with serve(seeing()) as client:
        url = f"/v1/avatars/{upload(client).json()['id']}/picture"
        first = client.get(url)
        assert (first.headers["content-type"], first.headers["cache-control"]) == ("image/jpeg", "private, no-cache")
        etag = first.headers["etag"]
        for known in (etag, f'"other", W/{etag}', "*"):
            again = client.get(url, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        changed = client.get(url, headers={"If-None-Match": '"other"'})
        assert (changed.status_code, changed.content) == (200, first.content)
        default = client.get("/v1/avatars/default/picture")
        assert default.content.startswith(b"\xff\xd8\xff")
        assert default.headers["etag"] != etag


def test_another_owner_sees_nothing_of_an_avatar(serve: Serve) -> None:
    with serve(seeing()) as client:
        url = f"/v1/avatars/{upload(client).json()['id']}"
        eve = {"X-API-Key": client.post("/admin/users?name=eve", headers=ADMIN).json()["api_key"]}
        for response in (
            client.get(url, headers=eve),
            client.get(f"{url}/picture", headers=eve),
            client.delete(url, headers=eve),
        ):
            assert refused(response) == (404, "avatar_not_found", "avatar")
        assert [avatar["id"] for avatar in client.get("/v1/avatars", headers=eve).json()["avatars"]] == ["default"]
        assert upload(client, headers=eve).status_code == 201
        assert client.get(url).status_code == 200


def test_without_a_key_there_is_nothing(serve: Serve) -> None:
    with serve(seeing()) as client:
        del client.headers["X-API-Key"]
        for response in (
            client.get("/v1/avatars"),
            upload(client),
            client.get("/v1/avatars/default"),
            client.get("/v1/avatars/default/picture"),
            client.delete("/v1/avatars/default"),
        ):
            assert response.status_code == 401


def test_the_bundled_avatar_stays(serve: Serve) -> None:
    with serve(seeing()) as client:
        assert refused(client.delete("/v1/avatars/default")) == (403, "bundled_avatar", "avatar_id")
        assert client.get("/v1/avatars/default").json()["kind"] == "still"


def test_what_cannot_be_an_avatar_is_refused_and_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    lipsync = FakeLipsync()
    settings = {"max_bytes": 300_000, "max_per_owner": 1, "max_pixels": 1_000_000}
    with serve(seeing(lipsync), avatars=settings) as client:
        assert refused(upload(client, b"")) == (400, "empty_file", "file")
        assert refused(upload(client, b"no picture at all")) == (415, "unsupported_media", "file")
        assert refused(upload(client, as_jpeg(face_picture(160, 176))[:3000]))[0] == 422
        assert refused(upload(client, b"\x89PNG" * 100_000)) == (413, "too_large", "file")
        assert refused(upload(client, bomb_png())) == (422, "too_many_pixels", "file")
        assert refused(upload(client, as_png(face_picture(40, 60)))) == (422, "too_small", "file")
        assert refused(upload(client, animated())) == (415, "unsupported_media", "file")
        assert refused(upload(client, moving_clip(0.2, width=160, height=176))) == (422, "too_short", "file")
        for name in ("", " ", "x" * 101, "a\x00b", "a\u202eb"):
            assert refused(upload(client, name=name)) == (422, "invalid_request", "name")
        assert refused(upload(client, name=None)) == (422, "invalid_request", "name")
        assert refused(client.post("/v1/avatars", data={"name": "me"})) == (415, "not_multipart", "Content-Type")
        assert refused(client.post("/v1/avatars", files={"picture": b"x"})) == (422, "unknown_field", "picture")
        fields = {"name": "me", "owner": "1"}
        response = client.post("/v1/avatars", files={"file": as_png(face_picture(160, 176))}, data=fields)
        assert refused(response) == (422, "invalid_request", "owner")
        assert not lipsync.prepared
        lipsync.faces = 0
        assert refused(upload(client)) == (422, "no_face", "file")
        assert not objects(tmp_path)

        lipsync.faces = 1
        assert upload(client).status_code == 201
        assert refused(upload(client)) == (409, "name_taken", "name")
        assert refused(upload(client, name="another")) == (409, "too_many_avatars", "name")
        assert not objects(tmp_path / "uploads")


def test_a_role_that_is_busy_is_told_with_a_time_to_come_back(serve: Serve, tmp_path: Path) -> None:
    busy = FakeLipsync().failing(prepare=RoleUnavailable("too many calls are waiting", retry_after=7.0))
    with serve(seeing(busy)) as client, capture_logs():
        response = upload(client)
    assert (response.status_code, response.json()["code"], response.headers["retry-after"]) == (
        503,
        "role_unavailable",
        "7",
    )
    assert not objects(tmp_path)


def test_erasing_an_owner_erases_the_avatars(serve: Serve, tmp_path: Path) -> None:
    with serve(seeing()) as client:
        upload(client)
        (owner,) = client.get("/admin/users", headers=ADMIN).json()
        assert client.delete(f"/admin/users/{owner['id']}", headers=ADMIN).status_code == 200
        assert not objects(tmp_path / "avatars")
