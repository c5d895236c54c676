"""Long-lived pipelines of Apertium's programs, and their pool."""

import contextlib
import os
import selectors
import subprocess
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Condition

from models.translation.apertium_modes import Mode

_READ = 65_536
_MOST_OUTPUT = 4 * 1024 * 1024


class Pipeline:
    """The programs of one pair, connected; each NUL that is sent makes them answer up to it. Used by one thread."""

    def __init__(self, mode: Mode) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._numbers = count()
        self._keeps_marks: bool | None = None
        try:
            self._start(mode)
        except BaseException:
            self.close()
            raise
        self._input, self._output = self._processes[0].stdin, self._processes[-1].stdout
        assert self._input is not None
        assert self._output is not None
        for pipe in (self._input, self._output):
            os.set_blocking(pipe.fileno(), False)

    def _start(self, mode: Mode) -> None:
        before: int | None = subprocess.PIPE
        for stage in mode.stages:
            process = subprocess.Popen(  # noqa: S603 - programs of installed packages, no text of a caller in it
                stage,
                stdin=before if not self._processes else self._processes[-1].stdout,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(mode.environment),
            )
            if self._processes and (pipe := self._processes[-1].stdout) is not None:
                # Else a program that ends would not end those before and after it.
                pipe.close()
            self._processes.append(process)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the programs."""
        return tuple(process.pid for process in self._processes)

    def exchange(self, messages: Sequence[bytes], timeout: float) -> list[bytes]:
        """Send messages and return the answers.

        Each message ends with a numbered blank, which the programs pass on: where one of them ends, those behind it
        answer too, with what they have of a sentence or nothing.

        Args:
            messages: Without NUL.
            timeout: Seconds that may pass without an answer.

        Returns:
            The answers in order; fewer than messages where the programs ended or fell silent, and then the pipeline
            can't be used any more.
        """
        if self._keeps_marks is None:
            # A sentence that is nothing but an end: what the programs do to the blank after it.
            self._keeps_marks = False
            answered = self._exchange([b"."], timeout)
            if not answered:
                return []
            self._keeps_marks = answered[0][1]
        return [answer for answer, _marked in self._exchange(messages, timeout)]

    def _exchange(self, messages: Sequence[bytes], timeout: float) -> list[tuple[bytes, bool]]:
        """Return the answers without their marks, and whether each one had it."""
        marks = [b"[%d]" % next(self._numbers) for _ in messages]
        waiting = memoryview(b"".join(message + mark + b"\0" for message, mark in zip(messages, marks, strict=True)))
        answers: list[tuple[bytes, bool]] = []
        received = bytearray()
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._fd(self._input), selectors.EVENT_WRITE)
            selector.register(self._fd(self._output), selectors.EVENT_READ)
            while len(answers) < len(messages):
                ready = {key.fd for key, _events in selector.select(max(0.0, deadline - time.monotonic()))}
                if not ready:
                    return answers
                if self._fd(self._input) in ready and not (waiting := self._send(waiting)):
                    selector.unregister(self._fd(self._input))
                if self._fd(self._output) in ready:
                    before = len(answers)
                    if not self._receive(received, marks, answers):
                        return answers
                    if len(answers) > before:
                        deadline = time.monotonic() + timeout
        return answers

    def _receive(self, received: bytearray, marks: Sequence[bytes], answers: list[tuple[bytes, bool]]) -> bool:
        """Add the answers that have come; return whether more may."""
        data = os.read(self._fd(self._output), _READ)
        received += data
        *complete, rest = received.split(b"\0")
        received[:] = rest
        for answer, mark in zip(complete, marks[len(answers) :], strict=False):
            whole = bytes(answer.rstrip())
            marked = whole.endswith(mark)
            if not marked and (self._keeps_marks or self._broken()):
                return False
            answers.append((whole.removesuffix(mark), marked))
        return bool(data) and len(received) <= _MOST_OUTPUT

    def _send(self, waiting: memoryview) -> memoryview:
        try:
            return waiting[os.write(self._fd(self._input), waiting[:_READ]) :]
        except BlockingIOError:
            return waiting
        except BrokenPipeError:
            # What was sent before may still be answered; the end of the output tells.
            return waiting[len(waiting) :]

    def _broken(self) -> bool:
        return any(process.poll() is not None for process in self._processes)

    @staticmethod
    def _fd(pipe: object) -> int:
        return int(pipe.fileno())  # type: ignore[attr-defined]

    def close(self) -> None:
        """End the programs."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError, BlockingIOError):
                        pipe.close()


