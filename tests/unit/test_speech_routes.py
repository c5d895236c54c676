"""/v1/speech, /v1/audio/speech and /v1/voices over fakes: what is said, how it is written, what is refused."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import openai
import pytest
from fake_roles import ABSENT, FakeSpeaker, FakeSpeech
from fake_roles.speech import CLONE, ENGLISH
from fastapi.testclient import TestClient
from ingress import ADMIN, Serve
from structlog.testing import capture_logs

from graphs.common.roles import Roles
from models.audio import AudioLimits, decode
from models.audio.encoding import encode
from models.samples import DIALOGUE
from models.speech import Voice

pytestmark = pytest.mark.unit

LIMITS = AudioLimits(min_seconds=0.01, max_seconds=60)


def seconds(body: bytes) -> float:
    return len(decode(io.BytesIO(body), LIMITS)) / 16_000


def speaking(speech: FakeSpeech | None = None) -> Roles:
    return replace(ABSENT, speech=speech or FakeSpeech(), speaker=FakeSpeaker())


def refused(client: TestClient, path: str = "/v1/speech", **body: Any) -> tuple[int, str, str | None]:
    response = client.post(path, json=body)
    problem = response.json()
    return response.status_code, problem["code"], problem.get("field")


def reference(length: float) -> bytes:
    tone = 0.3 * np.sin(np.arange(int(length * 16_000)) * 0.1).astype(np.float32)
    return encode([tone], "flac", 16_000)


def register(client: TestClient, name: str = "my voice", length: float = 2.0, **fields: str) -> Any:
    return client.post("/v1/voices", files={"file": ("me.flac", reference(length))}, data={"name": name, **fields})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "flac", "aac"])
def test_a_text_is_said_in_every_format_and_marked_as_synthetic(serve: Serve, format: str, stream: bool) -> None:
    with serve(speaking()) as client:
        response = client.post("/v1/speech", json={"text": "one two three", "format": format, "stream": stream})
    assert response.status_code == 200
    assert seconds(response.content) == pytest.approx(0.3, abs=0.15)
    assert response.headers["x-synthetic-speech"] == "engine=fake; voice=en-anna"
    if format != "aac":
        with av.open(io.BytesIO(response.content)) as container:
            tags = {**container.metadata, **container.streams.audio[0].metadata}
        assert "Synthetic speech" in str({key.lower(): value for key, value in tags.items()}["comment"])


def test_bare_samples_have_the_rate_that_was_asked_for(serve: Serve) -> None:
    with serve(speaking()) as client:
        response = client.post("/v1/speech", json={"text": "one two", "format": "pcm", "sample_rate": 8000})
    assert response.headers["content-type"] == "audio/pcm;rate=8000;channels=1;bits=16"
    assert len(response.content) == pytest.approx(2 * 1600, abs=80)


def test_language_voice_and_speed_reach_the_synthesiser(serve: Serve) -> None:
    speech = FakeSpeech()
    with serve(speaking(speech)) as client:
        for asked in (
            {"language": "ru"},
            {"voice": "ru-boris"},
            {"language": "en-us", "speed": 2.0},
            {"voice": "default", "language": "ru"},
            {},
        ):
            assert client.post("/v1/speech", json={"text": "word", **asked}).status_code == 200
    said = [(call["voice"], call["language"], call["speed"]) for call in speech.calls]
    assert said == [
        ("ru-boris", "ru", 1.0),
        ("ru-boris", "ru", 1.0),
        ("en-anna", "en-gb", 2.0),
        ("ru-boris", "ru", 1.0),
        ("en-anna", "en", 1.0),
    ]


def test_what_can_not_be_said_is_refused_by_field_and_limit(serve: Serve) -> None:
    speech = FakeSpeech()
    with serve(speaking(speech), texts={"max_speech_chars": 10}) as client:
        assert refused(client, text=" \n") == (422, "empty_text", "text")
        assert refused(client, text="a" * 11) == (422, "too_long", "text")
        assert refused(client, text="a", language="xx") == (422, "unsupported_language", "language")
        assert refused(client, text="a", language="../en") == (422, "invalid_request", "language")
        assert refused(client, text="a", voice="nobody") == (422, "unknown_voice", "voice")
        assert refused(client, text="a", voice="ru-boris", language="en") == (422, "unsupported_voice", "voice")
        assert refused(client, text="a", format="midi") == (422, "invalid_request", "format")
        assert refused(client, text="a", format="opus", sample_rate=44100)[:2] == (422, "unsupported_sample_rate")
        assert refused(client, text="a", sample_rate=7)[:2] == (422, "unsupported_sample_rate")
        assert refused(client, text="a", speed=9) == (422, "invalid_request", "speed")
        assert refused(client, text="a", volume=1) == (422, "invalid_request", "volume")
        assert not speech.calls
        assert refused(client, text="...") == (422, "nothing_to_say", "text")
        assert refused(client, text="?") == (422, "unsayable", "text")
        listed = client.post("/v1/speech", json={"text": "a", "voice": "nobody"}).json()["detail"]
        assert "en-anna, ru-boris" in listed
        assert client.post("/v1/speech", json={"text": "a"}, headers={"X-API-Key": "no"}).status_code == 401


def test_a_fault_before_the_first_sound_is_an_error_without_details(serve: Serve) -> None:
    with serve(speaking()) as client, capture_logs():
        client_of_faults = TestClient(client.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        response = client_of_faults.post("/v1/speech", json={"text": "!"}, headers=client.headers)
    assert response.status_code == 500
    assert "secret" not in response.text


def test_openais_client_gets_speech(serve: Serve) -> None:
    speech = FakeSpeech()
    with serve(speaking(speech)) as client:
        official = openai.OpenAI(
            api_key=str(client.headers["X-API-Key"]), base_url="http://127.0.0.1/v1", http_client=client, max_retries=0
        )
        spoken = official.audio.speech.create(model="tts-1", voice="alloy", input="one two three")
        assert spoken.response.headers["content-type"] == "audio/mpeg"
        assert seconds(spoken.content) == pytest.approx(0.3, abs=0.15)
        raw = official.audio.speech.create(model="tts-1", voice="ru-boris", input="one", response_format="pcm")
        assert raw.response.headers["x-sample-rate"] == "24000"
        assert [call["voice"] for call in speech.calls] == ["en-anna", "ru-boris"]
        with pytest.raises(openai.UnprocessableEntityError):
            official.audio.speech.create(model="tts-1", voice="nobody", input="one")


def test_speech_comes_as_events_and_a_late_fault_is_one_of_them(serve: Serve) -> None:
    body = {"model": "any", "voice": "alloy", "input": "one two !", "stream_format": "sse", "response_format": "pcm"}
    with serve(speaking()) as client, capture_logs():
        lines = [line for line in client.post("/v1/audio/speech", json=body).text.splitlines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    sound = b"".join(base64.b64decode(event["audio"]) for event in events if event["type"] == "speech.audio.delta")
    assert len(sound) > 0.1 * 2 * 24_000
    assert (events[-1]["type"], events[-1]["error"]["code"]) == ("error", "internal")
    assert "secret" not in lines[-1]


def test_a_registered_voice_is_spoken_with_by_its_owner_alone(serve: Serve, tmp_path: Path) -> None:
    speech = FakeSpeech()
    with serve(speaking(speech)) as client:
        voice = register(client, language="en").json()
        assert (voice["name"], voice["seconds"], voice["encoders"]) == ("my voice", 2.0, ["fake"])
        assert not list((tmp_path / "uploads").rglob("*/[!.]*"))
        for named in (voice["id"], "my voice"):
            response = client.post("/v1/speech", json={"text": "hello", "voice": named})
            assert response.headers["x-synthetic-speech"] == "engine=fake; voice=my voice"
        heard = speech.calls[-1]["reference"]
        assert (speech.calls[-1]["voice"], len(heard.pcm), heard.encoder) == ("clone", 32_000, "fake")
        assert heard.embedding[1] == 2.0
        assert refused(client, text="a", voice=voice["id"], language="ru") == (422, "unsupported_voice", "voice")
        other = {"X-API-Key": client.post("/admin/users?name=other", headers=ADMIN).json()["api_key"]}
        assert client.get(f"/v1/voices/{voice['id']}", headers=other).status_code == 404
        assert client.delete(f"/v1/voices/{voice['id']}", headers=other).status_code == 404
        stolen = client.post("/v1/speech", json={"text": "a", "voice": voice["id"]}, headers=other)
        assert stolen.json()["code"] == "unknown_voice"
        listed = client.get("/v1/voices", params={"language": "ru"}).json()
        assert [found["id"] for found in listed["voices"]] == ["ru-boris"]
        assert [found["id"] for found in listed["registered"]] == [voice["id"]]
        assert client.delete(f"/v1/voices/{voice['id']}").status_code == 204
        assert client.get(f"/v1/voices/{voice['id']}").status_code == 404
        assert not list((tmp_path / "voices").rglob("*/[!.]*"))


def test_what_can_not_be_registered_leaves_nothing_behind(serve: Serve, tmp_path: Path) -> None:
    with serve(speaking(), texts={"max_reference_seconds": 3, "max_voices_per_owner": 1}) as client:
        assert register(client, length=0.5).json()["code"] == "too_short"
        assert register(client, length=3.5).json()["code"] == "too_long"
        for name in ("", "x" * 101, " ", "a\nb", "a\0b"):
            refused = register(client, name=name)
            assert (refused.status_code, refused.json()["field"]) == (422, "name"), name
        assert client.post("/v1/voices", data={"name": "a"}, files={}).status_code == 415
        broken = client.post("/v1/voices", files={"file": ("me.wav", b"no sound")}, data={"name": "a"})
        assert broken.status_code == 415
        assert not list(tmp_path.rglob("*/*/[!.]*"))
        assert register(client).status_code == 201
        assert register(client).json()["code"] == "name_taken"
        assert register(client, name="second").json()["code"] == "too_many_voices"
        assert len(list((tmp_path / "voices").rglob("*/[!.]*"))) == 1


def test_a_voice_that_no_engine_could_speak_with_is_not_registered(serve: Serve, tmp_path: Path) -> None:
    with serve(speaking(FakeSpeech(ENGLISH))) as client:
        refusal = register(client)
        assert (refusal.status_code, refusal.json()["code"]) == (422, "cloning_unsupported")
        assert "No configured engine can speak" in refusal.json()["detail"]
        body = {"speaker_id": "anna", "reference_audio": [0.5] * 16_000}
        assert client.post("/register_speaker", json=body).status_code == 422
        assert client.get("/v1/voices").json()["registered"] == []
    assert not list((tmp_path / "voices").rglob("*/[!.]*"))


def test_the_catalogue_tells_of_each_voice_how_it_sounds_and_where_to_hear_it(serve: Serve) -> None:
    odd = Voice("ö/x", "Odd", ("de",), "m", 16_000, "male", engine="other", quality="natural")
    with serve(speaking(FakeSpeech(ENGLISH, odd, CLONE))) as client:
        english, named, clone = client.get("/v1/voices").json()["voices"]
        assert english == {
            "id": "en-anna", "name": "Anna", "languages": ["en-gb", "en"], "gender": "female", "engine": "fake",
            "quality": "good", "sample_rate": 16_000, "clones": False, "sample": "/v1/voices/en-anna/sample",
        }  # fmt: skip
        assert (named["engine"], named["quality"], clone["sample"]) == ("other", "natural", None)
        assert client.get(named["sample"]).status_code == 200
        (listed,) = client.get("/v1/voices", params={"language": "en-gb"}).json()["voices"]
        assert listed["sample"] == "/v1/voices/en-anna/sample?language=en-gb"


def test_a_sample_is_made_once_and_marked_as_synthetic(serve: Serve) -> None:
    speech = FakeSpeech()
    with serve(speaking(speech)) as client:
        first, second = (client.get("/v1/voices/ru-boris/sample") for _time in range(2))
        assert first.content == second.content and len(speech.calls) == 1
        assert speech.calls[0]["language"] == "ru" and "голос" in speech.texts[0]
        assert first.headers["content-type"] == "audio/mpeg"
        assert first.headers["x-synthetic-speech"] == "engine=fake; voice=ru-boris"
        assert seconds(first.content) > 0.3
        with av.open(io.BytesIO(first.content)) as file:
            assert "ru-boris" in str(file.metadata)
        assert client.get("/v1/voices/nobody/sample").json()["code"] == "unknown_voice"
        assert client.get("/v1/voices/ru-boris/sample?language=en").json()["code"] == "unsupported_voice"
        assert client.get("/v1/voices/clone/sample").json()["code"] == "no_sample"
        assert client.get("/v1/voices/ru-boris/sample", headers={"X-API-Key": ""}).status_code == 401


def test_an_owner_who_is_erased_takes_the_voices_along(serve: Serve, tmp_path: Path) -> None:
    with serve(speaking()) as client:
        register(client)
        (user,) = [user for user in client.get("/admin/users", headers=ADMIN).json() if user["name"] == "tests"]
        assert client.delete(f"/admin/users/{user['id']}", headers=ADMIN).status_code == 200
    assert not list((tmp_path / "voices").rglob("*/[!.]*"))


def test_the_dialogue_is_longer_than_a_reference_may_be(serve: Serve) -> None:
    with serve(speaking(), texts={"max_reference_seconds": 5}) as client:
        response = client.post(
            "/v1/voices", files={"file": ("talk.flac", DIALOGUE.read_bytes())}, data={"name": "two people"}
        )
    assert (response.status_code, response.json()["code"]) == (422, "too_long")
