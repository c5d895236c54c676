"""Talking with the assistant over a WebSocket."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from fake_roles.speech import lasting
from live_system import Caller, LiveSystem, calling, no_logs, pcm, sounding, types, voiced
from waiting import wait_for

from graphs.live.connection import Connection
from graphs.live.protocol import Event, Interrupted
from models.chat import ChatUnavailable
from models.errors import InputError

__all__ = ["no_logs"]

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("no_logs")]


def texts(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "reply.text")


def test_a_conversation_of_three_turns_with_an_interruption() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client) as caller:
        caller.say(1)
        first = caller.until("reply.end")
        assert [type for type in types(first) if type.startswith("speech")] == ["speech_started", "speech_ended"]
        (final,) = (event for event in first if event["type"] == "transcript.final")
        assert (final["text"], final["language"], final["turn"]) == ("hello there", "en", 1)
        assert texts(first) == "You said: hello there. Is that so?"
        assert first[-1]["spoken"] is True
        assert {"transcript_ms", "first_text_ms", "first_audio_ms", "end_ms"} == set(first[-1]["timings"])
        assert {"asr", "chat", "tts"} <= set(first[-1]["stages"])
        assert sounding(caller.audio[1], 24_000) == pytest.approx(2 * 0.1, abs=0.02)

        system.speech.endless = True
        caller.say(2)
        second = caller.until("reply.audio")
        assert second[-1]["text"]
        assert system.speech.open == 1
        system.speech.endless = False
        caller.say(3, pause=False)
        interrupted = caller.until("interrupted")[-1]
        assert (interrupted["turn"], interrupted["reason"]) == (2, "speech")
        assert system.speech.open == 0
        assert interrupted["spoken"] == system.speech.texts[2]

        caller.send("commit")
        third = caller.until("reply.end")
        assert {event["turn"] for event in third} == {3}
        assert texts(third) == "You said: goodbye now. Is that so?"
    (kept,) = system.sessions.kept.values()
    assert [interrupted for _role, _text, interrupted in kept] == [False, False, False, True, False, False]
    assert [text for role, text, _ in kept if role == "user"] == ["hello there", "how are you", "goodbye now"]
    assert len(system.chat.asked[-1]) == 5


def test_speech_in_which_no_words_are_heard_reaches_no_chat_engine() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client) as caller:
        caller.say(4)
        assert caller.until("transcript.final")[-1]["text"] == ""
        caller.send("text", text="hi")
        assert texts(caller.until("reply.end")) == "You said: hi. Is that so?"
    assert len(system.chat.asked) == 1


def test_what_was_said_before_a_pause_is_answered_with_what_is_said_after_it() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client, partials=False) as caller:
        gap = np.zeros(8000 + 1600, np.float32)
        # One frame: the first utterance is over, and the second begun, before the first is recognised.
        caller.play(pcm(np.concatenate((voiced(1), gap, voiced(2)))), size=100_000)
        events = caller.until("interrupted")
        assert types(events).count("transcript.final") == 1
        assert (events[-1]["turn"], events[-1]["spoken"]) == (1, "")
        caller.send("commit")
        assert texts(caller.until("reply.end")) == "You said: hello there how are you. Is that so?"


def test_what_was_not_answered_yet_is_forgotten_by_a_cancel() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client, partials=False) as caller:
        gap = np.zeros(8000 + 1600, np.float32)
        caller.play(pcm(np.concatenate((voiced(1), gap, voiced(2)))), size=100_000)
        caller.until("interrupted")
        caller.send("cancel")
        caller.send("commit")
        assert texts(caller.until("reply.end")) == "You said: how are you. Is that so?"


def test_words_are_told_while_they_are_said_and_known_at_the_end_of_the_pause() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client) as caller:
        caller.play(pcm(np.concatenate((voiced(1, 1.2), np.zeros(4800, np.float32)))))
        assert caller.until("transcript.partial")[-1] == {
            "type": "transcript.partial",
            "turn": 1,
            "text": "hello there",
            "stable": "",
        }
        # The words are heard again at the pause: all but the last, which might be cut off, are stable.
        assert caller.until("transcript.partial")[-1]["stable"] == "hello"
        caller.play(pcm(np.zeros(8000, np.float32)))
        assert "transcript.final" in types(caller.until("reply.end"))
    # After a second of speech, and at the pause; that was the utterance, so it is not recognised again.
    assert len(system.asr.correlation_ids) == 2
    assert len(set(system.asr.correlation_ids)) == 1


def test_no_partial_transcripts_where_none_are_wanted() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client, partials=False) as caller:
        caller.say(1)
        assert "transcript.partial" not in types(caller.until("reply.end"))
    assert len(system.asr.correlation_ids) == 1


def test_a_commit_ends_the_utterance_without_a_pause_and_silence_has_none() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client) as caller:
        caller.send("commit")
        error = caller.event()
        assert (error["type"], error["code"], error["fatal"]) == ("error", "no_speech", False)
        caller.say(2, pause=False)
        caller.send("commit")
        events = caller.until("reply.end")
        assert (events[1]["type"], events[1]["forced"]) == ("speech_ended", False)
        assert texts(events) == "You said: how are you. Is that so?"


def test_a_reply_is_cancelled() -> None:
    system = LiveSystem()
    system.speech.endless = True
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="talk")
        caller.until("reply.audio")
        caller.send("cancel")
        interrupted = caller.until("interrupted")[-1]
        assert (interrupted["turn"], interrupted["reason"]) == (1, "cancel")
        assert interrupted["spoken_ms"] <= 200
        assert system.speech.open == 0


def test_audio_that_waits_to_be_sent_is_dropped_with_its_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    system = LiveSystem()
    system.speech.seconds = 1.0
    send, send_frame = Connection.send, Connection._send
    interrupted, sent = threading.Event(), 0

    def noticed(self: Connection[Any], event: Event) -> None:
        send(self, event)
        if isinstance(event, Interrupted):
            interrupted.set()

    async def stalled(self: Connection[Any], frame: str | bytes) -> None:
        nonlocal sent
        if isinstance(frame, bytes):
            sent += 1
            while sent == 2 and not interrupted.is_set():  # noqa: ASYNC110 - another thread waits for it, too
                await asyncio.sleep(0.001)
        await send_frame(self, frame)

    monkeypatch.setattr(Connection, "send", noticed)
    monkeypatch.setattr(Connection, "_send", stalled)
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="talk")
        caller.until("reply.audio")
        wait_for(lambda: system.sessions.kept, 10)  # all of the reply waits behind the stalled frame
        caller.send("cancel")
        caller.until("interrupted")
    assert sent == 2


def test_a_reply_is_interrupted_once() -> None:
    system = LiveSystem()
    system.speech.endless = True
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="talk")
        caller.until("reply.audio")
        caller.send("cancel")
        caller.send("cancel")
        caller.say(1, pause=False)
        caller.send("ping")
        assert types(caller.until("pong")).count("interrupted") == 1


def test_a_typed_message_interrupts_a_reply() -> None:
    system = LiveSystem()
    system.speech.endless = True
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="talk")
        caller.until("reply.audio")
        system.speech.endless = False
        caller.send("text", text="stop")
        assert caller.until("interrupted")[-1]["reason"] == "text"
        assert texts(caller.until("reply.end")) == "You said: stop. Is that so?"


def test_the_end_of_a_reply_that_is_still_heard_can_be_interrupted() -> None:
    system = LiveSystem()
    system.speech.pieces = lasting(2.0)
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="talk")
        caller.until("reply.end")
        caller.say(1, pause=False)
        interrupted = caller.until("interrupted")[-1]
        assert interrupted["turn"] == 1
        assert interrupted["spoken_ms"] < 4000


def test_audio_is_not_sent_far_ahead_of_its_playing() -> None:
    system = LiveSystem()
    system.speech.pieces = lasting(60.0)
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="talk")
        caller.until("reply.audio")
        caller.send("ping")
        caller.until("pong")
        caller.send("cancel")
        caller.until("interrupted")
        assert len(caller.audio[1]) / 2 / 24_000 < 10


def test_no_speech_is_made_where_none_is_wanted() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client, speak=False) as caller:
        caller.send("text", text="hi")
        events = caller.until("reply.end")
        assert "reply.audio" not in types(events)
        assert events[-1]["spoken"] is False
    assert system.speech.texts == []


def test_the_text_comes_where_speech_fails() -> None:
    system = LiveSystem()
    system.speech.errors["synthesize"] = RuntimeError("no sound card")
    with system.running() as client, calling(client) as caller:
        caller.say(1)
        events = caller.until("reply.end")
        assert texts(events) == "You said: hello there. Is that so?"
        (error,) = (event for event in events if event["type"] == "error")
        assert (error["code"], error["fatal"], error["turn"]) == ("speech_failed", False, 1)
        assert events[-1]["spoken"] is False
        assert "sound card" not in str(events)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ChatUnavailable("secret host is down"), "chat_unavailable"),
        (InputError("too_long", "The conversation is too long.", field="text"), "too_long"),
        (RuntimeError("secret"), "internal"),
    ],
)
def test_a_turn_that_fails_says_so_and_the_next_is_answered(error: Exception, code: str) -> None:
    system = LiveSystem()
    system.chat.errors["reply"] = error
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="hi")
        told = caller.until("error")[-1]
        assert (told["code"], told["turn"], told["fatal"]) == (code, 1, False)
        assert "secret" not in told["message"]
        system.chat.errors.clear()
        caller.send("text", text="again")
        assert texts(caller.until("reply.end")) == "You said: again. Is that so?"


def test_a_recogniser_that_fails_ends_the_turn_alone() -> None:
    system = LiveSystem()
    system.asr.errors["transcribe"] = InputError("unsupported_language", "It knows en.", field="language")
    with system.running() as client, calling(client, language="xx") as caller:
        caller.say(1)
        assert caller.until("error")[-1]["code"] == "unsupported_language"
        system.asr.errors.clear()
        caller.say(2)
        assert caller.until("reply.end")[-1]["turn"] == 2


def test_a_conversation_is_gone_on_with_and_belongs_to_its_owner() -> None:
    system = LiveSystem()
    with system.running() as client:
        with calling(client, start=False) as caller:
            caller.send("start")
            session = caller.event()["session_id"]
            caller.send("text", text="one")
            caller.until("reply.end")
        with calling(client, session_id=session) as caller:
            caller.send("text", text="two")
            caller.until("reply.end")
        assert [message.content for message in system.chat.asked[-1]][::2] == ["one", "two"]
        with calling(client, key="second-key", start=False) as caller:
            caller.send("start", session_id=session)
            assert caller.event()["code"] == "session_not_found"
            caller.send("start")
            assert caller.event()["type"] == "ready"


def test_an_unknown_voice_is_refused_at_the_start_and_another_may_be_asked_for() -> None:
    with LiveSystem().running() as client, calling(client, start=False) as caller:
        caller.send("start", voice="nobody")
        error = caller.event()
        assert (error["code"], error["field"]) == ("unknown_voice", "voice")
        caller.send("start", voice="fake")
        assert caller.event()["type"] == "ready"


def test_a_stop_finishes_what_was_said_and_closes() -> None:
    with LiveSystem().running() as client, calling(client) as caller:
        caller.say(1, pause=False)
        caller.send("stop")
        caller.say(2)
        caller.send("text", text="more")
        events = caller.until("reply.end")
        assert texts(events) == "You said: hello there. Is that so?"
        assert "speech_started" not in types(events)[1:]
        assert caller.closed() == (1000, "stopped")


@pytest.mark.parametrize(("sent", "replied"), [(8000, 8000), (48_000, 48_000), (44_100, 22_050)])
def test_audio_comes_and_goes_at_any_rate(sent: int, replied: int) -> None:
    system = LiveSystem()
    with system.running() as client, calling(client, sample_rate=sent, reply_sample_rate=replied) as caller:
        seconds = np.concatenate((np.full(sent, 0.02, np.float32), np.zeros(sent, np.float32)))
        caller.play(pcm(seconds), size=sent // 5)
        events = caller.until("reply.end")
        (final,) = (event for event in events if event["type"] == "transcript.final")
        assert final["text"] == "how are you"
        assert sounding(caller.audio[1], replied) == pytest.approx(0.2, abs=0.02)
        headers = [event for event in events if event["type"] == "reply.audio"]
        assert [header["sequence"] for header in headers] == list(range(len(headers)))


def sent_by(caller: Caller) -> str:
    return types([caller.event()])[0]


def test_the_application_is_found_with_and_without_a_slash() -> None:
    system = LiveSystem()
    with system.running() as client:
        client.app.root_path = "/api/v1/ws"  # type: ignore[attr-defined]
        for path in ("/api/v1/ws", "/api/v1/ws/"):
            with calling(client, path, start=False) as caller:
                caller.send("start")
                assert sent_by(caller) == "ready"
