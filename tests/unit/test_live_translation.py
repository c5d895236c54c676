"""Being interpreted over a WebSocket, in the live protocol and in lingua's."""

import asyncio
import base64
import io
import json
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fake_roles.speech import lasting
from fastapi.testclient import TestClient
from live_system import Caller, LiveSystem, calling, no_logs, pcm, types, voiced

from graphs.http.compat.lingua import live as live_lingua

__all__ = ["no_logs"]

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_logs")]

SILENCE = np.zeros(9600, np.float32)


@contextmanager
def interpreted(client: TestClient, **fields: Any) -> Iterator[Caller]:
    with calling(client, "/translation", source="en", target="es", **fields) as caller:
        yield caller


def test_an_utterance_is_transcribed_translated_and_spoken() -> None:
    system = LiveSystem()
    with system.running() as client, interpreted(client, partials=False) as caller:
        caller.say(1)
        events = caller.until("reply.end")
        assert list(dict.fromkeys(types(events))) == [
            "speech_started",
            "speech_ended",
            "transcript.final",
            "translation",
            "reply.audio",
            "reply.end",
        ]
        final, translation, audio, end = (*events[2:5], events[-1])
        assert (final["text"], final["language"]) == ("hello there", "en")
        assert (translation["text"], translation["language"]) == ("HELLO THERE", "es")
        assert audio["text"] == end["text"] == "HELLO THERE"
        assert {"asr", "translation", "speech"} == set(end["stages"])


def test_the_next_utterance_is_recognised_while_one_is_spoken_and_speech_comes_in_order() -> None:
    system = LiveSystem()
    system.speech.pieces = lasting(6.0)
    with system.running() as client, interpreted(client, partials=False) as caller:
        caller.play(pcm(np.concatenate((voiced(1), SILENCE, voiced(2), SILENCE))))
        events = caller.until("translation")
        events += caller.until("translation")
        # The first is longer than what is sent ahead of its playing: it can't be over.
        assert "reply.end" not in types(events)
        assert [event["text"] for event in events if event["type"] == "translation"] == [
            "HELLO THERE",
            "HOW ARE YOU",
        ]
        assert {event["turn"] for event in events if event["type"] == "reply.audio"} <= {1}


def test_texts_come_in_order_even_where_a_later_utterance_is_done_first() -> None:
    system = LiveSystem()
    system.asr.gates[1] = asyncio.Event()
    with system.running() as client, interpreted(client, partials=False) as caller:
        caller.play(pcm(np.concatenate((voiced(1), SILENCE, voiced(2), SILENCE))))
        events = [caller.event() for _ in range(4)]
        assert types(events) == ["speech_started", "speech_ended"] * 2
        caller.send("ping")
        assert caller.event()["type"] == "pong"
        caller.send("cancel")
        assert [(event["type"], event["turn"]) for event in (caller.event(), caller.event())] == [
            ("interrupted", 1),
            ("interrupted", 2),
        ]


def test_the_users_speech_interrupts_nothing() -> None:
    system = LiveSystem()
    system.speech.endless = True
    with system.running() as client, interpreted(client, partials=False) as caller:
        caller.say(1)
        caller.until("reply.audio")
        caller.say(2, pause=False)
        caller.until("speech_started")
        assert system.speech.open == 1
        caller.send("cancel")
        assert caller.until("interrupted")[-1]["turn"] == 1
        assert system.speech.open == 0


def test_an_utterance_that_fails_does_not_let_a_later_one_overtake() -> None:
    system = LiveSystem()
    system.speech.errors["synthesize"] = RuntimeError("no sound card")
    with system.running() as client, interpreted(client, partials=False) as caller:
        caller.play(pcm(np.concatenate((voiced(1), SILENCE, voiced(4), SILENCE, voiced(2), SILENCE))))
        events = caller.until("reply.end")
        events += caller.until("reply.end")
        ends = [event for event in events if event["type"] == "reply.end"]
        assert [(end["turn"], end["spoken"]) for end in ends] == [(1, False), (3, False)]
        assert [event["text"] for event in events if event["type"] == "transcript.final"] == [
            "hello there",
            "",
            "how are you",
        ]
        assert {event["code"] for event in events if event["type"] == "error"} == {"speech_failed"}


