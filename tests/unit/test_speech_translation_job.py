"""Speech translation jobs from upload to translated audio: the real ingress, queue, decoder and stores."""

import io
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_roles import ABSENT, FakeAsr, FakeSpeech, FakeTranslation, find_speech, numbered, said, silence
from fake_roles.speech import letters
from fastapi.testclient import TestClient
from finished_jobs import finish, told
from ingress import ADMIN, Serve
from numpy.typing import NDArray
from structlog.testing import capture_logs

from deployments.errors import RoleUnavailable
from graphs.common.config import RecordingLimits
from graphs.common.recordings import SharedRecording
from graphs.common.roles import Roles
from graphs.translation.graph import SpeechTranslationGraph
from graphs.translation.job import SpeechTranslationJob
from graphs.translation.kind import TRANSLATION
from graphs.translation.report import SpeechTranslation
from graphs.translation.text import TranslationGraph
from models.audio import SAMPLE_RATE, decode
from models.audio.encoding import encode
from models.speech import Voice
from storage.voices import new_voice_key

pytestmark = pytest.mark.unit


def as_wav(*parts: NDArray[np.float32]) -> bytes:
    return encode(parts, "wav", SAMPLE_RATE)


CLONE = Voice("clone", "Clone", ("es", "en"), "clone", 8000, clones=True)
RECORDING = as_wav(silence(1), said(1, 2), silence(1), said(2, 2), silence(1))


def speaking() -> FakeSpeech:
    return FakeSpeech(Voice("anna", "Anna", ("es",), "anna", 8000), CLONE, pieces=letters)


def roles(speech: FakeSpeech | None = None, translation: FakeTranslation | None = None) -> Roles:
    return replace(
        ABSENT,
        asr=FakeAsr(numbered("good day", "my friend")),
        translation=translation or FakeTranslation(),
        speech=speech or speaking(),
    )


def submit(client: TestClient, recording: bytes = RECORDING, **fields: str) -> str:
    asked = {"source": "en", "target": "es", **fields}
    answer = client.post("/v1/jobs/translation", files={"file": ("talk.wav", recording)}, data=asked)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def do(client: TestClient, job_id: str, speech: FakeSpeech | None = None) -> dict[str, Any]:
    """Run a worker until the job has ended, and return the job."""
    services = client.app.state.services  # type: ignore[attr-defined]
    known = services.roles
    graph = SpeechTranslationGraph(known.asr, TranslationGraph(known.translation), speech or known.speech, find_speech)
    handler = SpeechTranslationJob(
        graph,
        services.objects,
        RecordingLimits(),
        lambda samples: SharedRecording(samples, samples),
        services.speakers,
    )
    return finish(client, job_id, TRANSLATION.name, handler)


def test_a_recording_becomes_audio_texts_and_subtitles_in_both_languages(serve: Serve) -> None:
    with serve(roles()) as client:
        job = do(client, submit(client))
        assert (job["kind"], job["state"], job["progress"]) == ("translation", "succeeded", 1.0), job
        assert list(job["artifacts"]) == [
            "translation.json",
            *(f"{side}.{ending}" for side in ("source", "target") for ending in ("srt", "vtt", "txt")),
            "translation.wav",
            "waveform.json",
        ]
        results = {name: client.get(url) for name, url in job["artifacts"].items()}
        report = SpeechTranslation.model_validate_json(results["translation.json"].text)
        played = client.post(f"/v1/jobs/{job['id']}/media/translation.wav").json()
        assert (played["content_type"], played["filename"]) == ("audio/wav", "translation.wav")
        assert client.get(played["url"]).content == results["translation.wav"].content
    assert results["waveform.json"].json()["duration"] == report.duration
    assert [utterance.target_text for utterance in report.utterances] == ["GOOD DAY", "MY FRIEND"]
    assert results["target.txt"].text == "[00:00:01] GOOD DAY\n[00:00:04] MY FRIEND\n"
    assert results["source.srt"].text == (
        "1\n00:00:01,000 --> 00:00:03,000\ngood day\n\n2\n00:00:04,000 --> 00:00:06,000\nmy friend\n"
    )
    assert results["target.vtt"].text.startswith("WEBVTT\n\n00:00:01.000 --> 00:00:03.000\nGOOD DAY\n")
    assert results["target.vtt"].headers["content-type"].startswith("text/vtt")
    audio = results["translation.wav"]
    assert audio.history[0].status_code == 307
    assert audio.headers["content-type"] == "audio/wav"
    assert b"Synthetic speech" in audio.content[:400]
    with wave.open(io.BytesIO(audio.content)) as file:
        assert file.getnframes() == 7 * file.getframerate()
    loud = decode(io.BytesIO(audio.content)) > 0.3
    begins = np.flatnonzero(np.diff(loud.astype(np.int8)) == 1) / SAMPLE_RATE
    assert np.unique(np.round(begins, 1)).tolist() == [1.0, 4.0]
    summary = job["result"]
    assert (summary["utterances"], summary["suspect"], summary["audio"]["spoken"]) == (2, 0, 2)
    assert not {"artifact", "audio_object"} & set(summary)


