"""Speech out on the running system: said and understood again, translated, and answered, with the embedded engines."""

import base64
import io
import shutil
from typing import Any

import httpx
import jiwer
import numpy as np
import openai
import pytest
from chat_servers import Answer
from waiting import events, patiently

from models.audio import AudioLimits, decode
from models.audio.encoding import encode

pytestmark = pytest.mark.cluster

TEXT = "Good morning. The weather is fine today. We are going to the station by train."
SPOKEN = (
    "Are you going to the city? Yes, I am going to a meeting with my company. How often do you travel by train? "
    "Two or three times a month. The weather is fine today. We are going to the station by train."
)
APERTIUM = pytest.mark.skipif(shutil.which("apertium") is None, reason="Apertium is not installed")
_NORMAL = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()])


def said(client: httpx.Client, text: str, **options: Any) -> bytes:
    response = client.post("/v1/speech", json={"text": text, **options})
    assert response.status_code == 200, response.text
    return response.content


def seconds(body: bytes) -> float:
    return len(decode(io.BytesIO(body), AudioLimits(min_seconds=0.05, max_seconds=600))) / 16_000


def normal(text: str) -> str:
    normalised: str = _NORMAL(text)
    return normalised


def test_a_text_comes_back_from_speech_with_its_words(client: httpx.Client) -> None:
    # The embedded recogniser was trained on people: of the embedded voices it follows this one best.
    speech = said(client, SPOKEN, voice="en-us-f5", speed=0.85)
    heard = client.post("/api/v1/stt", files={"audio": ("speech.wav", speech, "audio/wav")}).raise_for_status()
    errors = jiwer.wer(normal(SPOKEN), normal(heard.json()["text"]))
    print(f"text -> speech -> text: WER {errors:.2f}: {heard.json()['text']!r}")
    assert errors < 0.4


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "Доброе утро."),
        ("kk", "Қайырлы таң."),
        ("zh", "早上好。"),
        ("es", "Buenos días."),
        ("en-gb", "Good day."),
    ],
)
def test_every_language_of_the_systems_is_spoken(client: httpx.Client, language: str, text: str) -> None:
    assert 0.3 < seconds(said(client, text, language=language, format="mp3")) < 5


def test_the_first_sound_of_a_long_text_comes_before_the_last(client: httpx.Client) -> None:
    body = {"text": " ".join([TEXT] * 30), "language": "en", "format": "pcm"}
    with client.stream("POST", "/v1/speech", json=body) as response:
        pieces = [len(piece) for piece in response.iter_raw()]
    assert len(pieces) > 10
    assert pieces[0] < sum(pieces) / 10


def test_openais_client_speaks_to_the_system(system: Any) -> None:
    official = openai.OpenAI(api_key=system.key, base_url=f"{system.url}/v1", max_retries=0)
    spoken = official.audio.speech.create(model="tts-1", voice="alloy", input="Good morning.", response_format="opus")
    assert 0.3 < seconds(spoken.content) < 3


def test_voices_and_languages_are_listed(client: httpx.Client) -> None:
    languages = client.get("/v1/languages").raise_for_status().json()
    assert len(languages["speech"]["languages"]) > 90
    voices = client.get("/v1/voices", params={"language": "kk"}).raise_for_status().json()
    assert voices["voices"]


def test_a_voice_that_no_engine_here_could_speak_with_is_not_registered(client: httpx.Client) -> None:
    recording = said(client, TEXT, language="en", format="flac")
    refused = client.post("/v1/voices", files={"file": ("me.flac", recording)}, data={"name": "a machine"})
    assert (refused.status_code, refused.json()["code"]) == (422, "cloning_unsupported")


def test_every_voice_of_the_catalogue_can_be_heard(client: httpx.Client) -> None:
    voices = client.get("/v1/voices", params={"language": "en"}).raise_for_status().json()["voices"]
    sample = client.get(voices[0]["sample"]).raise_for_status()
    assert 1 < seconds(sample.content) < 8