def test_words_are_told_while_they_are_said() -> None:
    with LiveSystem().running() as client, interpreted(client) as caller:
        caller.play(pcm(voiced(1, 1.3)))
        assert caller.until("transcript.partial")[-1]["text"] == "hello there"


def test_an_utterance_recognised_at_its_pause_is_not_recognised_again() -> None:
    system = LiveSystem()
    with system.running() as client, interpreted(client) as caller:
        caller.play(pcm(np.concatenate((voiced(1), np.zeros(4800, np.float32)))))
        assert caller.until("transcript.partial")[-1]["text"] == "hello there"
        caller.play(pcm(np.zeros(8000, np.float32)))
        end = caller.until("reply.end")[-1]
    assert end["text"] == "HELLO THERE"
    assert end["stages"].keys() >= {"asr", "translation"}
    assert len(system.asr.correlation_ids) == 1


def test_a_stop_waits_for_all_utterances() -> None:
    with LiveSystem().running() as client, interpreted(client) as caller:
        caller.play(pcm(np.concatenate((voiced(1), SILENCE, voiced(2)))))
        caller.send("stop")
        assert caller.until("reply.end")[-1]["turn"] == 1
        assert caller.until("reply.end")[-1]["turn"] == 2
        assert caller.closed() == (1000, "stopped")


def test_a_pair_that_is_not_there_is_refused_with_those_that_are() -> None:
    with LiveSystem().running() as client, calling(client, "/translation", start=False) as caller:
        caller.send("start", source="en", target="kk")
        error = caller.event()
        assert error["type"] == "error"
        assert "es" in error["message"]
        caller.send("start", source="en")
        assert caller.event()["field"] == "target"


def test_an_interpreter_takes_no_typed_messages() -> None:
    with LiveSystem().running() as client, interpreted(client) as caller:
        caller.send("text", text="hi")
        assert caller.event()["code"] == "invalid_message"


@contextmanager
def lingua(system: LiveSystem, **config: str) -> Iterator[Any]:
    system.app.include_router(live_lingua.router)
    with system.running() as client, client.websocket_connect("/stream") as socket:
        socket.send_json({"type": "config", "src_lang": "en", "tgt_lang": "es", **config})
        yield socket


def audio_frame(samples: Any, **fields: Any) -> dict[str, Any]:
    data = base64.b64encode(pcm(samples)).decode()
    return {"type": "audio_frame", "data": data, "timestamp_ms": 0, "sample_rate": 16000, "channels": 1, **fields}


def test_linguas_clients_get_each_utterance_in_one_message() -> None:
    with lingua(LiveSystem(), api_key="first-key") as socket:
        for words in (1, 2):
            socket.send_json(audio_frame(np.concatenate((voiced(words), SILENCE))))
        for words in ("hello there", "how are you"):
            message = socket.receive_json()
            assert set(message) == {"transcript", "translation", "audio"}
            assert (message["transcript"], message["translation"]) == (words, words.upper())
            with wave.open(io.BytesIO(base64.b64decode(message["audio"]))) as speech:
                assert (speech.getnchannels(), speech.getframerate()) == (1, 22_050)
                assert speech.getnframes() == pytest.approx(2205, abs=20)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (audio_frame(SILENCE, sample_rate=8000), "invalid_message"),
        (audio_frame(SILENCE, channels=2), "invalid_message"),
        (audio_frame(SILENCE) | {"data": "%"}, "invalid_base64"),
        ({"type": "tts_chunk"}, "invalid_message"),
    ],
)
def test_linguas_clients_are_told_what_cannot_be_used(message: dict[str, Any], code: str) -> None:
    with lingua(LiveSystem(), api_key="first-key") as socket:
        socket.send_text(json.dumps(message))
        assert socket.receive_json()["code"] == code


def test_linguas_clients_need_a_key_too() -> None:
    with lingua(LiveSystem()) as socket:
        assert socket.receive_json()["code"] == "missing_key"
