"""A transcription job from upload to its artifacts: the real ingress, queue, decoder and stores over fakes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_roles import ABSENT, FakeAsr, FakeDiarization, FakeSpoof, said, silence
from fastapi.testclient import TestClient
from finished_jobs import finish
from ingress import Serve
from structlog.testing import capture_logs

from deployments.errors import RoleUnavailable
from graphs.common.config import RecordingLimits
from graphs.common.recordings import SharedRecording
from graphs.transcription.graph import TranscriptionGraph
from graphs.transcription.job import TranscriptionJob
from graphs.transcription.kind import TRANSCRIPTION
from graphs.transcription.transcript import Transcript
from models.audio import SAMPLE_RATE, encode
from models.diarization import SpeakerTurn
from models.facts import EngineInUse

pytestmark = pytest.mark.unit

SAMPLES = np.concatenate((said(1, 2), silence(1)))
TURN = SpeakerTurn(0.0, 2.0, "SPEAKER_00")


def do(client: TestClient, job_id: str) -> dict[str, Any]:
    """Run a worker until the job has ended, and return the job."""
    services = client.app.state.services  # type: ignore[attr-defined]
    asr = FakeAsr("good day")
    asr.engine_in_use = EngineInUse("pocketsphinx", notice="It mishears a lot.")
    graph = TranscriptionGraph(asr, FakeDiarization(TURN), FakeSpoof())
    handler = TranscriptionJob(
        graph, services.objects, RecordingLimits(), lambda samples: SharedRecording(samples, samples)
    )
    return finish(client, job_id, TRANSCRIPTION.name, handler)


def test_a_recording_becomes_a_transcript_and_a_waveform(serve: Serve) -> None:
    recording = encode([SAMPLES], "wav", SAMPLE_RATE)
    with serve() as client:
        submitted = client.post("/v1/jobs/transcription", files={"file": ("talk.wav", recording)}).json()
        job = do(client, submitted["id"])
        assert job["state"] == "succeeded", job
        assert list(job["artifacts"]) == [
            "transcript.json",
            "transcript.srt",
            "transcript.vtt",
            "transcript.txt",
            "diarization.rttm",
            "waveform.json",
        ]
        waveform = client.get(job["artifacts"]["waveform.json"]).json()
        transcript = client.get(job["artifacts"]["transcript.json"]).json()
        assert client.get(job["artifacts"]["transcript.txt"]).text.endswith("good day\n")
    assert (waveform["duration"], waveform["seconds_per_point"], len(waveform["peaks"])) == (3.0, 0.01, 300)
    assert waveform["peaks"][100] == round(100 * abs(SAMPLES[SAMPLE_RATE]))
    assert waveform["peaks"][250] == 0
    assert not {"artifact", "waveform_object"} & set(job["result"])
    for result in (transcript, job["result"]):
        assert result["engines"] == {
            "asr": {"engine": "pocketsphinx", "model": None},
            "diarization": {"engine": "fake", "model": None},
        }
        assert result["notices"] == ["It mishears a lot."]


def test_a_transcript_of_an_earlier_release_has_no_engines() -> None:
    empty = {"speakers": [], "turns": [], "segments": [], "diarization": [], "timings": {}}
    stored = Transcript.model_validate({"version": 1, "duration": 1.0, "language": "en", **empty})
    assert (stored.engines, stored.notices) == ({}, ())


def test_a_language_is_refused_at_once_where_the_recogniser_lacks_it(serve: Serve) -> None:
    files = {"file": ("talk.wav", encode([SAMPLES], "wav", SAMPLE_RATE))}
    with serve(replace(ABSENT, asr=FakeAsr())) as client:
        assert client.post("/v1/jobs/transcription", files=files, data={"language": "ru"}).status_code == 202
        refused = client.post("/v1/jobs/transcription", files=files, data={"language": "de"})
        assert (refused.status_code, refused.json()["code"]) == (422, "unsupported_language")
        assert refused.json()["detail"].endswith("'de'; it has: en, ru")
        assert len(client.get("/v1/jobs").json()["jobs"]) == 1


def test_a_recogniser_that_is_away_is_asked_by_the_job(serve: Serve) -> None:
    files = {"file": ("talk.wav", encode([SAMPLES], "wav", SAMPLE_RATE))}
    away = FakeAsr().failing(languages=RoleUnavailable("no replica can be reached"))
    with serve(replace(ABSENT, asr=away)) as client, capture_logs():
        assert client.post("/v1/jobs/transcription", files=files, data={"language": "de"}).status_code == 202
