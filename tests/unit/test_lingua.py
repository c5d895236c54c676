"""The routes of lingua, as its clients call them, over roles without models."""

import base64
import io
import json
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_roles import ABSENT, FakeAsr, FakeSpeaker, FakeSpeech, FakeTranslation, find_speech, numbered, said, silence
from fake_roles.speech import letters
from fastapi.testclient import TestClient
from ingress import ADMIN, Serve
from numpy.typing import NDArray

from graphs.http.compat.lingua import routes as lingua
from models.audio import SAMPLE_RATE, decode
from models.audio.encoding import encode
from models.speech import Voice

pytestmark = pytest.mark.unit


RATE = 8000
ANNA = Voice("anna", "Anna", ("es",), "anna", RATE)
CLONE = Voice("clone", "Clone", ("es", "en"), "clone", RATE, clones=True)


@pytest.fixture
def speech() -> FakeSpeech:
    return FakeSpeech(ANNA, CLONE, pieces=letters)


@pytest.fixture
def client(serve: Serve, speech: FakeSpeech, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(lingua, "utterance_finder", lambda: find_speech)
    asr = FakeAsr(numbered("good day", "my friend", "[music]"))
    roles = replace(ABSENT, asr=asr, translation=FakeTranslation(), speech=speech, speaker=FakeSpeaker())
    with serve(roles, texts={"max_speech_chars": 800}) as client:
        yield client


def in_base64(*parts: NDArray[np.float32]) -> str:
    return base64.b64encode(encode(parts, "wav", SAMPLE_RATE)).decode()


def frames(data: bytes) -> NDArray[np.float32]:
    with wave.open(io.BytesIO(data)) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / np.float32(32767)


def stranger(client: TestClient) -> dict[str, str]:
    return {"X-API-Key": client.post("/admin/users?name=stranger", headers=ADMIN).json()["api_key"]}


ROUTES = [
    ("POST", "/s2s"),
    ("POST", "/asr"),
    ("POST", "/synthesize"),
    ("POST", "/register_speaker"),
    ("POST", "/tts"),
    ("GET", "/voices"),
    ("POST", "/extract_embedding"),
    ("POST", "/extract"),
    ("GET", "/config/speaker-mode"),
    ("POST", "/config/speaker-mode"),
]


def test_no_route_answers_without_a_key(client: TestClient) -> None:
    del client.headers["X-API-Key"]
    assert {client.request(method, path, json={}).status_code for method, path in ROUTES} == {401}


def test_a_body_that_is_none_is_refused(client: TestClient) -> None:
    for path in [path for method, path in ROUTES[:-1] if method == "POST"]:
        for body, says in ((b"{", "Invalid JSON"), (b"{}", "Missing")):
            answer = client.post(path, content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, says in answer.text) == (400, True), (path, answer.text)


def test_speech_comes_back_in_the_other_language(client: TestClient, speech: FakeSpeech) -> None:
    audio = in_base64(silence(1), said(1, 0.5), silence(1), said(2, 0.5), silence(1))
    answer = client.post("/s2s", json={"audio": audio, "src_lang": "en", "tgt_lang": "es"}).json()
    assert set(answer) == {"audio", "transcript", "translation"}
    assert (answer["transcript"], answer["translation"]) == ("good day my friend", "GOOD DAY MY FRIEND")
    spoken = frames(base64.b64decode(answer["audio"]))
    # 8 and 9 letters with a short pause between, nothing hurried.
    assert len(spoken) == round(1.95 * RATE)
    assert {speed for _text, speed in speech.speeds} == {1.0}


def test_speech_that_cannot_be_translated_is_refused(client: TestClient) -> None:
    for changed, status, says in (
        ({"audio": "%%%"}, 400, "base64"),
        ({"audio": base64.b64encode(b"not a recording" * 20).decode()}, 400, "not a recording"),
        ({"audio": ""}, 400, "empty"),
        ({"audio": in_base64(silence(1))}, 400, "no speech"),
        ({"audio": in_base64(said(3, 1))}, 400, "no speech"),
        ({"audio": in_base64(silence(121))}, 400, "120"),
        ({"src_lang": "en", "tgt_lang": "kk"}, 422, "No voice speaks 'kk'"),
        ({"src_lang": "ru"}, 422, "Pairs: en-es"),
        ({"src_lang": "es"}, 422, "es already"),
        ({"src_lang": "english"}, 400, "src_lang"),
    ):
        body = {"audio": in_base64(said(1, 1)), "src_lang": "en", "tgt_lang": "es", **changed}
        answer = client.post("/s2s", json=body)
        assert (answer.status_code, says in answer.text) == (status, True), answer.text


def test_a_body_that_is_too_large_is_refused_unparsed(client: TestClient) -> None:
    huge = b'{"audio_b64": "' + b"A" * (15 * 1024 * 1024)
    assert client.post("/asr", content=huge).status_code == 413
    many = b'{"audio": [' + b"0," * 1_500_000
    assert client.post("/extract", content=many).status_code == 413


def test_speech_is_recognised(client: TestClient) -> None:
    asked = {
        "audio_b64": in_base64(said(2, 1.5)),
        "prompt": "",
        "language": None,
        "task": "transcribe",
        "beam_size": 5,
        "vad_filter": False,
        "condition_on_previous_text": True,
    }
    answer = client.post("/asr", json=asked)
    assert answer.json() == {"text": "my friend", "segments": ["my friend"], "language": "en", "duration": 1.5}
    translated = client.post("/asr", json={**asked, "task": "translate"})
    assert (translated.status_code, "/s2s" in translated.text) == (422, True)


def test_text_becomes_a_wav_that_says_what_it_is(client: TestClient) -> None:
    answer = client.post("/synthesize", json={"text": "hola", "language": "es"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert (answer.headers["x-used-reference"], answer.headers["x-speaker-applied"]) == ("false", "false")
    assert len(frames(answer.content)) == 0.4 * RATE
    assert b"Synthetic speech" in answer.content


def test_text_becomes_numbers_for_who_accepts_json_alone(client: TestClient) -> None:
    asked = {"text": "hola", "language": "es", "speaker": "anna"}
    answer = client.post("/synthesize", json=asked, headers={"Accept": "application/json"}).json()
    assert {key: value for key, value in answer.items() if key != "audio"} == {
        "sample_rate": RATE,
        "text": "hola",
        "used_reference": False,
        "speaker_applied": True,
    }
    assert answer["audio"] == [0.5] * round(0.4 * RATE)
    long = client.post("/synthesize", json={**asked, "text": "a" * 700}, headers={"Accept": "application/json"})
    assert long.status_code == 413


def test_a_registered_speaker_goes_before_a_reference_and_that_before_a_named_voice(
    client: TestClient, speech: FakeSpeech
) -> None:
    reference = [0.25] * SAMPLE_RATE
    registered = client.post("/register_speaker", json={"speaker_id": "anna-2", "reference_audio": [0.5] * 16000})
    assert registered.json() == {
        "status": "ok",
        "speaker_id": "anna-2",
        "message": "Speaker registered",
        "cache_size": 1,
    }
    asked = {"text": "hola", "language": "es", "speaker": "anna", "reference_audio": reference}
    for extra in ({"speaker_id": "anna-2"}, {}, {"speaker_id": "nobody"}):
        answer = client.post("/synthesize", json={**asked, **extra})
        assert (answer.headers["x-used-reference"], answer.headers["x-speaker-applied"]) == ("true", "false")
    levels = [
        round(float(used.pcm.mean()), 2)
        for used in (call["reference"] for call in speech.calls)
        if used is not None and used.pcm is not None
    ]
    assert levels == [0.5, 0.25, 0.25]
    unknown = client.post("/synthesize", json={"text": "hola", "language": "es", "speaker_id": "nobody"})
    assert unknown.headers["x-used-reference"] == "false"
    others = client.post(
        "/synthesize", json={"text": "hola", "language": "es", "speaker_id": "anna-2"}, headers=stranger(client)
    )
    assert others.headers["x-used-reference"] == "false"


def test_a_rate_of_characters_becomes_a_speed(client: TestClient, speech: FakeSpeech) -> None:
    rates = {12.0: 1.0, 12.3: 1.0, 18.0: 1.5, 5.0: 1.0, 2.5: 0.5, 100.0: 2.5}
    for rate in rates:
        asked = {"text": "hola", "language": "es", "speech_rate": rate}
        assert client.post("/synthesize", json=asked).status_code == 200
    assert [speed for _text, speed in speech.speeds] == list(rates.values())


def test_text_that_cannot_be_spoken_is_refused(client: TestClient) -> None:
    for body, status, says in (
        ({"text": " "}, 400, "Empty text"),
        ({"text": "a" * 801, "language": "es"}, 400, "800"),
        ({"text": "hola"}, 422, "No voice speaks 'zh'"),
        ({"text": "hola", "language": "es", "speech_rate": 0}, 400, "speech_rate"),
        ({"text": "hola", "language": "es", "reference_audio": []}, 400, "Empty reference_audio"),
        ({"text": "hola", "language": "es", "reference_sample_rate": 1}, 400, "reference_sample_rate"),
        ({"text": "hola", "volume": 3}, 400, "volume"),
    ):
        answer = client.post("/synthesize", json=body)
        assert (answer.status_code, says in answer.text) == (status, True), answer.text


def test_a_speaker_registered_again_takes_the_place_of_the_first(client: TestClient, tmp_path: Path) -> None:
    for level, expected in ((0.5, 1), (0.25, 1)):
        body = {"speaker_id": "me", "reference_audio": [level] * 96000, "reference_sample_rate": 48000}
        assert client.post("/register_speaker", json=body).json()["cache_size"] == expected
    (stored,) = [
        file for file in (tmp_path / "voices" / "1").rglob("*") if file.is_file() and file.stat().st_size > 500
    ]
    pcm = decode(io.BytesIO(stored.read_bytes()))
    assert len(pcm) == pytest.approx(2 * SAMPLE_RATE, abs=50)
    assert float(np.median(pcm)) == pytest.approx(0.25, abs=0.01)


def test_a_speaker_that_cannot_be_registered_leaves_nothing(client: TestClient, tmp_path: Path) -> None:
    for body, says in (
        ({"speaker_id": "me", "reference_audio": []}, "Empty reference_audio"),
        ({"speaker_id": "me", "reference_audio": [0.1] * 15999}, "1 s"),
        ({"speaker_id": "me", "reference_audio": [0.1] * 480_001}, "30 s"),
        ({"speaker_id": "a\u0000b", "reference_audio": [0.1] * 16000}, "speaker_id"),
        ({"speaker_id": "me", "reference_audio": "loud"}, "reference_audio"),
    ):
        answer = client.post("/register_speaker", json=body)
        assert (answer.status_code, says in answer.text) == (400, True), answer.text
    assert not [file for file in (tmp_path / "voices").rglob("*") if file.is_file()]


def test_numbers_that_are_none_are_refused(client: TestClient) -> None:
    answer = client.post("/extract", content=b'{"audio": [1e999]}')
    assert answer.status_code == 400


def test_a_voice_speaks_by_its_name(client: TestClient) -> None:
    listed = client.get("/voices").json()["voices"]
    assert listed == [{"name": "anna", "path": "anna"}, {"name": "clone", "path": "clone"}]
    answer = client.post("/tts", json={"text": "hola", "voice": "anna"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert 'filename="anna.wav"' in answer.headers["content-disposition"]
    assert len(frames(answer.content)) == 0.4 * RATE
    assert client.post("/tts", json={"text": "hola", "voice": "zh_CN-huayan-medium"}).status_code == 404
    assert client.post("/tts", json={"text": "", "voice": "anna"}).status_code == 400
    assert client.post("/tts", json={"text": "hola", "voice": "anna", "language": "kk"}).status_code == 400


def test_an_embedding_comes_as_a_bare_array_or_described(client: TestClient) -> None:
    body = {"audio": [0.5] * 32000, "sample_rate": 16000}
    assert client.post("/extract_embedding", json=body).json() == [0.5, 2.0]
    described = client.post("/extract", json={"audio": [0.5] * 32000}).json()
    assert described["embedding"] == [0.5, 2.0]
    assert (described["dimension"], described["input_samples"], described["sample_rate"]) == (2, 32000, 16000)
    assert described["stats"]["max"] == 2.0
    assert set(described["stats"]) == {"mean", "std", "min", "max", "norm", "abs_mean"}
    resampled = client.post("/extract_embedding", json={"audio": [0.5] * 16000, "sample_rate": 8000}).json()
    assert resampled[1] == pytest.approx(2.0, abs=0.01)


def test_too_little_speech_has_no_embedding_and_no_guess_of_a_gender(client: TestClient) -> None:
    answer = client.post("/extract", json={"audio": [0.5] * 15999})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["embedding"], told["too_short"], told["use_default"]) == (None, True, True)
    assert told["estimated_gender"] is None
    assert told["input_samples"] == 15999


def test_there_is_no_mode_that_callers_share(client: TestClient) -> None:
    for answer in (
        client.get("/config/speaker-mode"),
        client.post("/config/speaker-mode", json={"mode": "multi_user"}),
    ):
        assert answer.status_code == 410
        assert "each request names its speaker" in json.dumps(answer.json())


def test_errors_have_the_shapes_that_linguas_clients_know(client: TestClient) -> None:
    assert client.post("/synthesize", json={"text": " "}).json() == {"error": "Empty text", "type": "empty_text"}
    assert client.post("/tts", json={"text": " ", "voice": "anna"}).json() == {"detail": "Empty text"}
