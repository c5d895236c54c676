"""/v1/assistant over fakes: conversations in writing and aloud, whole and as events."""

import base64
import json
from typing import Any

import pytest
from assistant_app import another_owner, conversing, seconds, silent, spoken
from fake_roles import FakeAsr, FakeChat
from fastapi.testclient import TestClient
from ingress import Serve
from structlog.testing import capture_logs

from models.chat import ChatUnavailable

pytestmark = pytest.mark.unit

SESSIONS = "/v1/assistant/sessions"


def begin(client: TestClient, **body: Any) -> str:
    response = client.post(SESSIONS, json=body)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"{SESSIONS}/{response.json()['id']}"
    return str(response.json()["id"])


def say(client: TestClient, session: str, text: str = "hello", **body: Any) -> Any:
    return client.post(f"{SESSIONS}/{session}/messages", json={"text": text, **body})


def say_aloud(client: TestClient, session: str, file: bytes, accept: str = "*/*", **fields: str) -> Any:
    return client.post(
        f"{SESSIONS}/{session}/voice", files={"audio": ("me.wav", file)}, data=fields, headers={"Accept": accept}
    )


def events_of(response: Any) -> list[tuple[str, Any]]:
    assert response.headers["content-type"].startswith("text/event-stream")
    events = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def refused(response: Any) -> tuple[int, str, str | None]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"], response.json().get("field")


def test_a_conversation_in_writing(serve: Serve) -> None:
    chat = FakeChat("Good ", "morning.")
    with conversing(serve, chat) as client:
        session = begin(client)
        reply = say(client, session).json()
        assert (reply["session_id"], reply["text"]) == (session, "Good morning.")
        assert (reply["heard"], reply["audio"], reply["speech_error"]) == (None, None, None)
        assert "chat_first_token" in reply["timings"]
        kept = client.get(f"{SESSIONS}/{session}").json()
        assert [(message["role"], message["content"]) for message in kept["messages"]] == [
            ("user", "hello"),
            ("assistant", "Good morning."),
        ]
        assert [other["id"] for other in client.get(SESSIONS).json()["sessions"]] == [session]
        assert client.delete(f"{SESSIONS}/{session}").status_code == 204
        assert refused(client.get(f"{SESSIONS}/{session}")) == (404, "session_not_found", "session_id")
        assert refused(client.delete(f"{SESSIONS}/{session}")) == (404, "session_not_found", "session_id")


def test_a_reply_is_spoken_where_that_is_asked_for(serve: Serve) -> None:
    with conversing(serve, FakeChat("one two three four " * 3)) as client:
        reply = say(client, begin(client), speak=True, format="flac").json()
    assert (reply["audio"]["format"], reply["audio"]["sample_rate"]) == ("flac", 16_000)
    assert seconds(base64.b64decode(reply["audio"]["data"])) == pytest.approx(1.2, abs=0.01)


def test_a_conversation_aloud(serve: Serve) -> None:
    chat = FakeChat("I am well.")
    with conversing(serve, chat, asr=FakeAsr("How are you?")) as client:
        reply = say_aloud(client, begin(client, language="en", voice="en-anna"), spoken()).json()
    assert reply["heard"] == {"text": "How are you?", "language": "en"}
    assert reply["text"] == "I am well."
    assert reply["audio"]["format"] == "wav"
    assert {"stt", "chat", "tts"} < set(reply["timings"])
    assert chat.asked[0][-1].content == "How are you?"


@pytest.mark.parametrize(
    ("file", "segments", "code"), [(silent, ("hello",), "no_speech"), (spoken, ("[noise]",), "not_understood")]
)
def test_what_is_not_speech_never_reaches_the_chat_engine(
    serve: Serve, file: Any, segments: tuple[str, ...], code: str
) -> None:
    chat = FakeChat("never")
    with conversing(serve, chat, asr=FakeAsr(*segments)) as client:
        session = begin(client)
        assert refused(say_aloud(client, session, file())) == (422, code, "audio")
        assert client.get(f"{SESSIONS}/{session}").json()["messages"] == []
    assert chat.asked == []


def test_a_reply_comes_as_events(serve: Serve) -> None:
    with conversing(serve, FakeChat("Well ", "then."), asr=FakeAsr("Hi.")) as client:
        events = events_of(say_aloud(client, begin(client), spoken(), accept="text/event-stream"))
    names = [name for name, _data in events]
    assert (names[0], names[-1]) == ("heard", "end")
    assert events[0][1] == {"text": "Hi.", "language": "en"}
    assert "".join(data["text"] for name, data in events if name == "text") == "Well then."
    audio = [data for name, data in events if name == "audio"]
    assert sum(len(base64.b64decode(data["pcm16"])) for data in audio) == 2 * 2 * 1600
    assert events[-1][1]["text"] == "Well then."
    assert {"stt", "chat", "total"} < set(events[-1][1]["timings"])


