"""The compatible routes of RealTone, over a real database and a real object store."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from ingress import ADMIN, Serve
from realtone_jobs import answering, finish, report
from structlog.testing import capture_logs

from graphs.http.compat.realtone.scores import percent, scored_chunks
from models.errors import InputError
from models.samples import DIALOGUE

pytestmark = pytest.mark.unit

RECORDING = DIALOGUE.read_bytes()


@pytest.fixture
def api(serve: Serve) -> Iterator[TestClient]:
    """A client that presents its key as RealTone's clients present their token."""
    with serve() as client:
        client.headers["Authorization"] = f"Bearer {client.headers.pop('X-API-Key')}"
        yield client


def new_key(client: TestClient) -> str:
    key: str = client.post("/admin/users?name=tests", headers=ADMIN).json()["api_key"]
    return key


def upload(client: TestClient, name: str = "Talk.FLAC", body: bytes = RECORDING, **fields: str) -> Any:
    return client.post("/api/v1/audio/upload", files={"audiofile": (name, body)}, data=fields)


def stored(folder: Path) -> list[Path]:
    return [file for file in (folder / "uploads").rglob("[!.]*") if file.is_file()]


def test_an_upload_is_accepted_and_its_scores_are_told_by_chunk(
    api: TestClient, database_url: str, tmp_path: Path
) -> None:
    accepted = upload(api)
    assert accepted.status_code == 202, accepted.text
    assert list(accepted.json()) == ["task_id"]
    task = accepted.json()["task_id"]
    status = f"/api/v1/audio/status/{task}"
    assert api.get(status).json() == {"task_id": task, "status": "PENDING"}
    finish(database_url, answering(tmp_path, report(0.1234, None, 0.9)))
    assert api.get(status).json() == {
        "task_id": task,
        "status": "COMPLETED",
        "predictions": {"chunk_0": 0.1234, "chunk_2": 0.9},
    }


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (InputError("no_audio", "There is no sound in it."), "ERROR_PYTHON_PROCESSING", "There is no sound in it."),
        (RuntimeError("secret"), "ERROR_INTERNAL", "The work failed for a reason inside the service"),
    ],
)
def test_a_failed_analysis_says_where_and_why(
    api: TestClient, database_url: str, tmp_path: Path, failure: Exception, status: str, message: str
) -> None:
    task = upload(api).json()["task_id"]
    with capture_logs():
        finish(database_url, answering(tmp_path, failure))
    told = api.get(f"/api/v1/audio/status/{task}").json()
    assert told["status"] == status
    assert told["error_message"].startswith(message)
    assert "predictions" not in told
    assert api.get("/api/v1/history").json() == []


def test_a_cancelled_analysis_is_an_error(api: TestClient) -> None:
    task = upload(api).json()["task_id"]
    assert api.delete(f"/v1/jobs/{task}").json()["state"] == "cancelled"
    told = api.get(f"/api/v1/audio/status/{task}").json()
    assert told == {"task_id": task, "status": "ERROR_INTERNAL", "error_message": "The analysis was cancelled."}


def test_the_extension_is_looked_at_and_then_the_content_decides(api: TestClient, tmp_path: Path) -> None:
    for extension in (".wav", ".mp3", ".ogg", ".webm", ".flac", ".WAV"):
        assert upload(api, f"a{extension}").status_code == 202
    kept = stored(tmp_path)
    for name in ("talk.m4a", "talk", "wav"):
        refused = upload(api, name)
        assert refused.status_code == 400
        assert refused.json() == {"error": "Unsupported file type. Allowed types: .wav, .mp3, .ogg, .webm, .flac"}
    for body in (b"", b"not a recording" * 100):
        refused = upload(api, "talk.wav", body)
        assert refused.status_code == 400
        assert list(refused.json()) == ["error"]
    assert stored(tmp_path) == kept


def test_more_than_ten_megabytes_are_refused_with_400_and_nothing_is_kept(api: TestClient, tmp_path: Path) -> None:
    limit = {"error": "File size limit exceeded. Max size: 10 MB"}
    for size in (10 * 2**20 + 1, 12 * 2**20):  # one found while it arrives, one by its declared length
        refused = upload(api, "talk.wav", bytes(size))
        assert (refused.status_code, refused.json()) == (400, limit)
    assert stored(tmp_path) == []