def test_followers_hear_of_utterances_and_of_the_audio(serve: Serve) -> None:
    with serve(roles()) as client:
        job = do(client, submit(client))
        story = told(client, job["id"])
        report = client.get(job["artifacts"]["translation.json"]).json()
    spoken = [data for event, data in story if event == "utterance"]
    assert [{key: value for key, value in data.items() if key != "at"} for data in spoken] == report["utterances"]
    (audio,) = [data for event, data in story if event == "audio"]
    assert audio["name"] == "translation.wav"
    progress = [data["progress"] for event, data in story if event == "progress"]
    assert progress == sorted(progress)


def test_the_audio_comes_in_the_format_that_was_asked_for(serve: Serve) -> None:
    with serve(roles()) as client:
        for audio_format, magic in (("mp3", b"ID3"), ("opus", b"OggS"), ("flac", b"fLaC")):
            job = do(client, submit(client, audio_format=audio_format))
            content = client.get(job["artifacts"][f"translation.{audio_format}"]).content
            assert content.startswith(magic)
            assert len(decode(io.BytesIO(content))) / SAMPLE_RATE == pytest.approx(7.0, abs=0.3)


def test_without_speech_there_is_text_alone(serve: Serve) -> None:
    speech = speaking()
    with serve(roles(speech)) as client:
        job = do(client, submit(client, speak="false"))
        assert [name for name in job["artifacts"] if "translation" in name] == ["translation.json"]
        assert job["result"]["audio"] is None
        assert set(job["result"]["engines"]) == {"asr", "translation"}
        missing = client.get(f"/v1/jobs/{job['id']}/artifacts/translation.wav")
    assert missing.status_code == 404
    assert speech.speeds == []


def test_a_registered_voice_is_spoken_with_and_another_owners_is_unknown(serve: Serve) -> None:
    speech = speaking()
    with serve(roles(speech)) as client:
        voice = register(client, "grandmother")
        job = do(client, submit(client, voice=voice))
        assert (job["state"], job["result"]["voice"]) == ("succeeded", "grandmother")
        assert set(job["result"]["engines"]) == {"asr", "translation", "speech"}
        used = [call["reference"] for call in speech.calls]
        assert used and all(reference is not None and reference.encoder == "fake" for reference in used)
        client.headers["X-API-Key"] = client.post("/admin/users?name=stranger", headers=ADMIN).json()["api_key"]
        refused = client.post(
            "/v1/jobs/translation", files={"file": ("a.wav", RECORDING)}, data={"target": "es", "voice": voice}
        )
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_voice")


def register(client: TestClient, name: str) -> str:
    services = client.app.state.services  # type: ignore[attr-defined]
    key = new_voice_key(1)
    services.objects.put(key, encode([said(50, 2)], "flac", SAMPLE_RATE))

    async def create() -> str:
        voice = await services.voices.create(1, name, reference_key=key, seconds=2.0, embeddings={"fake": [1.0, 0.0]})
        return str(voice.id)

    assert client.portal is not None
    found: str = client.portal.call(create)
    return found


