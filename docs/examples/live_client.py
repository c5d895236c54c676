"""Speak a WAV file to the assistant or the interpreter, as a microphone would, and keep the answer.

pip install websockets
python live_client.py question.wav --key KEY                            # the assistant
python live_client.py talk.wav --key KEY --source en --target es        # the interpreter

Prints every event; words heard so far have a bar behind those that are stable. The spoken answer goes to reply.wav. The
file is 16-bit mono WAV at 8000 to 48000 Hz.
"""

import argparse
import asyncio
import json
import os
import wave
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

FRAME_SECONDS = 0.05
REPLY_RATE = 24_000


async def speak(socket: ClientConnection, path: str) -> None:
    """Send the file in real time, then half a second of silence, and say that this was all."""
    with wave.open(path) as file:
        size = round(file.getframerate() * FRAME_SECONDS)
        silence = bytes(2 * size)
        while frames := file.readframes(size):
            await socket.send(frames)
            await asyncio.sleep(FRAME_SECONDS)
    for _ in range(12):
        await socket.send(silence)
        await asyncio.sleep(FRAME_SECONDS)
    await socket.send(json.dumps({"type": "stop"}))


async def listen(socket: ClientConnection, reply: wave.Wave_write) -> None:
    """Print events and keep audio, until the service closes the connection."""
    # A client with a loudspeaker queues this audio for playing, and empties that queue at "interrupted".
    async for message in socket:
        if isinstance(message, bytes):
            reply.writeframes(message)
            continue
        event: dict[str, Any] = json.loads(message)
        if event["type"] == "ping":
            await socket.send(json.dumps({"type": "pong", "id": event["id"]}))
        elif event["type"] == "reply.text":
            print(event["text"], end="", flush=True)
        elif event["type"] == "transcript.partial":
            print(f"{event['stable']} | {event['text'].removeprefix(event['stable'])}")
        elif event["type"] != "reply.audio":
            print(event)


async def main() -> None:
    """Run one conversation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="16-bit mono WAV")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/api/v1/ws")
    parser.add_argument("--key", default=os.environ.get("VOICEGRAPH_API_KEY"), help="or VOICEGRAPH_API_KEY")
    parser.add_argument("--source", help="the spoken language, for the interpreter")
    parser.add_argument("--target", help="the language wanted; makes it the interpreter")
    parser.add_argument("--session", help="a conversation to go on with")
    parser.add_argument("--reply", default="reply.wav", help="where the spoken answer goes")
    given = parser.parse_args()
    if not given.key:
        parser.error("give an API key: --key or VOICEGRAPH_API_KEY")
    with wave.open(given.file) as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            parser.error(f"{given.file} is not 16-bit mono")
        start: dict[str, Any] = {"type": "start", "sample_rate": file.getframerate(), "reply_sample_rate": REPLY_RATE}
    if given.target:
        start |= {"target": given.target, **({"source": given.source} if given.source else {})}
    elif given.session:
        start["session_id"] = given.session
    url = given.url + ("/translation" if given.target else "")
    with wave.open(given.reply, "wb") as reply:
        reply.setnchannels(1)
        reply.setsampwidth(2)
        reply.setframerate(REPLY_RATE)
        async with connect(url, additional_headers={"X-API-Key": given.key}) as socket:
            await socket.send(json.dumps(start))
            await asyncio.gather(speak(socket, given.file), listen(socket, reply))


if __name__ == "__main__":
    asyncio.run(main())
