"""What a live connection refuses, and when it ends."""

import asyncio
import contextlib
import json
from typing import Any

import numpy as np
import pytest
from fake_roles.speech import lasting
from live_system import LiveSystem, calling, no_logs, pcm, types, voiced
from ray.serve.metrics import Gauge

from graphs.http.observability.live_metrics import RayLiveMetrics
from graphs.live.close import ConnectionClosed
from graphs.live.connection import MAX_FAULTS
from graphs.live.protocol import (
    MAX_AUDIO_FRAME_BYTES,
    MAX_TEXT_FRAME_BYTES,
    AssistantStart,
    PongEvent,
    ReplyAudioHeader,
)
from graphs.live.send_queue import SendQueue
from graphs.live.serializers import LiveSerializer

__all__ = ["no_logs"]

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("headers", "start", "reason"),
    [
        ({}, {}, "missing_key"),
        ({"X-API-Key": "nobody's"}, {}, "invalid_key"),
        ({"Authorization": "Bearer nobody's"}, {}, "invalid_key"),
        ({}, {"api_key": "nobody's"}, "invalid_key"),
        ({"Authorization": "Basic first-key"}, {}, "missing_key"),
    ],
)
def test_nobody_comes_in_without_a_key(headers: dict[str, str], start: dict[str, str], reason: str) -> None:
    with LiveSystem().running() as client, client.websocket_connect("/", headers=headers) as socket:
        socket.send_text(json.dumps({"type": "start", **start}))
        error, closing = socket.receive_json(), socket.receive_json()
        assert (error["type"], error["code"], error["fatal"]) == ("error", reason, True)
        assert (closing["type"], closing["code"], closing["reason"]) == ("closing", 4401, reason)
        assert socket.receive()["code"] == 4401


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer first-key"}, {"X-API-Key": "first-key"}, {}])
def test_a_key_is_a_header_or_part_of_the_start(headers: dict[str, str]) -> None:
    start = {"type": "start"} if headers else {"type": "start", "api_key": "first-key"}
    with LiveSystem().running() as client, client.websocket_connect("/", headers=headers) as socket:
        socket.send_text(json.dumps(start))
        ready = socket.receive_json()
        assert ready["type"] == "ready"
        assert "first-key" not in str(ready)
        # Of the chat engine; the fakes need no notice.
        assert [notice for notice in ready["notices"] if "no language model" in notice] == ready["notices"] != []


def test_a_key_in_the_address_is_none() -> None:
    with LiveSystem().running() as client, client.websocket_connect("/?api_key=first-key") as socket:
        socket.send_text('{"type": "start"}')
        assert socket.receive_json()["code"] == "missing_key"


def test_the_correlation_id_is_the_callers() -> None:
    headers = {"X-API-Key": "first-key", "X-Correlation-ID": "call-7"}
    system = LiveSystem()
    with system.running() as client, client.websocket_connect("/", headers=headers) as socket:
        socket.send_text('{"type": "start"}')
        assert socket.receive_json()["correlation_id"] == "call-7"
        socket.send_bytes(pcm(voiced(1)))
        socket.send_text('{"type": "commit"}')
        while socket.receive_json()["type"] != "transcript.final":
            pass
    assert system.asr.correlation_ids == ["call-7.1"]


@pytest.mark.parametrize(
    ("frame", "code", "field"),
    [
        ("nonsense", "malformed_json", "type"),
        ("[]", "invalid_message", "type"),
        ('{"type": "dance"}', "invalid_message", "type"),
        ('{"type": "start"}', "invalid_message", "type"),
        ('{"type": "commit", "x": 1}', "invalid_message", "x"),
        ('{"type": "text", "text": ""}', "invalid_message", "text"),
        ('{"type": "text", "text": 7}', "invalid_message", "text"),
        (b"\x00", "invalid_audio", "audio"),
    ],
)
def test_a_message_that_cannot_be_used_is_told_and_the_connection_goes_on(
    frame: str | bytes, code: str, field: str
) -> None:
    with LiveSystem().running() as client, calling(client) as caller:
        if isinstance(frame, bytes):
            caller.socket.send_bytes(frame)
        else:
            caller.socket.send_text(frame)
        error = caller.event()
        assert (error["type"], error["code"], error["field"], error["fatal"]) == ("error", code, field, False)
        caller.send("ping")
        assert caller.event() == {"type": "pong"}


