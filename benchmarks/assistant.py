"""The live assistant over its WebSocket: from the end of speech to the first audio of the reply, and how much is ours.

python -m benchmarks.assistant [--turns 20] [--config serve_config.local.yaml]

Starts the system of a configuration, says the turns of the bundled dialogue to it in real time, and prints JSON. Times
begin when the end of speech was noticed; the pause before that is reported by itself.
The conversation is held twice:

- `as_it_is`: the recogniser works ahead at every pause, so that part of its work is over when the speech is.
- `one_after_the_other`: it begins when the speech has ended, so that the stages can be told apart. `ours` is the time
  to the first audio less the time for which the engines were at work for that turn, as their replicas have it. (The
  engines' need measured apart from the system won't do: the same recognition takes a tenth more or less from one time
  to the next, which is more than all that is ours.)
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray import serve
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.running import LOCAL_CONFIG, benchmarked, dialogue, local_config, settings_of
from graphs.local.system import RunningSystem
from models import chat
from models.audio import SAMPLE_RATE
from models.chat import ChatEngine, Message

FRAME = SAMPLE_RATE // 50
LANGUAGE = "en"
TARGET_MS = 50.0
TURN_SECONDS = 120.0

Pcm = NDArray[np.float32]


@dataclass
class Answered:
    """One turn, as its client saw it, and what the service said of it.

    Attributes:
        correlation_id: Its calls'.
        message: Its words.
        heard_ms: From the event of the end of speech to the first audio.
    """

    correlation_id: str
    message: str = ""
    heard_ms: float = 0.0
    timings: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)


def utterances() -> list[Pcm]:
    """Return the turns of the bundled dialogue."""
    described = json.loads(files("models.samples").joinpath("dialogue.json").read_text())
    pcm = dialogue(described["duration"])
    return [pcm[int(turn["start"] * SAMPLE_RATE) : int(turn["end"] * SAMPLE_RATE)] for turn in described["turns"]]


class Talker:
    """A client that speaks in real time, and is silent in between.

    Args:
        socket: Its connection, started.
        correlation_id: The connection's.
    """

    def __init__(self, socket: ClientConnection, correlation_id: str) -> None:
        self._socket = socket
        self._correlation_id = correlation_id
        self._said = asyncio.Event()

    async def turn(self, utterance: Pcm) -> Answered | None:
        """Say something and wait for the whole answer; None where no words were heard."""
        self._said.clear()
        sending = asyncio.create_task(self._send(utterance))
        try:
            async with asyncio.timeout(TURN_SECONDS):
                return await self._listen()
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    async def _send(self, utterance: Pcm) -> None:
        began, frames = time.perf_counter(), 0
        while True:
            frame = utterance[frames * FRAME : (frames + 1) * FRAME]
            if not len(frame):
                self._said.set()
            frame = np.pad(frame, (0, FRAME - len(frame)))
            await self._socket.send((np.clip(frame, -1, 1) * 32767).astype("<i2").tobytes())
            frames += 1
            await asyncio.sleep(began + frames * FRAME / SAMPLE_RATE - time.perf_counter())

    async def _listen(self) -> Answered | None:
        newest, turns, ended_at = 0, dict[int, Answered](), dict[int, float]()
        async for message in self._socket:
            now = time.perf_counter()
            if isinstance(message, bytes):
                continue
            event: dict[str, Any] = json.loads(message)
            turn = turns.get(event.get("turn", 0))
            match event["type"]:
                case "ping":
                    await self._socket.send(json.dumps({"type": "pong", "id": event["id"]}))
                case "speech_started":
                    newest = event["turn"]
                case "speech_ended":
                    ended_at[newest], turns[newest] = now, Answered(f"{self._correlation_id}.{newest}")
                case "transcript.final" if turn is not None:
                    turn.message = event["text"]
                    if not event["text"] and event["turn"] == newest and self._said.is_set():
                        return None
                case "reply.audio" if turn is not None and not turn.heard_ms:
                    turn.heard_ms = 1000 * (now - ended_at[event["turn"]])
                case "reply.end" if turn is not None and event["turn"] == newest and self._said.is_set():
                    turn.timings, turn.stages = event["timings"], event["stages"]
                    return turn if turn.heard_ms else None
                case "error" | "closing":
                    raise RuntimeError(message)
        raise RuntimeError("the connection was closed")


async def converse(url: str, key: str, turns: int, *, partials: bool) -> list[Answered]:
    """Hold a conversation; return the turns in which words were heard, without the first."""
    start = {"type": "start", "language": LANGUAGE, "partials": partials}
    async with connect(url.replace("http", "ws", 1) + "/api/v1/ws", additional_headers={"X-API-Key": key}) as socket:
        await socket.send(json.dumps(start))
        ready = json.loads(await socket.recv())
        if ready["type"] != "ready":
            raise RuntimeError(ready)
        talker = Talker(socket, ready["correlation_id"])
        # The first turn meets engines that may load something yet.
        said = [await talker.turn(utterance) for utterance in islice(cycle(utterances()), turns + 1)]
    return [answered for answered in said[1:] if answered is not None]


async def engine_seconds(turn: Answered, engine: ChatEngine) -> dict[str, float]:
    """Return what the engines of the roles needed for a turn up to its first audio, and the chat engine for its text.

    Args:
        turn: Recognised once.
        engine: The chat engine, which the system has in its own process and this benchmark in its.
    """
    started = time.perf_counter()
    async for _piece in engine.reply([Message("user", turn.message)], language=LANGUAGE):
        pass
    answered = time.perf_counter() - started
    steps = {
        role: await serve.get_deployment_handle(role, app_name="graphs").engine_steps.remote(turn.correlation_id)
        for role in ("asr", "speech")
    }
    # The first two steps of a synthesis make the generator and its first sound.
    return {"asr": sum(steps["asr"]), "chat": answered, "tts": sum(steps["speech"][:2])}


def spread(milliseconds: Iterable[float]) -> dict[str, float]:
    """Return median and 95th percentile."""
    values = list(milliseconds)
    return {"p50_ms": round(float(np.median(values)), 1), "p95_ms": round(float(np.quantile(values, 0.95)), 1)}


def latencies(turns: list[Answered]) -> dict[str, Any]:
    """Summarise what the client saw and what the service reported."""
    return {
        "turns": len(turns),
        "end_of_speech_to_first_audio": spread(turn.heard_ms for turn in turns),
        "of_that_by_the_service": {
            name: spread(turn.timings[f"{name}_ms"] for turn in turns)
            for name in ("transcript", "first_text", "first_audio")
        },
    }


def accounted(turns: list[Answered], engines: list[dict[str, float]]) -> dict[str, Any]:
    """Tell the engines' part of the time from ours.

    Args:
        turns: What came of them.
        engines: Seconds that each engine was at work for them.
    """
    pairs = list(zip(turns, engines, strict=True))
    recognising = [turn.timings["transcript_ms"] - 1000 * engine["asr"] for turn, engine in pairs]
    answering = [
        turn.timings["first_audio_ms"] - turn.timings["transcript_ms"] - 1000 * (engine["chat"] + engine["tts"])
        for turn, engine in pairs
    ]
    ours = spread(map(sum, zip(recognising, answering, strict=True)))
    return {
        **latencies(turns),
        "engines": {name: spread(1000 * engine[name] for engine in engines) for name in ("asr", "chat", "tts")},
        "ours": ours,
        "of_that": {"up_to_the_transcript": spread(recognising), "from_there_on": spread(answering)},
        "target_ms": TARGET_MS,
        "met": ours["p50_ms"] < TARGET_MS,
    }


async def _measured(system: RunningSystem, turns: int, engine: ChatEngine) -> dict[str, Any]:
    as_it_is = await converse(system.url, system.api_key, turns, partials=True)
    in_turn = await converse(system.url, system.api_key, turns, partials=False)
    engines = [await engine_seconds(turn, engine) for turn in in_turn]
    return {"as_it_is": latencies(as_it_is), "one_after_the_other": accounted(in_turn, engines)}


def _with_timed_roles(config: dict[str, Any]) -> None:
    application = next(app for app in config["applications"] if app["name"] == "graphs")
    application["import_path"] = "benchmarks.timed_roles:graphs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--config", type=Path, default=LOCAL_CONFIG, help="a configuration like the local one")
    given = parser.parse_args()
    roles, api = settings_of(local_config(given.config))
    loads = [os.getloadavg()[0]]
    with benchmarked(_with_timed_roles, file=given.config) as system:
        measured = asyncio.run(_measured(system, given.turns, chat.build(api.assistant.chat)))
    loads.append(os.getloadavg()[0])
    report = {
        "cores": os.cpu_count(),
        "load_average_before_and_after": [round(load, 2) for load in loads],
        "engines": {
            "asr": roles.asr.engine.engine,
            "chat": api.assistant.chat.engine,
            "speech": roles.speech.engine.engine,
        },
        "end_of_speech_pause_ms": api.live.end_of_speech_ms,
        **measured,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
