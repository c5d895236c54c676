"""The example client, as its reader runs it, against a server of its own."""

import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from live_system import LiveSystem, pcm, sounding, voiced

pytestmark = [pytest.mark.graph, pytest.mark.slow]

CLIENT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "live_client.py"


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.listening.set()


@pytest.fixture
def url() -> Iterator[str]:
    system = LiveSystem()
    system.open()
    server = Server(uvicorn.Config(system.app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert server.listening.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"ws://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.mark.parametrize(
    ("options", "said"), [((), "You said: hello there."), (("--source", "en", "--target", "es"), "HELLO THERE")]
)
def test_the_example_client_speaks_and_keeps_the_answer(
    url: str, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    with wave.open(str(tmp_path / "question.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(pcm(np.concatenate((np.zeros(1600, np.float32), voiced(1)))))
    command = [sys.executable, str(CLIENT), "question.wav", "--url", url, "--key", "first-key", *options]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert said in run.stdout
    with wave.open(str(tmp_path / "reply.wav")) as reply:
        assert sounding(reply.readframes(reply.getnframes()), reply.getframerate()) > 0.05
