"""Spoof jobs from upload to report: the real ingress, queue, decoder and stores over the fakes of ``fake_roles``."""

import io
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from fake_roles import FakeDiarization, FakeSpoof, find_speech, silence, voice
from fastapi.testclient import TestClient
from finished_jobs import finish, told
from ingress import ADMIN, Serve
from numpy.typing import NDArray

from graphs.common.config import RecordingLimits
from graphs.common.recordings import SharedRecording
from graphs.spoof.graph import SpoofGraph
from graphs.spoof.job import SpoofJob
from graphs.spoof.kind import SPOOF
from graphs.spoof.report import SpoofReport
from models.audio import SAMPLE_RATE
from models.diarization import SpeakerTurn

pytestmark = pytest.mark.unit

TURNS = (SpeakerTurn(0.0, 8.0, "SPEAKER_00"), SpeakerTurn(8.0, 14.0, "SPEAKER_01"))


def as_wav(pcm: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((pcm * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def as_float_wav(pcm: NDArray[np.float32]) -> bytes:
    data = pcm.astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, SAMPLE_RATE, 4 * SAMPLE_RATE, 4, 32)
    chunks = form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


RECORDING = as_wav(np.concatenate((voice(0.9, 8), voice(0.1, 5), silence(1))))
WAVEFORM = [90] * 800 + [10] * 500 + [0] * 100


def not_shared(_samples: NDArray[np.float32]) -> SharedRecording:
    raise AssertionError("a recording without diarization is never held whole")


def submit(client: TestClient, recording: bytes = RECORDING, **fields: str) -> str:
    answer = client.post("/v1/jobs/spoof", files={"file": ("talk.wav", recording)}, data=fields)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    job_id: str = answer.json()["id"]
    return job_id


def do(client: TestClient, job_id: str, spoof: FakeSpoof, share: Any = not_shared) -> dict[str, Any]:
    """Run a worker until the job has ended, and return the job."""
    services = client.app.state.services  # type: ignore[attr-defined]
    graph = SpoofGraph(spoof, FakeDiarization(*TURNS), find_speech)
    return finish(client, job_id, SPOOF.name, SpoofJob(graph, services.objects, RecordingLimits(), share))


def test_a_recording_becomes_a_timeline_and_a_verdict(serve: Serve) -> None:
    with serve() as client:
        job = do(client, submit(client), FakeSpoof())
        assert (job["kind"], job["state"], job["progress"]) == ("spoof", "succeeded", 1.0), job
        assert list(job["artifacts"]) == ["spoof.json", "waveform.json"]
        waveform = client.get(job["artifacts"]["waveform.json"])
        assert waveform.headers["content-type"] == "application/json"
        assert waveform.json() == {
            "version": 1,
            "duration": 14.0,
            "seconds_per_point": 0.01,
            "peaks": WAVEFORM,
        }
        answer = client.get(job["artifacts"]["spoof.json"])
        assert answer.headers["content-type"] == "application/json"
        report = SpoofReport.model_validate_json(answer.text)
        assert [(chunk.start, chunk.end) for chunk in report.chunks] == [(0, 4), (4, 8), (8, 12), (12, 14)]
        assert [chunk.p_spoof for chunk in report.chunks[:3]] == pytest.approx([0.9, 0.9, 0.1], abs=1e-3)
        assert report.duration == 14.0
        assert report.verdict == "inconclusive"
        assert {"decode", "vad", "spoof"} == set(report.timings)
        summary = job["result"]
        assert (summary["verdict"], summary["p_spoof"], summary["chunks"]) == (report.verdict, report.p_spoof, 4)
        assert (summary["speakers"], summary["speaker_verdicts"]) == ([], None)
        assert [found["id"] for found in client.get("/v1/jobs", params={"kind": "spoof"}).json()["jobs"]] == [job["id"]]
        assert client.get("/v1/jobs", params={"kind": "transcription"}).json()["jobs"] == []
        unknown = client.get(f"/v1/jobs/{job['id']}/artifacts/transcript.json")
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "Artifacts are spoof.json, waveform.json.")


def test_followers_hear_of_chunks_while_they_are_scored(serve: Serve) -> None:
    long = as_wav(np.concatenate((voice(0.5, 100), silence(50))))
    with serve() as client:
        job = do(client, submit(client, long), FakeSpoof())
        story = told(client, job["id"])
        report = client.get(job["artifacts"]["spoof.json"]).json()
    batches = [data["chunks"] for event, data in story if event == "chunks"]
    assert len(batches) == 3
    assert [chunk for batch in batches for chunk in batch] == [
        {key: chunk[key] for key in ("start", "end", "p_spoof")} for chunk in report["chunks"]
    ]
    progress = [data["progress"] for event, data in story if event == "progress"]
    assert progress == sorted(progress)
    assert story[-1][0] == "succeeded"


def test_a_job_of_before_there_were_waveforms_has_none(serve: Serve, database_url: str) -> None:
    with serve() as client:
        job = do(client, submit(client), FakeSpoof())
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE jobs SET result = result - 'waveform_object'")
        assert list(client.get(f"/v1/jobs/{job['id']}").json()["artifacts"]) == ["spoof.json"]
        missing = client.get(job["artifacts"]["waveform.json"])
        assert (missing.status_code, missing.json()["code"]) == (404, "artifact_not_found")


def test_with_diarization_every_speaker_is_judged_and_can_be_named(serve: Serve) -> None:
    with serve() as client:
        job_id = submit(client, diarize="true", num_speakers="2")
        job = do(client, job_id, FakeSpoof(), lambda samples: SharedRecording(samples, samples))
        assert job["params"] == {"diarize": True, "num_speakers": 2}
        assert job["result"]["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
        assert set(job["result"]["engines"]) == {"spoof", "diarization"}
        assert [verdict["verdict"] for verdict in job["result"]["speaker_verdicts"]] == ["spoof", "bona_fide"]
        assert client.put(f"/v1/jobs/{job_id}/labels", json={"labels": {"SPEAKER_00": "Anna"}}).status_code == 200
        report = client.get(job["artifacts"]["spoof.json"]).json()
        assert client.get(job["artifacts"]["waveform.json"]).json()["peaks"] == WAVEFORM
        assert [speaker["speaker"] for speaker in report["speakers"]] == ["Anna", "SPEAKER_01"]
        assert {"decode", "vad", "spoof", "diarization"} == set(report["timings"])
        diarized = next(data for event, data in told(client, job_id) if event == "diarized")
        assert diarized["speakers"] == ["SPEAKER_00", "SPEAKER_01"]


def test_a_job_without_speakers_says_so_when_one_is_named(serve: Serve) -> None:
    with serve() as client:
        job = do(client, submit(client), FakeSpoof())
        refused = client.put(f"/v1/jobs/{job['id']}/labels", json={"labels": {"SPEAKER_00": "Anna"}})
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_speaker")
        assert "there are none" in refused.json()["detail"]


def test_damage_that_only_decoding_finds_fails_the_job_at_once(serve: Serve) -> None:
    pcm = voice(0.5, 100)
    pcm[-1] = np.nan
    with serve() as client:
        job = do(client, submit(client, as_float_wav(pcm)), FakeSpoof())
        assert (job["state"], job["attempt"], job["result"], job["artifacts"]) == ("failed", 1, None, {})
        assert (job["error"]["code"], job["error"]["field"]) == ("damaged", "file")


class FailsOnce(FakeSpoof):
    async def score(self, *args: Any, **options: Any) -> Any:
        self.errors = {} if self.calls else {"score": RuntimeError("the replica died")}
        return await super().score(*args, **options)


def test_another_attempt_writes_a_report_of_its_own(serve: Serve, tmp_path: Path) -> None:
    with serve() as client:
        job = do(client, submit(client), FailsOnce())
        assert (job["state"], job["attempt"]) == ("succeeded", 2)
        assert [file.parent.name for file in (tmp_path / "jobs" / job["id"]).rglob("spoof.json")] == ["2"]
        assert [event for event, _data in told(client, job["id"])].count("retrying") == 1


def test_an_ended_job_is_erased_with_its_recording_and_report(serve: Serve, tmp_path: Path) -> None:
    with serve() as client:
        job = do(client, submit(client), FakeSpoof())
        assert client.get(f"/v1/jobs/{job['id']}/recording", follow_redirects=True).content == RECORDING
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
        assert client.get(f"/v1/jobs/{job['id']}").status_code == 404
    assert not [file for folder in ("jobs", "uploads") for file in (tmp_path / folder).rglob("*") if file.is_file()]


def test_a_waiting_analysis_is_cancelled(serve: Serve) -> None:
    with serve() as client:
        job_id = submit(client)
        assert client.get(f"/v1/jobs/{job_id}/artifacts/waveform.json").json()["code"] == "not_ready"
        early = client.get(f"/v1/jobs/{job_id}/artifacts/spoof.json")
        assert (early.status_code, early.json()["code"]) == (409, "not_ready")
        assert client.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"


def test_an_analysis_that_ended_before_it_was_cancelled_keeps_its_report(serve: Serve) -> None:
    with serve() as client:
        job = do(client, submit(client), FakeSpoof())
        late = client.post(f"/v1/jobs/{job['id']}/cancel")
        assert (late.status_code, late.json()["state"]) == (200, "succeeded")
        assert client.get(f"/v1/jobs/{job['id']}/artifacts/spoof.json").status_code == 200
        stranger = client.post("/admin/users?name=stranger", headers=ADMIN).json()["api_key"]
        hidden = client.post(f"/v1/jobs/{job['id']}/cancel", headers={"X-API-Key": stranger})
        assert (hidden.status_code, hidden.json()["code"]) == (404, "job_not_found")


def test_a_presigned_upload_becomes_an_analysis_and_another_owners_does_not_exist(serve: Serve) -> None:
    with serve() as client:
        ticket = client.post("/v1/uploads", json={"content_type": "audio/wav"}).json()
        client.put(ticket["url"], content=RECORDING, headers=ticket["headers"])
        body = {"object_key": ticket["object_key"], "diarize": True, "max_speakers": 3}
        accepted = client.post("/v1/jobs/spoof", json=body)
        assert (accepted.status_code, accepted.json()["params"]) == (202, {"diarize": True, "max_speakers": 3})
        stranger = client.post("/admin/users?name=stranger", headers=ADMIN).json()["api_key"]
        client.headers["X-API-Key"] = stranger
        refused = client.post("/v1/jobs/spoof", json=body)
        assert (refused.status_code, refused.json()["code"]) == (404, "object_not_found")
        assert client.get(f"/v1/jobs/{accepted.json()['id']}").status_code == 404


def test_an_idempotency_key_is_for_one_kind_of_job(serve: Serve) -> None:
    with serve() as client:
        send: dict[str, Any] = {"files": {"file": ("a.wav", RECORDING)}, "headers": {"Idempotency-Key": "once"}}
        first, again = (client.post("/v1/jobs/spoof", **send) for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 200)
        assert first.json()["id"] == again.json()["id"]
        assert client.post("/v1/jobs/transcription", **send).status_code == 409
        unprintable = {**send, "headers": {"Idempotency-Key": "x" * 201}}
        assert client.post("/v1/jobs/spoof", **unprintable).json()["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"num_speakers": "2"}, "needs diarize=true"),
        ({"diarize": "true", "num_speakers": "2", "max_speakers": "3"}, "excludes"),
        ({"diarize": "true", "num_speakers": "0"}, "num_speakers"),
        ({"diarize": "perhaps"}, "diarize"),
        ({"language": "en"}, "language: is not a known field"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    serve: Serve, tmp_path: Path, fields: dict[str, str], says: str
) -> None:
    with serve() as client:
        refused = client.post("/v1/jobs/spoof", files={"file": ("a.wav", RECORDING)}, data=fields)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
        assert says in refused.json()["detail"]
    assert not [file for file in (tmp_path / "uploads").rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("recording", "status", "code"),
    [
        (b"", 400, "empty_file"),
        (b"only text " * 100, 415, "unsupported_media"),
        (as_wav(voice(0.5, 0.2)), 422, "too_short"),
        (RECORDING[:-200_000], 422, "damaged"),
    ],
    ids=["empty", "text", "too short", "truncated"],
)
def test_a_recording_that_cannot_be_used_is_refused_at_once(
    serve: Serve, recording: bytes, status: int, code: str
) -> None:
    with serve() as client:
        refused = client.post("/v1/jobs/spoof", files={"file": ("a.wav", recording)})
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["field"]) == (status, code, "file")


def test_what_is_there_of_a_truncated_recording_is_scored_where_the_caller_allows_it(serve: Serve) -> None:
    with serve() as client:
        job = do(client, submit(client, RECORDING[:-200_000], allow_truncated="true"), FakeSpoof())
        assert job["state"] == "succeeded"
        assert 7.5 < job["result"]["duration"] < 8.0


def test_a_transcription_takes_the_wish_for_verdicts(serve: Serve) -> None:
    with serve() as client:
        asked = client.post("/v1/jobs/transcription", files={"file": ("a.wav", RECORDING)}, data={"spoof": "true"})
        assert (asked.status_code, asked.json()["params"]) == (202, {"spoof": True})


def test_the_reference_describes_the_route_and_its_report(serve: Serve) -> None:
    with serve() as client:
        reference = client.get("/openapi.json").json()
    operation = reference["paths"]["/v1/jobs/spoof"]["post"]
    content = operation["requestBody"]["content"]
    assert {"file", "diarize", "num_speakers", "allow_truncated"} <= set(
        content["multipart/form-data"]["schema"]["properties"]
    )
    assert content["application/json"]["schema"]["examples"]
    assert operation["responses"]["202"]["content"]["application/json"]["schema"]["$ref"].endswith("/JobBody")
    example = reference["components"]["schemas"]["SpoofReport"]["examples"][0]
    assert SpoofReport.model_validate(example).verdict == "spoof"
