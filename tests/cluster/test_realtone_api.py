"""RealTone's routes on the running system, as its web page calls them."""

import uuid

import httpx
import pytest
from waiting import events

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def realtone(system) -> httpx.Client:
    """An owner of this module's own, who sends the key as RealTone's page sends its token."""
    with httpx.Client(base_url=system.url, timeout=60) as client:
        made = client.post(
            "/admin/users", json={"name": "realtone page"}, headers={"X-Admin-Key": system.admin_key}
        ).json()
        client.headers["Authorization"] = f"bearer {made['api_key']}"
        yield client


def test_an_upload_is_analysed_listed_and_erased(realtone, dialogue) -> None:
    assert realtone.get("/api/v1/history").json() == []
    accepted = realtone.post("/api/v1/audio/upload", files={"audiofile": ("Dialogue.FLAC", dialogue, "audio/flac")})
    assert accepted.status_code == 202, accepted.text
    task = str(uuid.UUID(accepted.json()["task_id"]))
    assert realtone.get(f"/api/v1/audio/status/{task}").json()["status"] in ("PENDING", "PROCESSING", "COMPLETED")
    events(realtone, task)

    report = realtone.get(f"/v1/jobs/{task}/artifacts/spoof.json").json()
    scored = {
        f"chunk_{i}": chunk["p_spoof"] for i, chunk in enumerate(report["chunks"]) if chunk["p_spoof"] is not None
    }
    assert scored
    assert realtone.get(f"/api/v1/audio/status/{task}").json() == {
        "task_id": task,
        "status": "COMPLETED",
        "predictions": scored,
    }
    (row,) = realtone.get("/api/v1/history").json()
    assert (row["id"], row["filename"], row["analysis_details"]) == (task, "Dialogue.FLAC", scored)
    assert row["file_size"] == f"{len(dialogue) / 1024:.2f} KB"
    assert 0 <= row["probability"] <= 100

    assert realtone.delete(f"/api/v1/history/{task}").status_code == 200
    assert realtone.get("/api/v1/history").json() == []
    assert realtone.get(f"/api/v1/audio/status/{task}").json() == {"error": "Task not found"}


def test_a_file_over_ten_megabytes_gets_its_answer_through_the_proxy(realtone) -> None:
    refused = realtone.post("/api/v1/audio/upload", files={"audiofile": ("long.wav", bytes(19 * 2**20), "audio/wav")})
    assert refused.status_code == 400
    assert refused.json() == {"error": "File size limit exceeded. Max size: 10 MB"}