def test_a_form_that_is_none_is_400(api: TestClient) -> None:
    for sent in (
        {"files": {"file": ("talk.wav", RECORDING)}},
        {"data": {"audiofile": "text"}},
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
        {"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
    ):
        refused = api.post("/api/v1/audio/upload", **sent)  # type: ignore[arg-type]
        assert (refused.status_code, list(refused.json())) == (400, ["error"]), sent


def test_every_route_but_ping_wants_a_key(api: TestClient) -> None:
    del api.headers["Authorization"]
    for method, path in (
        ("POST", "/api/v1/audio/upload"),
        ("GET", f"/api/v1/audio/status/{uuid.uuid4()}"),
        ("GET", "/api/v1/history"),
        ("DELETE", "/api/v1/history"),
        ("DELETE", f"/api/v1/history/{uuid.uuid4()}"),
    ):
        for sent in ({}, {"Authorization": "Bearer nobody's"}, {"Authorization": "Basic abc"}):
            refused = api.request(method, path, headers=sent)
            assert (refused.status_code, list(refused.json())) == (401, ["error"]), (method, path, sent)
    assert api.get("/ping").json() == {"message": "pong"}


def test_a_task_is_its_owners_alone(api: TestClient) -> None:
    task = upload(api).json()["task_id"]
    not_found = {"error": "Task not found"}
    stranger = {"Authorization": f"Bearer {new_key(api)}"}
    for path, headers in ((task, stranger), (str(uuid.uuid4()), {}), ("nonsense", {})):
        answer = api.get(f"/api/v1/audio/status/{path}", headers=headers)
        assert (answer.status_code, answer.json()) == (404, not_found)


def test_a_job_of_another_kind_is_no_task(api: TestClient) -> None:
    job = api.post("/v1/jobs/transcription", files={"file": ("talk.flac", RECORDING)}).json()["id"]
    assert api.get(f"/api/v1/audio/status/{job}").status_code == 404
    assert api.delete(f"/api/v1/history/{job}").status_code == 404


def test_the_history_has_the_finished_analyses_newest_first(api: TestClient, database_url: str, tmp_path: Path) -> None:
    assert api.get("/api/v1/history").json() == []
    older, newer = (upload(api, name).json()["task_id"] for name in ("old one.flac", "new.flac"))
    assert api.get("/api/v1/history").json() == []
    finish(database_url, answering(tmp_path, report(0.805, 0.5, None)))
    rows = api.get("/api/v1/history").json()
    assert [row["id"] for row in rows] == [newer, older]
    row = rows[1]
    assert set(row) == {
        "id", "user_id", "filename", "file_size", "probability", "s3_key", "analysis_details", "analysis_date"
    }  # fmt: skip
    assert row["filename"] == "old one.flac"
    assert row["file_size"] == f"{len(RECORDING) / 1024:.2f} KB"
    assert row["probability"] == 66  # the mean of 81 and 50 is 65.5
    assert row["analysis_details"] == {"chunk_0": 0.805, "chunk_1": 0.5}
    assert (tmp_path / row["s3_key"]).read_bytes() == RECORDING
    assert datetime.fromisoformat(row["analysis_date"]).tzinfo is not None


def test_an_erased_entry_is_gone_with_its_recording_and_scores(
    api: TestClient, database_url: str, tmp_path: Path
) -> None:
    first, second = (upload(api).json()["task_id"] for _ in range(2))
    waiting = upload(api).json()["task_id"]
    api.delete(f"/v1/jobs/{waiting}")
    finish(database_url, answering(tmp_path, report(0.2)))
    stranger = {"Authorization": f"Bearer {new_key(api)}"}
    assert api.delete(f"/api/v1/history/{first}", headers=stranger).status_code == 404
    assert api.delete("/api/v1/history", headers=stranger).status_code == 200
    assert len(api.get("/api/v1/history").json()) == 2

    erased = api.delete(f"/api/v1/history/{first}")
    assert (erased.status_code, list(erased.json())) == (200, ["message"])
    assert [row["id"] for row in api.get("/api/v1/history").json()] == [second]
    assert len(stored(tmp_path)) == 2  # the other one's and the cancelled one's
    assert not (tmp_path / "jobs" / first).exists()
    assert api.delete(f"/api/v1/history/{first}").status_code == 404
    assert api.delete(f"/api/v1/history/{waiting}").status_code == 404
    malformed = api.delete("/api/v1/history/nonsense")
    assert (malformed.status_code, list(malformed.json())) == (400, ["error"])

    assert api.delete("/api/v1/history").status_code == 200
    assert api.get("/api/v1/history").json() == []
    assert len(stored(tmp_path)) == 1


def test_faults_and_unknown_paths_have_the_contracts_shape(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = api.get("/api/v1/nothing")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Not Found"})
    assert api.put("/api/v1/history").json() == {"error": "Method Not Allowed"}

    async def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(api.app.state.services.jobs, "list", broken)  # type: ignore[attr-defined]
    quiet = TestClient(api.app, raise_server_exceptions=False, headers=api.headers)
    with capture_logs():
        fault = quiet.get("/api/v1/history", headers={"X-Correlation-ID": "fault-1"})
    assert (fault.status_code, list(fault.json())) == (500, ["error"])
    assert "secret" not in fault.text
    assert fault.headers["X-Correlation-ID"] == "fault-1"


def test_chunks_keep_their_numbers_when_others_have_no_score() -> None:
    assert list(scored_chunks(report(None, 0.25, duration=6.5))) == [("chunk_1", 0.25, 4.0, 6.5)]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [((), 0), ((None,), 0), ((0.004,), 0), ((0.005,), 1), ((1.0, 0.0), 50), ((0.124, 0.134), 13), ((0.9999,), 100)],
)
def test_the_probability_is_the_rounded_mean_of_rounded_percents(scores: tuple[float, ...], expected: int) -> None:
    assert percent(report(*scores)) == expected