class PipelinePool:
    """Lends pipelines; starts those that are needed, and ends those that are not.

    Args:
        workers: Most pipelines of one pair.
        most: Pipelines kept running; more only while more are lent.
    """

    def __init__(self, workers: int, most: int) -> None:
        self._workers = workers
        self._most = most
        self._changed = Condition()
        self._numbers = count()
        self._lent: Counter[tuple[str, str]] = Counter()
        self._idle: OrderedDict[int, tuple[tuple[str, str], Pipeline]] = OrderedDict()
        self._closed = False

    @contextmanager
    def lend(self, mode: Mode) -> Iterator["Lease"]:
        """Lend a pipeline; waits until the pair has one to spare.

        Raises:
            RuntimeError: The pool is closed.
        """
        pair = (mode.source, mode.target)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._lent[pair] < self._workers)
            if self._closed:
                raise RuntimeError("the Apertium pipelines were ended")
            self._lent[pair] += 1
            lease = Lease(mode, self._take(pair))
        try:
            yield lease
        except BaseException:
            lease.discard()
            raise
        finally:
            with self._changed:
                self._lent[pair] -= 1
                extra = self._keep(pair, lease.pipeline)
                self._changed.notify_all()
            for pipeline in extra:
                pipeline.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the idle pipelines."""
        with self._changed:
            return tuple(pid for _pair, pipeline in self._idle.values() for pid in pipeline.pids)

    def close(self) -> None:
        """End all pipelines; those that are lent end when they come back."""
        with self._changed:
            self._closed = True
            idle = [pipeline for _pair, pipeline in self._idle.values()]
            self._idle.clear()
            self._changed.notify_all()
        for pipeline in idle:
            pipeline.close()

    def _take(self, pair: tuple[str, str]) -> Pipeline | None:
        for number, (owner, pipeline) in reversed(self._idle.items()):
            if owner == pair:
                del self._idle[number]
                return pipeline
        return None

    def _keep(self, pair: tuple[str, str], pipeline: Pipeline | None) -> list[Pipeline]:
        """Keep a pipeline that came back; return those to be ended."""
        if pipeline is None:
            return []
        if self._closed:
            return [pipeline]
        self._idle[next(self._numbers)] = (pair, pipeline)
        extra = []
        while len(self._idle) + self._lent.total() > self._most and len(self._idle) > 1:
            _number, (_pair, oldest) = self._idle.popitem(last=False)
            extra.append(oldest)
        return extra


class Lease:
    """A pipeline on loan, replaced when it fails. Used by one thread."""

    def __init__(self, mode: Mode, pipeline: Pipeline | None) -> None:
        self._mode = mode
        self.pipeline = pipeline

    def exchange(self, messages: Sequence[bytes], timeout: float) -> list[bytes]:
        """See `Pipeline.exchange`; the next call after a failure starts new programs."""
        if self.pipeline is None:
            self.pipeline = Pipeline(self._mode)
        answers = self.pipeline.exchange(messages, timeout)
        if len(answers) < len(messages):
            self.discard()
        return answers

    def discard(self) -> None:
        """End the programs."""
        pipeline, self.pipeline = self.pipeline, None
        if pipeline is not None:
            pipeline.close()
