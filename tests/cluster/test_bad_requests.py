"""What is refused, with which status, and whether the sentence helps."""

import io
import uuid
import wave

import av
import httpx
import numpy as np
import pytest
from recordings import encoded

pytestmark = pytest.mark.cluster

PROBLEM = "application/problem+json"


def wav(seconds: float, rate: int = 16_000) -> bytes:
    buffer = io.BytesIO()
    samples = (np.sin(np.arange(int(seconds * rate)) * 0.1) * 8000).astype("<i2")
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def silent_video() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(25):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("recording", "status", "code", "says"),
    [
        (b"", 400, "empty_file", "empty"),
        (b"This is only text, whatever its name says. " * 50, 415, "unsupported_media", ""),
        (encoded("mp3", "libmp3lame", 10)[:-30_000], 422, "damaged", "allow_truncated"),
        (silent_video(), 422, "no_audio", ""),
        (wav(0.2), 422, "too_short", "0.2"),
        (wav(1201, rate=8000), 422, "too_long", "1200"),
        (wav(0.5)[:44] + bytes(21 * 1024 * 1024), 413, "too_large", "20971520"),
    ],
    ids=["empty", "text named .wav", "truncated mp3", "video without sound", "0.2 s", "too long", "too large"],
)
def test_a_recording_that_cannot_be_used_is_refused_at_once(client, recording, status, code, says) -> None:
    answer = client.post("/v1/jobs/transcription", files={"file": ("talk.wav", recording, "audio/wav")})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (status, code, "file"), problem
    assert answer.headers["content-type"] == PROBLEM
    assert says in problem["detail"]
    assert problem["detail"].endswith(".")
    assert problem["correlation_id"] == answer.headers["X-Correlation-ID"]


def test_a_truncated_recording_is_transcribed_where_the_caller_allows_it(client) -> None:
    files = {"file": ("talk.mp3", encoded("mp3", "libmp3lame", 10)[:-30_000])}
    answer = client.post("/v1/jobs/transcription", files=files, data={"allow_truncated": "true"})
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"num_speakers": "0"}, "num_speakers"),
        ({"num_speakers": "two"}, "num_speakers"),
        ({"max_speakers": "21"}, "max_speakers"),
        ({"num_speakers": "2", "min_speakers": "1"}, ""),
        ({"min_speakers": "3", "max_speakers": "2"}, ""),
        ({"language": "English"}, "language"),
        ({"beam": "5"}, "beam"),
    ],
)
def test_a_field_out_of_range_or_unknown_is_named(client, dialogue, fields, field) -> None:
    answer = client.post("/v1/jobs/transcription", files={"file": ("a.flac", dialogue)}, data=fields)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert field in answer.json()["errors"][0]["field"]


