"""The ingress over a directory and a database of its own, with nobody doing the jobs: limits, and presigned URLs."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fake_roles import ABSENT, FakeAsr
from fastapi.testclient import TestClient
from ingress import ADMIN, Serve

from graphs.common.config import ADMIN_KEY_VARIABLE
from graphs.http.server.ingress import create_app
from graphs.http.server.stored_object import MAX_RANGE_BYTES
from models.samples import DIALOGUE

pytestmark = pytest.mark.unit

RECORDING = DIALOGUE.read_bytes()


def submit(client: TestClient, **fields: str) -> Any:
    return client.post("/v1/jobs/transcription", files={"file": ("talk.flac", RECORDING)}, data=fields)


def test_a_waiting_job_knows_its_place_and_can_be_cancelled(serve: Serve) -> None:
    with serve() as client:
        first, second = submit(client).json(), submit(client, num_speakers="2").json()
        assert (first["state"], first["queue_position"], second["queue_position"]) == ("queued", 1, 2)
        assert second["params"] == {"num_speakers": 2}
        assert second["filename"] == "talk.flac"
        assert client.delete(f"/v1/jobs/{first['id']}").json()["state"] == "cancelled"
        assert client.get(f"/v1/jobs/{second['id']}").json()["queue_position"] == 1
        refused = client.get(f"/v1/jobs/{second['id']}/artifacts/transcript.json")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_ready")
        assert client.put(f"/v1/jobs/{second['id']}/labels", json={"labels": {}}).status_code == 409


def test_a_cancelled_job_is_tried_again_while_its_recording_is_there(serve: Serve) -> None:
    with serve(jobs={"max_queued_per_owner": 1}) as client:
        job = submit(client).json()
        retry = f"/v1/jobs/{job['id']}/retry"
        early = client.post(retry)
        assert (early.status_code, early.json()["code"]) == (409, "not_retryable")
        client.delete(f"/v1/jobs/{job['id']}")
        again = client.post(retry)
        assert again.status_code == 202
        assert again.json() == job
        client.delete(f"/v1/jobs/{job['id']}")
        other = submit(client).json()
        full = client.post(retry)
        assert (full.status_code, full.json()["code"]) == (429, "queue_full")
        assert int(full.headers["Retry-After"]) >= 1
        client.delete(f"/v1/jobs/{other['id']}")
        client.app.state.services.objects.delete_prefix("uploads/")  # type: ignore[attr-defined]
        gone = client.post(retry)
        assert (gone.status_code, gone.json()["code"]) == (410, "recording_gone")
        assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"


def test_nothing_is_tried_again_while_the_service_is_full(serve: Serve) -> None:
    with serve(jobs={"max_queued": 1}) as client:
        job = submit(client).json()["id"]
        client.delete(f"/v1/jobs/{job}")
        submit(client)
        refused = client.post(f"/v1/jobs/{job}/retry")
        assert (refused.status_code, refused.json()["code"]) == (503, "service_full")
        client.headers["X-API-Key"] = client.post("/admin/users?name=other", headers=ADMIN).json()["api_key"]
        assert client.post(f"/v1/jobs/{job}/retry").status_code == 404


def test_history_is_searched_by_the_name_of_the_file_and_the_options(serve: Serve) -> None:
    with serve(replace(ABSENT, asr=FakeAsr())) as client:
        job = submit(client, language="en").json()["id"]
        submit(client, num_speakers="2")

        def found(query: str) -> list[str]:
            return [found["id"] for found in client.get("/v1/jobs", params={"query": query}).json()["jobs"]]

        assert len(found("TALK.fl")) == 2
        assert found("en") == [job]
        assert found("%") == []
        for query in ("", "x" * 201, "a\0b"):
            refused = client.get("/v1/jobs", params={"query": query})
            assert (refused.status_code, refused.json()["field"]) == (422, "query")


def test_an_owner_with_too_many_waiting_jobs_is_told_when_to_come_back(serve: Serve, tmp_path: Path) -> None:
    with serve(jobs={"max_queued_per_owner": 1}) as client:
        assert submit(client).status_code == 202
        stored = sorted((tmp_path / "uploads").rglob("*"))
        refused = submit(client)
        assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
        assert int(refused.headers["Retry-After"]) >= 1
        assert sorted((tmp_path / "uploads").rglob("*")) == stored  # the refused recording is gone


def test_a_full_service_says_so_to_everybody(serve: Serve) -> None:
    with serve(jobs={"max_queued": 1}) as client:
        assert submit(client).status_code == 202
        refused = submit(client)
        assert (refused.status_code, refused.json()["code"]) == (503, "service_full")
        assert int(refused.headers["Retry-After"]) >= 1


def test_compatible_routes_are_limited_per_minute(serve: Serve) -> None:
    with serve(rate_limits={"health": 2, "upload": 1}) as client:
        assert [client.get("/health").status_code for _ in range(3)] == [200, 200, 429]
        limited = client.get("/health")
        assert limited.json() == {"detail": "Too Many Requests"}
        assert 1 <= int(limited.headers["Retry-After"]) <= 60
        upload = {"files": {"file": ("a.wav", b"", "audio/wav")}}
        assert client.post("/upload/", **upload).status_code == 400
        assert client.post("/transcribe", **upload).status_code == 429


def test_an_owner_has_so_many_event_streams_and_no_more(serve: Serve) -> None:
    with serve(max_event_streams_per_owner=1) as client:
        job = submit(client).json()["id"]
        client.app.state.services.event_streams[1] += 1  # type: ignore[attr-defined]
        refused = client.get(f"/v1/jobs/{job}/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        client.app.state.services.event_streams[1] -= 1  # type: ignore[attr-defined]
        client.delete(f"/v1/jobs/{job}")
        events = client.get(f"/v1/jobs/{job}/events").text
        assert "event: queued" in events
        assert "event: cancelled" in events
        assert client.app.state.services.event_streams[1] == 0  # type: ignore[attr-defined]


def test_a_presigned_url_takes_and_gives_the_recording_and_nothing_else(serve: Serve) -> None:
    with serve(recordings={"max_bytes": 10**6}) as client:
        ticket = client.post("/v1/uploads", json={"content_type": "audio/flac"}).json()
        key = client.headers.pop("X-API-Key")  # the signature stands for the key
        send = {"headers": ticket["headers"]}
        assert client.put(ticket["url"], content=bytes(10**6 + 1), **send).status_code == 413
        wrong_type = client.put(ticket["url"], content=RECORDING, headers={"Content-Type": "text/html"})
        assert wrong_type.status_code == 403
        other = ticket["url"].replace(ticket["object_key"], "uploads/1/other")
        assert client.put(other, content=RECORDING, **send).json()["code"] == "invalid_signature"
        assert client.get(ticket["url"]).status_code == 403
        assert client.put(ticket["url"], content=RECORDING, **send).status_code == 200
        client.headers["X-API-Key"] = key
        job = client.post("/v1/jobs/transcription", json={"object_key": ticket["object_key"]})
        assert job.status_code == 202, job.text
        link = client.get(f"/v1/jobs/{job.json()['id']}/recording", follow_redirects=False).headers["location"]
        assert urlsplit(link).netloc == ""
        del client.headers["X-API-Key"]
        whole = client.get(link)
        assert whole.content == RECORDING
        assert whole.headers["content-type"] == "audio/flac"
        assert whole.headers["content-disposition"].startswith("attachment")


def test_a_refused_job_never_takes_the_recording_of_an_accepted_one(serve: Serve) -> None:
    with serve(jobs={"max_queued_per_owner": 1}) as client:
        ticket = client.post("/v1/uploads", json={"content_type": "audio/flac"}).json()
        client.put(ticket["url"], content=RECORDING, headers=ticket["headers"])
        body = {"object_key": ticket["object_key"]}
        accepted = client.post("/v1/jobs/transcription", json=body)
        assert accepted.status_code == 202
        assert client.post("/v1/jobs/transcription", json=body).status_code == 429
        link = f"/v1/jobs/{accepted.json()['id']}/recording"
        assert client.get(link, follow_redirects=True).content == RECORDING


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-9", 206, 0, 9),
        ("bytes=100-", 206, 100, len(RECORDING) - 1),
        ("bytes=-5", 206, len(RECORDING) - 5, len(RECORDING) - 1),
        ("bytes=5-10000000000", 206, 5, len(RECORDING) - 1),
        ("bytes=0-", 206, 0, len(RECORDING) - 1),
        ("bytes=a-b", 200, 0, len(RECORDING) - 1),
        ("bytes=0-1,4-5", 200, 0, len(RECORDING) - 1),
        ("items=0-1", 200, 0, len(RECORDING) - 1),
    ],
)
def test_players_can_ask_for_a_part(serve: Serve, asked: str, status: int, first: int, last: int) -> None:
    with serve() as client:
        link = client.get(f"/v1/jobs/{submit(client).json()['id']}/recording", follow_redirects=False)
        part = client.get(link.headers["location"], headers={"Range": asked})
    assert part.status_code == status
    assert part.content == RECORDING[first : last + 1]
    if status == 206:
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(RECORDING)}"


def test_a_part_is_bounded_and_one_beyond_the_end_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.http.server.stored_object.MAX_RANGE_BYTES", 1000)
    assert MAX_RANGE_BYTES > 1000
    with serve() as client:
        link = client.get(f"/v1/jobs/{submit(client).json()['id']}/recording", follow_redirects=False)
        bounded = client.get(link.headers["location"], headers={"Range": "bytes=10-"})
        assert bounded.content == RECORDING[10:1010]
        beyond = client.get(link.headers["location"], headers={"Range": f"bytes={len(RECORDING)}-"})
        assert beyond.status_code == 416


def test_the_admin_routes_are_closed_without_an_admin_key(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as client:
        monkeypatch.delenv(ADMIN_KEY_VARIABLE)
        with TestClient(create_app(client.app.state.services.config, ABSENT)) as closed:  # type: ignore[attr-defined]
            for headers in ({}, {"X-Admin-Key": ""}, ADMIN):
                assert closed.get("/admin/users", headers=headers).status_code == 401


def test_a_fault_inside_shows_its_correlation_id_and_nothing_else(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("the secret of the house")

    with serve() as client:
        monkeypatch.setattr(client.app.state.services.jobs, "list", broken)  # type: ignore[attr-defined]
        quiet = TestClient(client.app, raise_server_exceptions=False, headers=client.headers)
        answer = quiet.get("/v1/jobs", headers={"X-Correlation-ID": "fault-1"})
    assert answer.status_code == 500
    assert answer.json()["correlation_id"] == "fault-1" == answer.headers["X-Correlation-ID"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