@pytest.mark.parametrize(
    ("start", "field"),
    [
        ({"sample_rate": 7999}, "sample_rate"),
        ({"sample_rate": 48_001}, "sample_rate"),
        ({"sample_rate": "16000"}, "sample_rate"),
        ({"reply_sample_rate": 96_000}, "reply_sample_rate"),
        ({"encoding": "mp3"}, "encoding"),
        ({"language": "English"}, "language"),
        ({"sampel_rate": 16_000}, "sampel_rate"),
        ({"end_of_speech_ms": 1}, "end_of_speech_ms"),
    ],
)
def test_a_start_that_cannot_be_used_names_the_field_and_may_be_mended(start: dict[str, Any], field: str) -> None:
    with LiveSystem().running() as client, calling(client, start=False) as caller:
        caller.send("start", **start)
        error = caller.event()
        assert (error["type"], error["field"]) == ("error", field)
        caller.send("start")
        assert caller.event()["type"] == "ready"


def test_audio_before_the_start_is_refused() -> None:
    with LiveSystem().running() as client, calling(client, start=False) as caller:
        caller.socket.send_bytes(pcm(voiced(1)))
        assert caller.event()["code"] == "start_expected"


def test_garbage_ends_the_connection_after_a_while() -> None:
    with LiveSystem().running() as client, calling(client) as caller:
        for _ in range(MAX_FAULTS):
            caller.socket.send_text("\x00\x01")
        events = caller.until("closing")
        assert types(events) == ["error"] * (MAX_FAULTS + 1) + ["closing"]
        assert caller.closed() == (1008, "too_many_errors")


@pytest.mark.parametrize("frame", ["x" * (MAX_TEXT_FRAME_BYTES + 1), b"x" * (MAX_AUDIO_FRAME_BYTES + 2)])
def test_a_frame_too_big_ends_the_connection(frame: str | bytes) -> None:
    with LiveSystem().running() as client, calling(client) as caller:
        if isinstance(frame, bytes):
            caller.socket.send_bytes(frame)
        else:
            caller.socket.send_text(frame)
        assert caller.closed() == (1009, "too_big")


def test_a_client_that_never_starts_is_disconnected() -> None:
    with LiveSystem(start_seconds=0.01).running() as client, calling(client, start=False) as caller:
        assert caller.closed() == (4408, "no_start")


def test_a_client_that_sends_nothing_is_disconnected() -> None:
    with LiveSystem(settings={"idle_seconds": 0.05}).running() as client, calling(client) as caller:
        assert caller.closed() == (4408, "idle")


def test_silence_keeps_no_connection_open_and_a_ping_does() -> None:
    with LiveSystem(settings={"idle_seconds": 1000}).running() as client, calling(client) as caller:
        (connection,) = client.app.state.live_server._connections  # type: ignore[attr-defined]
        connection._active -= 999.9
        caller.send("ping")
        caller.until("pong")
        connection._active -= 2000
        caller.play(pcm(np.zeros(16_000, np.float32)))
        assert caller.closed() == (4408, "idle")


def test_nobody_is_idle_while_a_reply_is_made() -> None:
    system = LiveSystem(settings={"idle_seconds": 1000})
    system.speech.endless = True
    with system.running() as client, calling(client) as caller:
        caller.send("text", text="talk")
        caller.until("reply.audio")
        (connection,) = system.live_server._connections
        connection._active -= 2000
        caller.play(pcm(np.zeros(1600, np.float32)))
        caller.send("ping")
        assert "pong" in types(caller.until("pong"))


def test_no_connection_lasts_longer_than_allowed() -> None:
    with LiveSystem(settings={"max_seconds": 0.05}).running() as client, calling(client) as caller:
        assert caller.closed() == (4408, "max_duration")


def test_an_owner_has_so_many_connections_and_another_has_its_own() -> None:
    system = LiveSystem(settings={"max_connections_per_owner": 1})
    with system.running() as client, calling(client):
        with calling(client, start=False) as second:
            second.send("start")
            assert second.closed() == (1013, "too_many_connections")
        with calling(client, key="second-key") as other:
            other.send("ping")
            assert other.event()["type"] == "pong"
    assert not system.live_server._owners
    assert not system.live_server._connections


def test_a_long_utterance_is_cut() -> None:
    system = LiveSystem(settings={"max_utterance_seconds": 1.0})
    with system.running() as client, calling(client, partials=False) as caller:
        caller.play(pcm(voiced(1, 1.3)))
        assert caller.until("speech_ended")[-1]["forced"] is True


def test_a_replica_that_stops_says_so_to_everybody() -> None:
    system = LiveSystem()
    with system.running() as client, calling(client) as caller:
        caller.send("ping")
        caller.until("pong")
        client.portal.call(system.live_server.close)  # type: ignore[union-attr]
        assert types(caller.until("closing")) == ["closing"]
        assert caller.closed() == (1012, "restart")
        with calling(client, start=False) as late:
            assert late.closed() == (1012, "restart")


@pytest.mark.usefixtures("no_logs")
def test_a_fault_of_the_service_is_told_without_its_details() -> None:
    system = LiveSystem()

    async def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("secret")

    system.sessions.create = broken  # type: ignore[method-assign, assignment]
    with system.running() as client, calling(client, start=False) as caller:
        caller.send("start")
        events = caller.until("closing")
        assert "secret" not in str(events)
        assert caller.closed() == (1011, "internal")


