"""The transcription graph through the HTTP API, with the embedded engines."""

import json
import uuid

import httpx
import pytest
from waiting import ended, events, submit, wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def finished(system, dialogue):
    """One job that has succeeded."""
    with system.client(**{"X-Correlation-ID": "one-finished-job"}) as client:
        return ended(client, submit(client, dialogue))


def test_a_recording_of_two_speakers_comes_back_as_who_said_what(client, finished) -> None:
    assert finished["state"] == "succeeded", finished
    assert finished["progress"] == 1.0
    transcript = client.get(finished["artifacts"]["transcript.json"]).json()
    assert transcript["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert transcript["language"] == "en"
    assert len(transcript["turns"]) >= 4
    assert {"decode", "diarization", "asr", "merge"} <= set(transcript["timings"])
    words = [word for turn in transcript["turns"] for word in turn["words"]]
    assert len(words) > 30
    assert all(0 <= word["start"] <= word["end"] <= transcript["duration"] for word in words)
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)


def test_every_format_says_the_same(client, finished) -> None:
    read = {name: client.get(url) for name, url in finished["artifacts"].items()}
    assert {response.status_code for response in read.values()} == {200}
    first = json.loads(read["transcript.json"].text)["turns"][0]
    assert read["transcript.srt"].text.startswith("1\n00:00:")
    assert read["transcript.vtt"].text.startswith("WEBVTT\n")
    assert read["transcript.vtt"].headers["content-type"].startswith("text/vtt")
    assert f"{first['speaker']}: {first['text']}" in read["transcript.txt"].text
    assert read["diarization.rttm"].text.startswith(f"SPEAKER {finished['id']} 1 ")


def test_events_tell_the_story_in_order_and_replay_from_any_point(client, finished) -> None:
    story = events(client, finished["id"])
    types = [event["event"] for event in story]
    assert [event["id"] for event in story] == list(range(1, len(story) + 1))
    assert types[0] == "queued"
    assert types[-1] == "succeeded"
    assert "segment" in types
    assert "diarized" in types
    assert types.index("segment") < len(types) - 1
    assert events(client, finished["id"], after=story[2]["id"]) == story[3:]


def test_the_correlation_id_comes_back_and_goes_with_the_job(client, finished) -> None:
    assert finished["correlation_id"] == "one-finished-job"
    assert client.get("/health", headers={"X-Correlation-ID": "abc-1"}).headers["X-Correlation-ID"] == "abc-1"
    made = client.get("/health", headers={"X-Correlation-ID": "no spaces allowed"}).headers["X-Correlation-ID"]
    assert uuid.UUID(made)


def test_speakers_can_be_named(client, finished) -> None:
    url = f"/v1/jobs/{finished['id']}/labels"
    assert client.put(url, json={"labels": {"SPEAKER_01": "Anna"}}).json()["labels"] == {"SPEAKER_01": "Anna"}
    assert "Anna: " in client.get(finished["artifacts"]["transcript.txt"]).text
    assert client.put(url, json={"labels": {"SPEAKER_07": "Anna"}}).status_code == 422
    assert client.put(url, json={"labels": {"SPEAKER_01": "<b>"}}).status_code == 422
    assert client.put(url, json={"labels": {}}).json()["labels"] == {}


def test_jobs_are_listed_newest_first_in_pages(client, finished, dialogue) -> None:
    newer = submit(client, dialogue)
    page = client.get("/v1/jobs", params={"limit": 1}).json()
    assert [job["id"] for job in page["jobs"]] == [newer]
    rest = client.get("/v1/jobs", params={"limit": 100, "cursor": page["next_cursor"]}).json()
    assert finished["id"] in [job["id"] for job in rest["jobs"]]
    assert newer not in [job["id"] for job in rest["jobs"]]
    assert client.delete(f"/v1/jobs/{newer}").json()["state"] == "cancelled"
    assert events(client, newer)[-1]["event"] == "cancelled"
    assert client.get("/v1/jobs", params={"cursor": "nonsense"}).status_code == 422


def test_an_ended_job_is_erased_with_its_data(client, brief) -> None:
    job = ended(client, submit(client, brief))
    recording = client.get(f"/v1/jobs/{job['id']}/recording", follow_redirects=False)
    assert recording.status_code == 307
    stored = httpx.get(recording.headers["location"])
    assert stored.content == brief
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"/v1/jobs/{job['id']}").status_code == 404
    assert httpx.get(recording.headers["location"]).is_client_error


def test_the_same_idempotency_key_is_one_job(client, brief) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    send = {"files": {"file": ("a.flac", brief)}, "headers": headers}
    first = client.post("/v1/jobs/transcription", **send)
    again = client.post("/v1/jobs/transcription", **send)
    other = client.post("/v1/jobs/transcription", data={"num_speakers": "2"}, **send)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert first.json()["id"] == again.json()["id"]
    assert ended(client, first.json()["id"])["state"] == "succeeded"


def test_a_presigned_upload_becomes_a_job(client, brief) -> None:
    ticket = client.post("/v1/uploads", json={"content_type": "audio/flac"})
    assert ticket.status_code == 201
    upload = ticket.json()
    sent = httpx.request(upload["method"], upload["url"], headers=upload["headers"], content=brief)
    assert sent.status_code == 200, sent.text
    body = {"object_key": upload["object_key"], "num_speakers": 1}
    job = client.post("/v1/jobs/transcription", json=body)
    assert job.status_code == 202, job.text
    assert ended(client, job.json()["id"])["result"]["speakers"] == ["SPEAKER_00"]


def test_the_reference_page_asks_no_other_host(client) -> None:
    page = client.get("/docs").text
    assert 'src="/static-offline-docs/swagger-ui-bundle.js"' in page
    assert "://" not in page
    assert client.get("/static-offline-docs/swagger-ui-bundle.js").status_code == 200


def test_readiness_names_versions_and_metrics_count_work(client, system, finished) -> None:
    assert client.get("/ready").json()["status"] == "ready"
    text = client.get("/metrics").text
    assert 'voicegraph_jobs{kind="transcription",state="succeeded"}' in text
    assert 'celery_task_runs_total{task="tasks.transcribe_segments"}' in text
    assert "whisper_transcription_seconds_count" in text
    assert "vad_segmentation_seconds_sum" in text


def test_metrics_of_all_processes_are_merged_without_their_labels(client, finished) -> None:
    wanted = {
        'http_requests_total{method="GET",path="/v1/jobs/{job_id}",status="200"}',
        'http_request_duration_seconds_bucket{le="+Inf",path="/v1/jobs/{job_id}"}',
        'voicegraph_audio_seconds_total{engine="pocketsphinx",role="asr"}',
        'voicegraph_engine_calls_total{engine="clustering",role="diarization"}',
    }

    def metrics_with_all() -> str | None:
        client.get(f"/v1/jobs/{finished['id']}")
        told = client.get("/metrics").text
        return told if all(sample in told for sample in wanted) else None

    # Ray's processes hand their metrics over every ten seconds.
    text = wait_for(metrics_with_all, otherwise=lambda: client.get("/metrics").text)
    assert "WorkerId" not in text
    assert "replica=" not in text