def test_a_language_that_the_recogniser_lacks_is_refused_with_those_it_has(client, dialogue) -> None:
    assert client.get("/v1/languages").json()["recognition"]["languages"] == ["en"]
    answer = client.post("/v1/jobs/transcription", files={"file": ("a.flac", dialogue)}, data={"language": "ru"})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, "unsupported_language", "language")
    assert problem["detail"].endswith("'ru'; it has: en")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{not json", "application/json", 400, "malformed_json"),
        (b"[" * 60_000, "application/json", 400, "malformed_json"),
        (b'{"object_key": 3}', "application/json", 422, "invalid_request"),
        (b'{"object_key": "uploads/1/x", "speed": 2}', "application/json", 422, "invalid_request"),
        (b"{}", "application/json", 422, "invalid_request"),
        (b'{"object_key": "uploads/999/abc"}', "application/json", 404, "object_not_found"),
        (b'{"object_key": "../../etc/passwd"}', "application/json", 404, "object_not_found"),
        (b"hello", "text/plain", 415, "not_multipart"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400, "malformed_form"),
        (b"hello", "multipart/form-data", 415, "not_multipart"),
        (b"x" * 70_000, "application/json", 413, "too_large"),
    ],
)
def test_a_malformed_body_is_told_apart_from_a_wrong_one(client, body, content_type, status, code) -> None:
    answer = client.post("/v1/jobs/transcription", content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_form_without_a_file_or_with_two_is_refused(client, dialogue) -> None:
    nothing = client.post("/v1/jobs/transcription", files={"other": (None, "x")})
    assert (nothing.status_code, nothing.json()["field"]) == (422, "file")
    two = [("file", ("a.flac", dialogue)), ("file", ("b.flac", dialogue))]
    assert client.post("/v1/jobs/transcription", files=two).json()["code"] == "duplicate_field"


@pytest.mark.parametrize(
    "method,path", [("GET", ""), ("DELETE", ""), ("GET", "/events"), ("GET", "/artifacts/transcript.json")]
)
def test_an_unknown_id_and_another_owners_id_look_the_same(system, client, dialogue, method, path) -> None:
    from waiting import submit

    theirs = submit(client, dialogue)
    with system.client(system.other_key) as stranger:
        foreign = stranger.request(method, f"/v1/jobs/{theirs}{path}")
        unknown = stranger.request(method, f"/v1/jobs/{uuid.uuid4()}{path}")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json()["detail"] == unknown.json()["detail"]
    assert client.get(f"/v1/jobs/{theirs}").status_code == 200
    client.delete(f"/v1/jobs/{theirs}")


def test_an_upload_of_another_owner_cannot_be_used(system, client) -> None:
    key = client.post("/v1/uploads", json={}).json()["object_key"]
    with system.client(system.other_key) as stranger:
        assert stranger.post("/v1/jobs/transcription", json={"object_key": key}).status_code == 404


def test_every_route_but_health_wants_a_key(system) -> None:
    with httpx.Client(base_url=system.url) as nobody:
        paths = nobody.get("/openapi.json").json()["paths"]
        # A link to media is itself the secret, made with a key for an hour; this one was never made.
        assert nobody.get("/v1/media/x").status_code == nobody.head("/v1/media/x").status_code == 404
        open_routes = {"/health", "/ready", "/ping", "/api/v1/health", "/api/health", "/v1/media/{token}"}
        for path, methods in paths.items():
            for method in methods:
                filled = (
                    path.replace("{job_id}", str(uuid.uuid4())).replace("{upload_id}", "x").replace("{user_id}", "1")
                )
                answer = nobody.request(method.upper(), filled.replace("{name}", "transcript.json"))
                assert (answer.status_code == 401) == (path not in open_routes), (method, path, answer.status_code)


def test_a_wrong_key_is_refused_in_the_form_of_its_route(system) -> None:
    with system.client("vg_wrong") as wrong:
        own = wrong.get("/v1/jobs")
        assert (own.status_code, own.json()["code"]) == (401, "invalid_key")
        assert own.headers["WWW-Authenticate"].startswith("Bearer")
        seeds = wrong.get("/status/abc")
        assert (seeds.status_code, seeds.json()) == (401, {"detail": "Invalid API key."})
        bearer = httpx.get(f"{system.url}/v1/jobs", headers={"Authorization": f"Bearer {system.key}"})
        assert bearer.status_code == 200


def test_unknown_routes_and_methods_are_problems_too(client) -> None:
    missing = client.get("/v1/nothing")
    assert (missing.status_code, missing.headers["content-type"]) == (404, PROBLEM)
    assert client.patch("/v1/jobs").status_code == 405


def test_an_unknown_artifact_lists_those_there_are(client, dialogue) -> None:
    from waiting import submit

    job = submit(client, dialogue)
    assert "transcript.srt" in client.get(f"/v1/jobs/{job}/artifacts/secret").json()["detail"]
    early = client.get(f"/v1/jobs/{job}/artifacts/transcript.json")
    assert early.status_code in (200, 409)
    client.delete(f"/v1/jobs/{job}")


def test_a_host_name_that_is_not_ours_is_refused(system) -> None:
    assert httpx.get(f"{system.url}/health", headers={"Host": "evil.example"}).status_code == 400
