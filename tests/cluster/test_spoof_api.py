"""The spoof graph through the HTTP API, with the embedded engines."""

import uuid
from typing import Any

import httpx
import numpy as np
import pytest
from test_bad_requests import wav
from waiting import ended, events, patiently, submit

pytestmark = pytest.mark.cluster


def analyse(client: httpx.Client, recording: bytes, **fields: str) -> str:
    answer = client.post("/v1/jobs/spoof", files={"file": ("talk.flac", recording)}, data=fields)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def report_of(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    assert job["state"] == "succeeded", job
    report: dict[str, Any] = patiently(client, job["artifacts"]["spoof.json"]).json()
    return report


@pytest.fixture(scope="module")
def finished(system, dialogue):
    """An analysis of the bundled dialogue, which eSpeak speaks, with its speakers."""
    with system.client() as client:
        return ended(client, analyse(client, dialogue, diarize="true"))


def test_the_synthetic_dialogue_is_found_out(client, finished) -> None:
    report = report_of(client, finished)
    assert (report["verdict"], report["engine"]) == ("spoof", "compact")
    assert report["p_spoof"] >= report["bands"]["spoof_from"]
    assert {"decode", "vad", "spoof", "diarization"} <= set(report["timings"])
    assert finished["result"]["verdict"] == "spoof"


def test_the_timeline_covers_the_recording_without_gaps(client, finished) -> None:
    report = report_of(client, finished)
    chunks = report["chunks"]
    assert chunks[0]["start"] == 0
    assert [chunk["start"] for chunk in chunks[1:]] == [chunk["end"] for chunk in chunks[:-1]]
    assert chunks[-1]["end"] == report["duration"]
    assert all(chunk["end"] - chunk["start"] == pytest.approx(4.0) for chunk in chunks[:-1])
    for chunk in chunks:
        assert (chunk["p_spoof"] is None) == (chunk["speech_seconds"] < 0.5)
        assert chunk["p_spoof"] is None or 0 <= chunk["p_spoof"] <= 1
    assert report["speech_seconds"] == pytest.approx(sum(chunk["speech_seconds"] for chunk in chunks), abs=0.01)


def test_no_speaker_of_the_dialogue_is_taken_for_real(client, finished) -> None:
    speakers = report_of(client, finished)["speakers"]
    assert [speaker["speaker"] for speaker in speakers] == ["SPEAKER_00", "SPEAKER_01"]
    assert "bona_fide" not in {speaker["verdict"] for speaker in speakers}
    assert all(speaker["speech_seconds"] > 5 for speaker in speakers)
    assert finished["result"]["speakers"] == ["SPEAKER_00", "SPEAKER_01"]


def test_events_bring_the_timeline(client, finished) -> None:
    story = events(client, finished["id"])
    told = [chunk for event in story if event["event"] == "chunks" for chunk in event["data"]["chunks"]]
    assert told == [
        {key: chunk[key] for key in ("start", "end", "p_spoof")} for chunk in report_of(client, finished)["chunks"]
    ]
    assert "diarized" in [event["event"] for event in story]
    assert story[-1]["event"] == "succeeded"


def test_a_transcription_tells_whose_voice_is_real_where_it_is_asked_to(client, brief) -> None:
    job = ended(client, submit(client, brief, spoof="true"))
    transcript = patiently(client, job["artifacts"]["transcript.json"]).json()
    assert [voice["speaker"] for voice in transcript["spoof"]["speakers"]] == transcript["speakers"]
    assert "bona_fide" not in {voice["verdict"] for voice in transcript["spoof"]["speakers"]}
    assert "spoof" in transcript["timings"]
    assert job["result"]["spoof"] == transcript["spoof"]
    assert "P(" not in patiently(client, job["artifacts"]["transcript.srt"]).text


def test_a_recording_in_which_nobody_speaks_has_no_verdict(client) -> None:
    silence = wav(10.0)[:44] + np.zeros(10 * 16_000, "<i2").tobytes()
    report = report_of(client, ended(client, analyse(client, silence)))
    assert (report["verdict"], report["p_spoof"], report["engine"]) == ("no_speech", None, None)
    assert [chunk["p_spoof"] for chunk in report["chunks"]] == [None, None, None]
    assert report["duration"] == 10.0


def test_another_owner_sees_nothing_of_it(system, finished) -> None:
    with system.client(system.other_key) as stranger:
        for path in ("", "/events", "/artifacts/spoof.json", "/recording"):
            answer = stranger.get(f"/v1/jobs/{finished['id']}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_analyses_are_listed_by_their_kind(client, finished) -> None:
    kinds = {job["kind"] for job in client.get("/v1/jobs", params={"kind": "spoof", "limit": 100}).json()["jobs"]}
    assert kinds == {"spoof"}


@pytest.mark.parametrize(
    ("recording", "fields", "status", "code"),
    [
        (b"", {}, 400, "empty_file"),
        (b"This is only text. " * 50, {}, 415, "unsupported_media"),
        (wav(0.2), {}, 422, "too_short"),
        (wav(1201, rate=8000), {}, 422, "too_long"),
        (wav(2), {"num_speakers": "2"}, 422, "invalid_request"),
        (wav(2), {"language": "en"}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_analysed_is_refused_at_once(client, recording, fields, status, code) -> None:
    refused = client.post("/v1/jobs/spoof", files={"file": ("talk.wav", recording)}, data=fields)
    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text


def test_the_same_idempotency_key_is_one_analysis(client, dialogue) -> None:
    send = {"files": {"file": ("a.flac", dialogue)}, "headers": {"Idempotency-Key": str(uuid.uuid4())}}
    first, again = (client.post("/v1/jobs/spoof", **send) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    client.delete(f"/v1/jobs/{first.json()['id']}")
