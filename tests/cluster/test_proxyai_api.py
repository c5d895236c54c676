"""The compatible routes of proxyAI, as its clients use them."""

import io
import json
import uuid

import httpx
import pytest
from test_bad_requests import wav
from waiting import events

from models.audio import SAMPLE_RATE, decode, encode

pytestmark = pytest.mark.cluster


def as_wav(recording: bytes) -> bytes:
    return encode([decode(io.BytesIO(recording))], "wav", SAMPLE_RATE)


@pytest.fixture(scope="module")
def uploaded(system, brief) -> str:
    with system.client() as client:
        answer = client.post(
            "/upload/", files={"file": ("talk.wav", as_wav(brief), "audio/wav")}, headers={"X-Correlation-ID": "cid-7"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Correlation-ID"] == "cid-7"
        upload_id: str = answer.json()["upload_id"]
        assert list(answer.json()) == ["upload_id"]
        assert client.get(f"/status/{upload_id}").json()["status"] in ("queued", "processing", "done")
        events(client, str(uuid.UUID(upload_id)))
        return upload_id


def test_results_are_two_json_texts(client, uploaded) -> None:
    assert client.get(f"/status/{uploaded}").json() == {"status": "done", "progress": "100%"}
    results = client.get(f"/results/{uploaded}").json()
    assert set(results) == {"transcript", "diarization"}
    rows = json.loads(results["transcript"])
    assert {"segment", "start", "end", "text", "speaker", "time"} == set(rows[0])
    assert rows[0]["time"] == "0:00:00"
    assert {row["speaker"] for row in json.loads(results["diarization"])} == {"SPEAKER_00", "SPEAKER_01"}


def test_labels_are_applied_to_transcript_and_diarization(client, uploaded) -> None:
    saved = client.post(f"/labels/{uploaded}", json={"SPEAKER_00": "Иван"})
    assert saved.json() == {"status": "labels saved", "labels": {"SPEAKER_00": "Иван"}}
    results = client.get(f"/results/{uploaded}").json()
    assert "Иван" in {row["speaker"] for row in json.loads(results["transcript"])}
    assert "Иван" in {row["speaker"] for row in json.loads(results["diarization"])}


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"SPEAKER_99": "Anna"}, "Invalid speaker keys: ['SPEAKER_99']"),
        ({"SPEAKER_00": ""}, "1-50"),
        ({"SPEAKER_00": "x" * 51}, "1-50"),
        ({"SPEAKER_00": "<b>"}, "1-50"),
        ({"SPEAKER_00": 5}, "1-50"),
        (["SPEAKER_00"], "object"),
    ],
)
def test_wrong_labels_are_refused(client, uploaded, labels, says) -> None:
    answer = client.post(f"/labels/{uploaded}", json=labels)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_transcribe_is_the_same_as_upload(client, dialogue) -> None:
    answer = client.post("/transcribe", files={"file": ("talk.wav", as_wav(dialogue), "audio/x-wav")})
    assert answer.status_code == 200
    job = answer.json()["upload_id"]
    early = client.get(f"/results/{job}")
    assert (early.status_code, early.json()["detail"]) == (404, "Results not yet available")
    client.delete(f"/v1/jobs/{uuid.UUID(job)}")


def test_only_wav_and_mp3_are_taken_here(client, dialogue) -> None:
    answer = client.post("/upload/", files={"file": ("talk.flac", dialogue, "audio/flac")})
    assert answer.status_code == 415
    assert "audio/wav" in answer.json()["detail"]
    big = client.post("/upload/", files={"file": ("talk.wav", wav(0.5) + bytes(21 * 2**20), "audio/wav")})
    assert big.status_code == 413


@pytest.mark.parametrize("path", ["/status/nonsense", "/results/00000000000000000000000000000000"])
def test_unknown_uploads_are_404(client, path) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "upload_id not found"})


def test_another_owners_upload_is_404(system, uploaded) -> None:
    with system.client(system.other_key) as stranger:
        assert {stranger.get(f"/{route}/{uploaded}").status_code for route in ("status", "results")} == {404}
        assert stranger.post(f"/labels/{uploaded}", json={}).status_code == 404


def test_the_operator_makes_lists_and_erases_owners(system) -> None:
    with httpx.Client(base_url=system.url, headers={"X-Admin-Key": system.admin_key}) as operator:
        made = operator.post("/admin/users", params={"name": "backend team"}).json()
        assert made["name"] == "backend team"
        by_json = operator.post("/admin/users", json={"name": "Команда"}).json()
        listed = operator.get("/admin/users").json()
        assert {"backend team", "Команда"} <= {user["name"] for user in listed}
        assert made["api_key"] not in str(listed)
        with system.client(made["api_key"]) as client:
            assert client.get("/v1/jobs").json() == {"jobs": [], "next_cursor": None}
        for user in (made, by_json):
            assert operator.delete(f"/admin/users/{user['id']}").json() == {"status": "deleted", "user_id": user["id"]}
        assert operator.delete(f"/admin/users/{made['id']}").status_code == 404
        assert operator.post("/admin/users", json={"name": ""}).status_code == 422
    wrong = httpx.get(f"{system.url}/admin/users", headers={"X-Admin-Key": "no"})
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "Invalid X-Admin-Key"})


def test_health_and_metrics_are_there(client, system) -> None:
    health = httpx.get(f"{system.url}/health").json()
    assert health["status"] == "ok"
    assert health["version"]
    assert httpx.get(f"{system.url}/metrics").status_code == 401
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