@APERTIUM
def test_a_text_is_translated_with_its_layout(client: httpx.Client) -> None:
    text = "The house is red.\n\n  - I have two brothers."
    own = client.post("/v1/translate", json={"text": text, "source": "en", "target": "es"}).raise_for_status().json()
    assert own["text"].splitlines()[0] == "La casa es roja."
    assert own["text"].splitlines()[2].startswith("  - ")
    seed = client.post("/v1/translate", json={"text": "The house is red.", "src_lang": "en", "tgt_lang": "es"}).json()
    assert (seed["ok"], seed["text"]) == (True, "La casa es roja.")
    refused = client.post("/v1/translate", json={"text": "a", "source": "en", "target": "kk"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unsupported_pair")
    assert "en-es" in refused.json()["detail"]
    seed = client.post("/v1/translate", json={"text": "a", "src_lang": "en", "tgt_lang": "kk"})
    assert (seed.status_code, seed.json()["ok"]) == (200, False)


@APERTIUM
def test_an_english_recording_becomes_spanish_speech(client: httpx.Client, dialogue: bytes) -> None:
    accepted = client.post(
        "/v1/jobs/translation",
        files={"file": ("talk.flac", dialogue)},
        data={"source": "en", "target": "es", "audio_format": "mp3"},
    )
    assert accepted.status_code == 202, accepted.text
    job_id = accepted.json()["id"]
    told = events(client, job_id)
    assert told[-1]["event"] == "succeeded", told[-1]
    assert [event for event in told if event["event"] == "utterance"]
    job = patiently(client, f"/v1/jobs/{job_id}").json()
    report = client.get(job["artifacts"]["translation.json"]).raise_for_status().json()
    assert len(report["utterances"]) > 3
    assert all(utterance["target_text"] for utterance in report["utterances"])
    audio = client.get(job["artifacts"]["translation.mp3"], follow_redirects=True).raise_for_status().content
    assert seconds(audio) == pytest.approx(report["audio"]["duration"], abs=0.3)
    for name in ("source.srt", "source.vtt", "source.txt", "target.srt", "target.vtt", "target.txt"):
        assert client.get(job["artifacts"][name]).raise_for_status().text.strip()
    assert "-->" in client.get(job["artifacts"]["target.srt"]).text
    refused = client.post(
        "/v1/jobs/translation", files={"file": ("talk.flac", dialogue)}, data={"source": "en", "target": "kk"}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "unsupported_pair")


@APERTIUM
def test_linguas_client_is_interpreted(client: httpx.Client) -> None:
    speech = base64.b64encode(said(client, "Good morning. The house is red.", language="en")).decode()
    answer = client.post("/s2s", json={"audio": speech, "src_lang": "en", "tgt_lang": "es"})
    assert answer.status_code == 200, answer.text
    assert seconds(base64.b64decode(answer.json()["audio"])) > 0.3
    assert answer.json()["translation"]


def test_golos_client_is_answered_in_its_session(system: Any, client: httpx.Client) -> None:
    system.chat.answers.extend([Answer(("Nice ", "to meet you.")), Answer(("You ", "said so."))])
    question = said(client, "Good morning.", language="en")
    first = client.post("/api/v1/voice/process", files={"audio": ("question.wav", question, "audio/wav")})
    assert first.status_code == 200, first.text
    answer = first.json()
    assert answer["response"] == "Nice to meet you."
    assert seconds(base64.b64decode(answer["audio"])) > 0.3
    asked = {"message": "What did I say?", "session_id": answer["session_id"]}
    assert client.post("/api/v1/chat/message", json=asked).json()["response"] == "You said so."
    seen = [(message["role"], message["content"]) for message in system.chat.asked[-1]["messages"]]
    assert seen == [("user", answer["text"]), ("assistant", "Nice to meet you."), ("user", "What did I say?")]
    health = httpx.get(f"{system.url}/api/v1/health").raise_for_status().json()
    assert health["dependencies"]["gigachat"]["status"] == "ok"


def test_silence_never_reaches_the_chat_engine(system: Any, client: httpx.Client) -> None:
    asked = len(system.chat.asked)
    silence = encode([np.zeros(32_000, np.float32)], "wav", 16_000)
    answer = client.post("/api/v1/voice/process", files={"audio": ("silence.wav", silence, "audio/wav")})
    assert answer.status_code < 500, answer.text
    assert len(system.chat.asked) == asked


def test_a_chat_server_that_fails_is_a_503_that_says_when_to_come_back(system: Any, client: httpx.Client) -> None:
    session = client.post("/v1/assistant/sessions", json={}).raise_for_status().json()["id"]
    system.chat.answers.extend([Answer(status=500), Answer(status=500)])
    refused = client.post(f"/v1/assistant/sessions/{session}/messages", json={"text": "Hello?"})
    assert (refused.status_code, refused.json()["code"]) == (503, "chat_unavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    again = client.post(f"/v1/assistant/sessions/{session}/messages", json={"text": "Hello again."})
    assert again.json()["text"].strip() == "Hello again."