def test_speech_that_fails_is_an_event_and_leaves_the_text(serve: Serve) -> None:
    with conversing(serve, FakeChat("It ! breaks.")) as client, capture_logs():
        session = begin(client)
        reply = say(client, session, speak=True).json()
        assert (reply["text"], reply["speech_error"]) == ("It ! breaks.", "The reply could not be spoken.")
        response = client.post(
            f"{SESSIONS}/{session}/messages",
            json={"text": "again", "speak": True},
            headers={"Accept": "text/event-stream"},
        )
    assert ("speech_failed", {"reason": "The reply could not be spoken."}) in events_of(response)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_chat_engine_that_is_down_is_told_with_a_time_to_come_back(serve: Serve, accept: str) -> None:
    with conversing(serve, FakeChat(ChatUnavailable("secret", retry_after=7))) as client, capture_logs():
        response = client.post(f"{SESSIONS}/{begin(client)}/messages", json={"text": "hi"}, headers={"Accept": accept})
    assert refused(response)[:2] == (503, "chat_unavailable")
    assert response.headers["retry-after"] == "7"
    assert "secret" not in response.text


def test_a_chat_engine_that_fails_midway_ends_the_events(serve: Serve) -> None:
    with conversing(serve, FakeChat("Well ", ChatUnavailable("secret"))) as client, capture_logs():
        session = begin(client)
        response = client.post(
            f"{SESSIONS}/{session}/messages", json={"text": "hi"}, headers={"Accept": "text/event-stream"}
        )
        kept = client.get(f"{SESSIONS}/{session}").json()["messages"]
    assert [name for name, _data in events_of(response)] == ["text", "error"]
    assert events_of(response)[-1][1]["code"] == "chat_unavailable"
    assert "secret" not in response.text
    assert [(message["content"], message["interrupted"]) for message in kept] == [("hi", False), ("Well", True)]


def test_another_owner_finds_no_session(serve: Serve) -> None:
    chat = FakeChat("never")
    with conversing(serve, chat) as client:
        session, bob = begin(client), another_owner(client)
        path = f"{SESSIONS}/{session}"
        for response in (
            client.get(path, headers=bob),
            client.delete(path, headers=bob),
            client.post(f"{path}/messages", json={"text": "hi"}, headers=bob),
            client.post(f"{path}/voice", files={"audio": ("me.wav", spoken())}, headers=bob),
        ):
            assert refused(response) == (404, "session_not_found", "session_id")
        assert client.get(SESSIONS, headers=bob).json() == {"sessions": []}
        assert client.get(path).status_code == 200
    assert chat.asked == []


def test_no_route_answers_without_a_key(serve: Serve) -> None:
    with conversing(serve, FakeChat("never")) as client:
        del client.headers["X-API-Key"]
        for method, path in (
            ("GET", SESSIONS),
            ("POST", SESSIONS),
            ("GET", f"{SESSIONS}/x"),
            ("DELETE", f"{SESSIONS}/x"),
            ("POST", f"{SESSIONS}/x/messages"),
            ("POST", f"{SESSIONS}/x/voice"),
        ):
            assert client.request(method, path).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"text": " "}, 422, "text"),
        ({"text": "x" * 5001}, 422, "text"),
        ({}, 422, "text"),
        ({"text": "hi", "loud": True}, 422, "loud"),
        ({"text": "hi", "language": "English"}, 422, "language"),
        ({"text": "hi", "speak": True, "voice": "nobody"}, 422, "voice"),
        ({"text": "hi", "speak": True, "format": "midi"}, 422, "format"),
    ],
)
def test_a_message_that_cannot_be_answered_names_the_field(
    serve: Serve, body: dict[str, Any], status: int, field: str
) -> None:
    chat = FakeChat("never")
    with conversing(serve, chat) as client:
        response = client.post(f"{SESSIONS}/{begin(client)}/messages", json=body)
    assert (refused(response)[0], refused(response)[2]) == (status, field)
    assert chat.asked == []


def test_a_session_keeps_only_a_voice_that_there_is(serve: Serve) -> None:
    with conversing(serve, FakeChat("never")) as client:
        assert refused(client.post(SESSIONS, json={"voice": "nobody"})) == (422, "unknown_voice", "voice")
        assert refused(client.post(SESSIONS, json={"tone": "low"})) == (422, "invalid_request", "tone")
        assert client.post(SESSIONS).status_code == 201


def test_a_recording_is_judged_by_its_content_and_bounded(serve: Serve) -> None:
    limits = {"max_audio_bytes": 200_000, "max_audio_seconds": 5}
    with conversing(serve, FakeChat("Fine."), assistant=limits) as client:
        session = begin(client)
        assert refused(say_aloud(client, session, b"x" * 300_000)) == (413, "too_large", "audio")
        assert refused(say_aloud(client, session, b"no sound at all")) == (415, "unsupported_media", "audio")
        assert refused(say_aloud(client, session, b"")) == (400, "empty_file", "audio")
        assert refused(say_aloud(client, session, spoken(), tone="low")) == (422, "invalid_request", "tone")
        path = f"{SESSIONS}/{session}/voice"
        assert refused(client.post(path, files={"file": ("me.wav", spoken())})) == (422, "unknown_field", "file")
        assert refused(client.post(path, files={"speak": (None, "true")})) == (422, "missing_field", "audio")
        assert refused(client.post(path, json={})) == (415, "not_multipart", "Content-Type")
        header = {"Content-Type": "multipart/form-data"}
        assert refused(client.post(path, content=b"abc", headers=header)) == (415, "not_multipart", "Content-Type")
        header = {"Content-Type": "multipart/form-data; boundary=x"}
        assert refused(client.post(path, content=b"abc", headers=header)) == (400, "malformed_form", "body")
        assert say_aloud(client, session, spoken("opus")).json()["text"] == "Fine."
