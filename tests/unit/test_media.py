"""Sound and films for players that can't send a key, from either kind of object store."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pytest
from fake_roles import ABSENT, FakeAsr, FakeSpeech, FakeTranslation
from fastapi.testclient import TestClient
from ingress import ADMIN, Serve

from graphs.http.routes.media import LINKED_FOR
from models.audio import AUDIO_FORMATS, encode
from models.samples import DIALOGUE
from models.speech import Voice

pytestmark = pytest.mark.unit

RECORDING = DIALOGUE.read_bytes()
BUCKET = "media"

ServeStored = Callable[[], AbstractContextManager[TestClient]]


@pytest.fixture(params=["directory", "s3"])
def serve_stored(request: pytest.FixtureRequest, serve: Serve) -> Iterator[ServeStored]:
    """Serve with one kind of object store."""
    settings: dict[str, Any] = {}
    if request.param == "s3":
        endpoint = request.getfixturevalue("s3_endpoint")
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=BUCKET)
        settings["storage"] = {"objects": {"kind": "s3", "bucket": BUCKET, "endpoint_url": endpoint}}
    yield lambda: serve(**settings)


def submit(client: TestClient, recording: bytes = RECORDING, filename: str = "Беседа.flac") -> str:
    answer = client.post("/v1/jobs/spoof", files={"file": (filename, recording, "text/html")})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def link(client: TestClient, job_id: str, name: str = "recording") -> dict[str, Any]:
    answer = client.post(f"/v1/jobs/{job_id}/media/{name}")
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_player_gets_the_recording_without_a_key(serve_stored: ServeStored) -> None:
    with serve_stored() as client:
        media = link(client, submit(client))
        assert (media["content_type"], media["size"]) == ("audio/flac", len(RECORDING))
        assert media["filename"] == "Беседа.flac"
        left = datetime.fromisoformat(media["expires_at"]) - datetime.now(UTC)
        assert LINKED_FOR - timedelta(minutes=1) < left <= LINKED_FOR
        del client.headers["X-API-Key"]
        whole = client.get(media["url"])
        head = client.head(media["url"])
        saved = client.get(media["url"], params={"download": "1"})
    assert (whole.status_code, whole.content) == (200, RECORDING)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(RECORDING))
    for answer in (whole, head):
        assert answer.headers["content-type"] == "audio/flac"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private"
        assert answer.headers["content-security-policy"] == "sandbox"
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-disposition"].startswith("inline; ")
    assert saved.headers["content-disposition"] == (
        "attachment; filename=\"______.flac\"; filename*=UTF-8''%D0%91%D0%B5%D1%81%D0%B5%D0%B4%D0%B0.flac"
    )


def test_a_player_gets_the_parts_it_asks_for(serve_stored: ServeStored) -> None:
    size = len(RECORDING)
    with serve_stored() as client:
        url = link(client, submit(client))["url"]

        def part(asked: str) -> tuple[int, bytes, str | None]:
            answer = client.get(url, headers={"Range": asked})
            return answer.status_code, answer.content, answer.headers.get("content-range")

        assert part("bytes=10-19") == (206, RECORDING[10:20], f"bytes 10-19/{size}")
        assert part("bytes=0-") == (206, RECORDING, f"bytes 0-{size - 1}/{size}")
        assert part("bytes=-5") == (206, RECORDING[-5:], f"bytes {size - 5}-{size - 1}/{size}")
        beyond = client.get(url, headers={"Range": f"bytes={size}-"})
        assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
        head = client.head(url, headers={"Range": "bytes=10-19"})
        assert (head.status_code, head.headers["content-length"], head.content) == (206, "10", b"")


@pytest.mark.parametrize("format", [name for name in AUDIO_FORMATS if name != "pcm"])
def test_a_recording_is_called_what_it_is_whatever_its_uploader_says(serve: Serve, format: Any) -> None:
    sound = encode([np.sin(np.arange(32_000) / 20).astype(np.float32)], format, 16_000)
    with serve() as client:
        media = link(client, submit(client, sound, "page.html"))
        answer = client.get(media["url"])
    expected = {"mp3": "audio/mpeg", "opus": "audio/ogg"}.get(format, f"audio/{format}")
    assert answer.headers["content-type"] == media["content_type"] == expected


def test_what_is_no_recording_any_more_is_never_shown_as_a_page(serve: Serve) -> None:
    with serve() as client:
        job = submit(client)
        services = client.app.state.services  # type: ignore[attr-defined]
        assert client.portal is not None
        (stored,) = services.objects.list("uploads/")
        services.objects.put(stored.key, b"<script>alert(1)</script>", content_type="text/html")
        answer = client.get(link(client, job)["url"])
    assert answer.headers["content-type"] == "application/octet-stream"


def test_links_are_for_the_owner_and_for_what_there_is(serve: Serve) -> None:
    speech = FakeSpeech(Voice("anna", "Anna", ("es",), "anna", 8000))
    with serve(replace(ABSENT, asr=FakeAsr(), translation=FakeTranslation(), speech=speech)) as client:
        job = submit(client)
        url = link(client, job)["url"]
        for name in ("spoof.json", "nonsense"):
            refused = client.post(f"/v1/jobs/{job}/media/{name}")
            assert (refused.status_code, refused.json()["code"]) == (404, "artifact_not_found")
        asked = {"source": "en", "target": "es"}
        waiting = client.post("/v1/jobs/translation", files={"file": ("a.flac", RECORDING)}, data=asked).json()
        refused = client.post(f"/v1/jobs/{waiting['id']}/media/translation.wav")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_ready")
        assert link(client, waiting["id"])["content_type"] == "audio/flac"
        unknown = client.get("/v1/media/" + "A" * 43)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "media_not_found")
        client.headers["X-API-Key"] = other_key(client)
        assert client.post(f"/v1/jobs/{job}/media/recording").status_code == 404
        del client.headers["X-API-Key"]
        assert client.post(f"/v1/jobs/{job}/media/recording").status_code == 401
        assert client.get(url).status_code == 200


def test_an_erased_recording_is_gone_for_players_too(serve: Serve) -> None:
    with serve() as client:
        job = submit(client)
        url = link(client, job)["url"]
        client.delete(f"/v1/jobs/{job}")
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
        assert client.get(url).status_code == 404


def other_key(client: TestClient) -> str:
    key: str = client.post("/admin/users?name=other", headers=ADMIN).json()["api_key"]
    return key