def test_what_cannot_be_done_is_refused_at_once_and_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    table: list[tuple[dict[str, str], str, str]] = [
        ({"source": "en"}, "invalid_request", "target"),
        ({"source": "en", "target": "Spanish"}, "invalid_request", "target"),
        ({"source": "es", "target": "es"}, "invalid_request", "body"),
        ({"target": "es", "speak": "false", "voice": "anna"}, "invalid_request", "body"),
        ({"target": "es", "audio_format": "aiff"}, "invalid_request", "audio_format"),
        ({"target": "es", "num_speakers": "2"}, "invalid_request", "num_speakers"),
        ({"source": "ru", "target": "es"}, "unsupported_pair", "target"),
        ({"source": "fr", "target": "es"}, "unsupported_language", "source"),
        ({"target": "kk"}, "unsupported_pair", "target"),
        ({"source": "en", "target": "es", "voice": "boris"}, "unknown_voice", "voice"),
        ({"source": "en", "target": "fr"}, "unsupported_language", "target"),
        ({"source": "en", "target": "fr", "voice": "anna"}, "unsupported_voice", "voice"),
    ]
    with serve(roles()) as client:
        for fields, code, field in table:
            refused = client.post("/v1/jobs/translation", files={"file": ("a.wav", RECORDING)}, data=fields)
            problem = refused.json()
            assert (refused.status_code, problem["code"], problem["field"]) == (422, code, field), problem
        assert client.get("/v1/jobs").json()["jobs"] == []
    assert not [file for file in (tmp_path / "uploads").rglob("*") if file.is_file()]


def test_a_language_that_goes_without_speech_is_taken_as_text(serve: Serve) -> None:
    with serve(roles()) as client:
        job = do(client, submit(client, target="fr", speak="false"))
    assert (job["state"], job["result"]["target"]) == ("succeeded", "fr")


def test_roles_that_are_away_are_asked_by_the_job(serve: Serve) -> None:
    translation = FakeTranslation().failing(pairs=RoleUnavailable("no replica can be reached"))
    with serve(roles(translation=translation)) as client, capture_logs():
        job_id = submit(client, target="kk")
        translation.errors.clear()
        job = do(client, job_id, speaking())
    assert (job["state"], job["attempt"]) == ("failed", 1)
    assert job["error"]["code"] in ("unsupported_pair", "unsupported_language")


def test_a_presigned_upload_becomes_a_translation(serve: Serve) -> None:
    with serve(roles()) as client:
        ticket = client.post("/v1/uploads", json={"content_type": "audio/wav"}).json()
        client.put(ticket["url"], content=RECORDING, headers=ticket["headers"])
        body = {"object_key": ticket["object_key"], "target": "es", "audio_format": "mp3"}
        accepted = client.post("/v1/jobs/translation", json=body)
        assert (accepted.status_code, accepted.json()["params"]) == (202, {"target": "es", "audio_format": "mp3"})
        early = client.get(f"/v1/jobs/{accepted.json()['id']}/artifacts/translation.mp3")
        assert (early.status_code, early.json()["code"]) == (409, "not_ready")
        refused = client.post("/v1/jobs/translation", json={**body, "target": "kk"})
        assert refused.status_code == 422
        assert client.post("/v1/jobs/translation", json=body).status_code == 202


def test_an_ended_translation_is_erased_with_its_audio(serve: Serve, tmp_path: Path) -> None:
    with serve(roles()) as client:
        job = do(client, submit(client))
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert not [file for folder in ("jobs", "uploads") for file in (tmp_path / folder).rglob("*") if file.is_file()]


def test_another_owner_sees_neither_report_nor_audio(serve: Serve) -> None:
    with serve(roles()) as client:
        job = do(client, submit(client))
        client.headers["X-API-Key"] = client.post("/admin/users?name=stranger", headers=ADMIN).json()["api_key"]
        assert {client.get(url).status_code for url in job["artifacts"].values()} == {404}


def test_the_reference_describes_the_route_and_its_report(serve: Serve) -> None:
    with serve(roles()) as client:
        reference = client.get("/openapi.json").json()
    content = reference["paths"]["/v1/jobs/translation"]["post"]["requestBody"]["content"]
    assert {"file", "source", "target", "voice", "speak", "audio_format"} <= set(
        content["multipart/form-data"]["schema"]["properties"]
    )
    assert "SpeechTranslation" in reference["components"]["schemas"]
