"""The live assistant over its WebSocket: from the end of speech to the first audio of the reply, and how much is ours.

python -m benchmarks.assistant [--turns 20]

Starts the local system (PocketSphinx, the offline responder, eSpeak NG), says the turns of the bundled dialogue to it
in real time, and prints JSON. Times begin when the end of speech was noticed; the pause before that is reported by
itself.
The conversation is held twice:

- `as_it_is`: the recogniser works ahead at every pause, so that part of its work is over when the speech is.
- `one_after_the_other`: it begins when the speech has ended, so that the stages can be told apart. `ours` is the time
  to the first audio less what the bare engines need, in this process and at the roles' priority, for the same
  utterance, the same message and the same first clause.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.running import benchmarked, dialogue, local_config
from graphs.common.config import ApiConfig, GraphsConfig
from graphs.common.voices import choose_voice
from models import asr, chat, speech
from models.asr import Asr
from models.audio import SAMPLE_RATE
from models.chat import ChatEngine, Message
from models.speech import SpeechEngine, SpeechModel, Voice
from models.speech.streaming import speak

FRAME = SAMPLE_RATE // 50
LANGUAGE = "en"
TARGET_MS = 100.0
TURN_SECONDS = 120.0

Pcm = NDArray[np.float32]


@dataclass
class Answered:
    """One turn, as its client saw it, and what the service said of it.

    Attributes:
        utterance: What was recognised.
        message: Its words.
        first_clause: What the first audio says.
        heard_ms: From the event of the end of speech to the first audio.
    """

    utterance: Pcm
    message: str = ""
    first_clause: str = ""
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
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent: list[Pcm] = []
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
            self._sent.append(frame)
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
                    ended_at[newest], turns[newest] = now, Answered(self._between(event["start_ms"], event["end_ms"]))
                case "transcript.final" if turn is not None:
                    turn.message = event["text"]
                    if not event["text"] and event["turn"] == newest and self._said.is_set():
                        return None
                case "reply.audio" if turn is not None and not turn.heard_ms:
                    turn.heard_ms = 1000 * (now - ended_at[event["turn"]])
                    turn.first_clause = event["text"]
                case "reply.end" if turn is not None and event["turn"] == newest and self._said.is_set():
                    turn.timings, turn.stages = event["timings"], event["stages"]
                    return turn if turn.heard_ms else None
                case "error" | "closing":
                    raise RuntimeError(message)
        raise RuntimeError("the connection was closed")

    def _between(self, start_ms: int, end_ms: int) -> Pcm:
        return np.concatenate(self._sent)[start_ms * SAMPLE_RATE // 1000 : end_ms * SAMPLE_RATE // 1000]


async def converse(url: str, key: str, turns: int, *, partials: bool) -> list[Answered]:
    """Hold a conversation; return the turns in which words were heard, without the first."""
    start = {"type": "start", "language": LANGUAGE, "partials": partials}
    async with connect(url.replace("http", "ws", 1) + "/api/v1/ws", additional_headers={"X-API-Key": key}) as socket:
        await socket.send(json.dumps(start))
        ready = json.loads(await socket.recv())
        if ready["type"] != "ready":
            raise RuntimeError(ready)
        talker = Talker(socket)
        # The first turn meets engines that may load something yet.
        said = [await talker.turn(utterance) for utterance in islice(cycle(utterances()), turns + 1)]
    return [answered for answered in said[1:] if answered is not None]


class Bare:
    """The engines of the local system, without anything around them."""

    def __init__(self) -> None:
        applications = local_config()["applications"]
        graphs, api = (next(app["args"] for app in applications if app["name"] == name) for name in ("graphs", "api"))
        roles = GraphsConfig.model_validate(graphs)
        self._asr: Asr = asr.build(roles.asr.engine)
        self._speech: SpeechEngine = speech.build(roles.speech.engine)
        self._voice: Voice
        self._voice, self._code = choose_voice(self._speech.voices, LANGUAGE)
        self._model: SpeechModel = self._speech.load(self._voice.model)
        self._chat: ChatEngine = chat.build(ApiConfig.model_validate(api).assistant.chat)

    def seconds(self, turn: Answered) -> dict[str, float]:
        """Return what each engine needs for a turn up to its first audio."""
        return {
            "asr": _timed(lambda: list(self._asr.transcribe(turn.utterance, language=LANGUAGE).segments)),
            "chat": _timed(lambda: asyncio.run(self._reply(turn.message))),
            "tts": _timed(lambda: next(self._speak(turn.first_clause))),
        }

    def _speak(self, text: str) -> Any:
        return speak(
            self._model,
            text,
            voice=self._voice,
            language=self._code,
        )

    async def _reply(self, message: str) -> list[str]:
        return [piece async for piece in self._chat.reply([Message("user", message)], language=LANGUAGE)]


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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


def accounted(turns: list[Answered], bare: Bare) -> dict[str, Any]:
    """Tell the engines' part of the time from ours."""
    bare.seconds(turns[0])
    engines = [bare.seconds(turn) for turn in turns]
    ours = spread(
        turn.timings["first_audio_ms"] - 1000 * sum(needed.values())
        for turn, needed in zip(turns, engines, strict=True)
    )
    return {
        **latencies(turns),
        "engines": {name: spread(1000 * needed[name] for needed in engines) for name in ("asr", "chat", "tts")},
        "ours": ours,
        "target_ms": TARGET_MS,
        "met": ours["p50_ms"] < TARGET_MS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20)
    turns = parser.parse_args().turns
    with benchmarked() as system:
        as_it_is = asyncio.run(converse(system.url, system.api_key, turns, partials=True))
        in_turn = asyncio.run(converse(system.url, system.api_key, turns, partials=False))
        # Ray runs its workers so much below its driver; the bare engines shall have it no better.
        os.nice(int(os.environ.get("RAY_worker_niceness", "15")))
        report = {
            "cores": os.cpu_count(),
            "load_average": round(os.getloadavg()[0], 2),
            "end_of_speech_pause_ms": ApiConfig().live.end_of_speech_ms,
            "as_it_is": latencies(as_it_is),
            "one_after_the_other": accounted(in_turn, Bare()),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
