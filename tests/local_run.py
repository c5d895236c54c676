"""What `make run` starts, as a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
START_S = 280.0
STOP_S = 120.0


@dataclass(frozen=True)
class LocalRun:
    """A started run.

    Attributes:
        process: Leads a process group of its own, as in a terminal.
        data: Its data folder.
        output: Where it writes what it says.
    """

    process: subprocess.Popen[bytes]
    data: Path
    output: Path

    @classmethod
    def start(cls, data: Path, port: int, *arguments: str, **variables: str) -> "LocalRun":
        """Start it with its data in a folder that is there."""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
        for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
            environment.pop(name, None)
        environment |= {"VOICEGRAPH_DATA": str(data), "VOICEGRAPH_PORT": str(port)}
        output = data / "said.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "graphs.local", *arguments],
                cwd=REPOSITORY,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A shell that runs the tests in the background has them ignore interrupts.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
        return cls(process, data, output)

    def said(self) -> str:
        return self.output.read_text()

    def until(self, line: str) -> str:
        """Wait until it says a line that matches, and return all that it has said."""
        deadline = time.monotonic() + START_S
        while not re.search(line, said := self.said(), re.MULTILINE):
            assert self.process.poll() is None, f"it ended instead of saying {line!r}:\n{said}"
            assert time.monotonic() < deadline, f"it did not say {line!r} within {START_S:.0f} s:\n{said}"
            time.sleep(0.1)
        return said

    def interrupt(self) -> int:
        """Stop it as Ctrl-C in a terminal does, which reaches the whole group; return the exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_S)

    def terminate(self) -> int:
        """Stop it as service managers do; return the exit status."""
        self.process.terminate()
        return self.process.wait(STOP_S)

    def left(self) -> list[str]:
        """Find the processes that know this run's data folder, by their environment or their command line."""
        found = []
        for process in psutil.process_iter():
            try:
                known: Mapping[str, str] = process.environ()
                if known.get("VOICEGRAPH_DATA") == str(self.data) or str(self.data) in " ".join(process.cmdline()):
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
            except psutil.Error:
                continue
        return found