class Reader:
    """A client that reads so many frames and then no more."""

    def __init__(self, reads: int) -> None:
        self.reads = reads
        self.frames: list[str | bytes] = []

    async def __call__(self, frame: str | bytes) -> None:
        if len(self.frames) == self.reads:
            await asyncio.Event().wait()
        self.frames.append(frame)


def header(turn: int, size: int) -> ReplyAudioHeader:
    return ReplyAudioHeader(turn=turn, sequence=0, bytes=size, duration_ms=1, text="")


@contextlib.asynccontextmanager
async def send_queue(reader: Reader, limit: int) -> Any:
    box = SendQueue(reader, LiveSerializer(AssistantStart), limit)
    running = asyncio.create_task(box.run())
    yield box
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.anyio
async def test_a_client_that_reads_nothing_is_bounded() -> None:
    async with send_queue(Reader(0), 10_000) as box:
        sent = 0
        with pytest.raises(ConnectionClosed) as refused:
            while sent < 100:
                box.put_audio(header(1, 1000), bytes(1000))
                sent += 1
                await asyncio.sleep(0)
        assert sent < 10
        assert (refused.value.code, refused.value.reason) == (1008, "slow_client")


@pytest.mark.anyio
async def test_a_client_behind_a_buffer_is_bounded_by_the_pongs_it_owes() -> None:
    reader = Reader(1_000_000)
    async with send_queue(reader, 10_000) as box:
        for _ in range(5):
            box.put_audio(header(1, 1000), bytes(1000))
            await box.flushed()
        pings = [json.loads(frame) for frame in reader.frames if isinstance(frame, str) and '"ping"' in frame]
        assert [ping["id"] for ping in pings] == list(range(1, len(pings) + 1))
        box.acknowledge(pings[-1]["id"])
        for _ in range(5):
            box.put_audio(header(1, 1000), bytes(1000))
            await box.flushed()
        with pytest.raises(ConnectionClosed):
            for _ in range(9):
                box.put_audio(header(1, 1000), bytes(1000))
                await box.flushed()


@pytest.mark.anyio
@pytest.mark.parametrize("pong", [1, 99])
async def test_a_pong_acknowledges_what_was_sent_before_its_ping_and_nothing_else(pong: int) -> None:
    reader = Reader(1_000_000)
    async with send_queue(reader, 10_000) as box:
        for _ in range(8):
            box.put_audio(header(1, 1000), bytes(1000))
            await box.flushed()
        box.acknowledge(pong)  # the first ping is sent after the second piece
        with pytest.raises(ConnectionClosed):
            for _ in range(5):
                box.put_audio(header(1, 1000), bytes(1000))
                await box.flushed()


@pytest.mark.anyio
async def test_an_interrupted_turns_audio_is_taken_back_and_its_events_are_not() -> None:
    reader = Reader(1_000_000)
    box = SendQueue(reader, LiveSerializer(AssistantStart), 10_000)
    box.put_audio(header(1, 4000), bytes(4000))
    box.put(PongEvent())
    box.put_audio(header(2, 4), bytes(4))
    box.drop_audio(1)
    for _ in range(2):
        box.put_audio(header(3, 3000), bytes(3000))
    running = asyncio.create_task(box.run())
    await box.flushed()
    running.cancel()
    assert [json.loads(frame)["type"] for frame in reader.frames if isinstance(frame, str)][:2] == [
        "pong",
        "reply.audio",
    ]
    assert bytes(4) in reader.frames
    assert bytes(4000) not in reader.frames


def test_a_slow_client_is_disconnected() -> None:
    system = LiveSystem(settings={"max_unsent_bytes": 20_000})
    system.speech.pieces = lasting(1.0)
    with system.running() as client, calling(client, reply_sample_rate=48_000) as caller:
        caller.send("text", text="talk")
        assert caller.closed() == (1008, "slow_client")


def test_connections_are_counted_by_how_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    open_now: list[int] = []
    monkeypatch.setattr(RayLiveMetrics, "ended", lambda _self, reason: ended.append(reason))
    monkeypatch.setattr(Gauge, "set", lambda _self, value: open_now.append(value))
    with LiveSystem().running() as client:
        for key, last in (("first-key", '{"type": "stop"}'), ("nobody's", "")):
            with client.websocket_connect("/", headers={"X-API-Key": key}) as socket:
                socket.send_text('{"type": "start"}')
                if last:
                    socket.send_text(last)
                while socket.receive()["type"] != "websocket.close":
                    pass
    assert ended == ["stopped", "invalid_key"]
    assert open_now == [1, 0, 1, 0]
