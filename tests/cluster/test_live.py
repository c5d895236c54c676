"""Conversations over WebSocket on the running system, with real speech and the embedded engines."""

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from chat_servers import Answer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.cluster

RATE = 16_000
FRAME = 1600 * 2
LONG = tuple(f"This is sentence number {number}, and it goes on for a while. " for number in range(40))

Event = dict[str, Any]


@pytest.fixture
def speech(client: httpx.Client) -> Callable[[str], bytes]:
    """Says something as a microphone sends it: 16-bit samples, with a second of silence after it."""

    def say(text: str) -> bytes:
        body = {"text": text, "language": "en", "format": "pcm", "sample_rate": RATE}
        return client.post("/v1/speech", json=body).raise_for_status().content + bytes(2 * RATE)

    return say


def talk(socket: ClientConnection, audio: bytes) -> None:
    for start in range(0, len(audio), FRAME):
        socket.send(audio[start : start + FRAME])


def heard(socket: ClientConnection) -> Iterator[Event]:
    """Yield events; the audio after a ``reply.audio`` is put into it."""
    while True:
        message = socket.recv(timeout=60)
        assert isinstance(message, str)
        event: Event = json.loads(message)
        if event["type"] == "ping":
            socket.send(json.dumps({"type": "pong", "id": event["id"]}))
            continue
        if event["type"] == "reply.audio":
            audio = socket.recv(timeout=60)
            assert isinstance(audio, bytes)
            assert len(audio) == event["bytes"]
            event["audio"] = np.frombuffer(audio, "<i2")
        yield event


def until(events: Iterator[Event], kind: str, **fields: Any) -> list[Event]:
    """Read to an event of a kind."""
    found = []
    for event in events:
        found.append(event)
        assert event["type"] != "error", event
        if event["type"] == kind and event.items() >= fields.items():
            return found
    raise AssertionError("the connection ended")


def test_a_conversation_of_three_turns_one_of_them_interrupted(
    system: Any, client: httpx.Client, speech: Callable[[str], bytes]
) -> None:
    system.chat.answers.extend([Answer(LONG), Answer(("All ", "right.")), Answer(("Good ", "bye."))])
    with connect(system.websocket_url, additional_headers={"X-API-Key": system.key}) as socket:
        socket.send(json.dumps({"type": "start", "language": "en", "reply_sample_rate": 16_000}))
        events = heard(socket)
        session = next(events)["session_id"]
        talk(socket, speech("Good morning."))
        first = until(events, "reply.audio", turn=1)
        kinds = [event["type"] for event in first]
        assert kinds.index("speech_started") < kinds.index("speech_ended") < kinds.index("transcript.final")
        assert np.abs(first[-1]["audio"]).max() > 1000
        talk(socket, speech("Please stop talking now."))
        interrupted = until(events, "interrupted", turn=1)[-1]
        assert interrupted["reason"] == "speech"
        second = until(events, "reply.end", turn=2)
        assert second[-1]["text"] == "All right."
        assert second[-1]["timings"]["first_audio_ms"] > 0
        assert [event for event in second if event["type"] == "transcript.final"][-1]["text"]
        socket.send(json.dumps({"type": "text", "text": "Thank you."}))
        third = until(events, "reply.end", turn=3)
        assert "".join(event["text"] for event in third if event["type"] == "reply.text") == "Good bye."
        socket.send(json.dumps({"type": "stop"}))
        assert until(events, "closing")[-1]["code"] == 1000
    kept = client.get(f"/v1/assistant/sessions/{session}").raise_for_status().json()["messages"]
    assert [message["role"] for message in kept] == ["user", "assistant"] * 3
    assert [message["interrupted"] for message in kept if message["role"] == "assistant"] == [True, False, False]
    # What was heard of the interrupted reply is what the chat engine is told that it said.
    assert "sentence number 39" not in kept[1]["content"]


@pytest.mark.skipif(shutil.which("apertium") is None, reason="Apertium is not installed")
def test_speech_is_interpreted_utterance_by_utterance(system: Any, speech: Callable[[str], bytes]) -> None:
    with connect(f"{system.websocket_url}/translation") as socket:
        socket.send(json.dumps({"type": "start", "api_key": system.key, "source": "en", "target": "es"}))
        events = heard(socket)
        assert next(events)["type"] == "ready"
        talk(socket, speech("Good morning.") + speech("The house is red."))
        for turn in (1, 2):
            found = until(events, "reply.end", turn=turn)
            (translated,) = [event for event in found if event["type"] == "translation" and event["turn"] == turn]
            assert translated["language"] == "es"
            assert translated["text"]
            assert [event for event in found if event["type"] == "reply.audio" and event["turn"] == turn]
        socket.send(json.dumps({"type": "stop"}))
        assert until(events, "closing")[-1]["code"] == 1000


def test_linguas_dialect_is_spoken_on_its_own_path(system: Any) -> None:
    with connect(f"ws{system.url.removeprefix('http')}/stream") as socket:
        socket.send(json.dumps({"type": "config", "src_lang": "en", "tgt_lang": "es", "api_key": "nobody's"}))
        assert json.loads(socket.recv(timeout=60))["code"] == "invalid_key"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("garbage", "malformed_json"),
        ('{"type": "dance"}', "invalid_message"),
        ('{"type": "start", "sample_rate": 7}', "invalid_message"),
        ('{"type": "start", "voice": "nobody"}', "unknown_voice"),
        (b"\0\0", "start_expected"),
    ],
)
def test_what_can_not_be_used_is_told_and_the_connection_goes_on(system: Any, message: str, code: str) -> None:
    with connect(system.websocket_url, additional_headers={"Authorization": f"Bearer {system.key}"}) as socket:
        socket.send(message)
        assert json.loads(socket.recv(timeout=60))["code"] == code
        socket.send(json.dumps({"type": "start"}))
        assert json.loads(socket.recv(timeout=60))["type"] == "ready"


def test_nobody_comes_in_without_a_key(system: Any) -> None:
    for headers in ({}, {"X-API-Key": "nobody's"}):
        with connect(system.websocket_url, additional_headers=headers) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                # A wrong key in a header may end the connection before the start is sent.
                socket.send(json.dumps({"type": "start"}))
                while True:
                    socket.recv(timeout=60)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
