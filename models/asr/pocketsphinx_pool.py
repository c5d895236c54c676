"""Decoder processes and their pool."""

import contextlib
import json
import os
import queue
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

_PROGRAM = Path(__file__).with_name("pocketsphinx_worker.py")
_HEADER = struct.Struct("<I")


class Token(NamedTuple):
    """A word or filler of the decoder's best path, in frames of 10 ms; both frames belong to it."""

    text: str
    first_frame: int
    last_frame: int


class DecoderProcess:
    """A process with one decoder in it. Used by one thread at a time."""

    def __init__(self, options: Mapping[str, object]) -> None:
        self._options = json.dumps(dict(options))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None before the first start and after `stop`."""
        return self._process.pid if self._process else None

    def launch(self) -> None:
        """Start the process without waiting for its model."""
        # -P keeps this folder out of the child's path, where types.py would hide Python's own.
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no text of a caller in it
            [sys.executable, "-P", str(_PROGRAM), self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )

    def await_ready(self) -> None:
        """Wait until the model is loaded.

        Raises:
            RuntimeError: The process ended instead; what it said is on stderr.
        """
        self._receive()

    def decode(self, pcm: bytes) -> list[Token]:
        """Decode an utterance of 16-bit samples at 16 kHz.

        Raises:
            RuntimeError: The process ended; the next call starts another.
        """
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self.launch()
            self.await_ready()
        self._send(pcm)
        return [Token(*word) for word in self._receive()["words"]]

    def kill(self) -> None:
        """End the process from any thread; whoever uses it meets a RuntimeError."""
        process = self._process
        if process is not None:
            process.kill()

    def stop(self) -> None:
        """End the process, if there is one, and let go of it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            _close(pipe)

    def _send(self, body: bytes) -> None:
        pipe = self._running().stdin
        assert pipe is not None
        try:
            pipe.write(_HEADER.pack(len(body)) + body)
            pipe.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def _receive(self) -> dict[str, list[tuple[str, int, int]]]:
        pipe = self._running().stdout
        assert pipe is not None
        header = pipe.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise self._ended()
        (length,) = _HEADER.unpack(header)
        body = pipe.read(length)
        if len(body) < length:
            raise self._ended()
        message: dict[str, list[tuple[str, int, int]]] = json.loads(body)
        return message

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the PocketSphinx process was not started")
        return self._process

    def _ended(self) -> RuntimeError:
        code = self._running().wait()
        self.stop()
        return RuntimeError(f"a PocketSphinx process ended with status {code}; its stderr says why")


class DecoderPool:
    """A fixed number of decoder processes. Safe to call from several threads at once."""

    def __init__(self, workers: int, options: Mapping[str, object]) -> None:
        """Start the processes and wait until every model is loaded.

        Raises:
            RuntimeError: A process ended before it was ready.
        """
        self._processes = [DecoderProcess(options) for _ in range(workers)]
        self._idle: queue.SimpleQueue[DecoderProcess] = queue.SimpleQueue()
        self._closed = False
        try:
            for process in self._processes:
                process.launch()
            for process in self._processes:
                process.await_ready()
        except BaseException:
            for process in self._processes:
                process.stop()
            raise
        for process in self._processes:
            self._idle.put(process)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the running decoders."""
        return tuple(process.pid for process in self._processes if process.pid is not None)

    def decode(self, pcm: bytes) -> list[Token]:
        """Decode an utterance on the next idle process; waits for one.

        Raises:
            RuntimeError: The process ended; another takes its place at its next turn.
        """
        process = self._idle.get()
        try:
            if self._closed:
                raise RuntimeError("the PocketSphinx processes were ended")
            return process.decode(pcm)
        finally:
            if self._closed:
                process.stop()
            self._idle.put(process)

    def close(self) -> None:
        """End all processes; a decoding under way or asked for later meets a RuntimeError."""
        self._closed = True
        for process in self._processes:
            process.kill()
        # A process in use is let go by the thread that uses it.
        idle = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for process in idle:
            process.stop()
            self._idle.put(process)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is None:
        return
    # Bytes that the ended process never read may still wait in the pipe's buffer.
    with contextlib.suppress(BrokenPipeError):
        pipe.close()
