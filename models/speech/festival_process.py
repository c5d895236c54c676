"""A Festival process that speaks one text after the other, over its standard input and output.

It evaluates Scheme from its input (``festival --pipe``); each text's speech comes back as one WAV file. See Festival's
manual, http://festvox.org/docs/manual-2.4.0/, sections 8 and 24.
"""

import os
import selectors
import struct
import subprocess
import time
import weakref

import numpy as np
from numpy.typing import NDArray

_READY, _WAVE, _FAILED = b"READY\n", b"WAVE\n", b"FAIL\n"
_LONGEST_LINE = 64
_MAX_BYTES = 64 * 1024 * 1024
# No settings of a user (~/.festivalrc) are read.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
_SPEAK = """
(define (speak_text text)
  (let ((utterance (utt.synth (eval (list 'Utterance 'Text text)))))
    (format t "WAVE\\n") (fflush nil)
    (utt.save.wave utterance "-" 'riff)))
"""


class FestivalDied(Exception):
    """The process has ended."""


class FestivalTooSlow(FestivalDied):
    """The process was ended because it took too long."""


class FestivalProcess:
    """Festival with one voice loaded. One thread at a time.

    Args:
        program: Path of ``festival``.
        voice: Name of the voice, letters, digits and ``_``.
        timeout: Seconds for the start, and for each text.

    Raises:
        FestivalDied: It does not start, or lacks the voice.
    """

    end: "weakref.finalize[[subprocess.Popen[bytes]], FestivalProcess]"

    def __init__(self, program: str, voice: str, timeout: float) -> None:
        self._timeout = timeout
        self._process = subprocess.Popen(  # noqa: S603 - a fixed program; texts come by its input, checked
            [program, "--pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            bufsize=0,
        )
        # It would end by itself when its input ends with this process, but not before the text that it speaks.
        self.end = weakref.finalize(self, _end, self._process)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._input, False)
        os.set_blocking(self._output, False)
        self._read = b""
        answer = self._ask(f'{_SPEAK}\n(voice_{voice})\n(format t "READY\\n")\n(fflush nil)\n', self._deadline())
        if answer != _READY:
            self.end()
            raise FestivalDied(f"festival answers {answer!r} where it should be ready")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def speak(self, text: str) -> tuple[NDArray[np.int16], int]:
        """Speak a text.

        Args:
            text: Without quotes, backslashes and controls.

        Returns:
            Mono samples, shape [n], and their rate in Hz.

        Raises:
            ValueError: Festival can't read the text, or it has a character that it must not have.
            FestivalDied: The process ended.
            FestivalTooSlow: It took longer than the timeout, and was ended.
        """
        if '"' in text or "\\" in text or not text.isprintable():
            raise ValueError("the text has a quote, a backslash or a control character")
        deadline = self._deadline()
        command = f'(unwind-protect (speak_text "{text}") (format t "FAIL\\n"))\n(fflush nil)\n'
        answer = self._ask(command, deadline)
        if answer == _FAILED:
            raise ValueError(f"festival can't read {text!r}")
        if answer != _WAVE:
            self.end()
            raise FestivalDied(f"festival answers {answer!r}")
        tag, size = struct.unpack("<4sI", self._take(8, deadline))
        if tag != b"RIFF" or not 36 <= size <= _MAX_BYTES:
            self.end()
            raise FestivalDied("festival answers with something that is no WAV file")
        body = self._take(size, deadline)
        (rate,) = struct.unpack("<I", body[16:20])
        return np.frombuffer(body[36:], "<i2"), rate

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout

    def _ask(self, command: str, deadline: float) -> bytes:
        """Send a command; return the next line of the answer."""
        data = command.encode()
        while data:
            self._wait(self._input, selectors.EVENT_WRITE, deadline)
            try:
                data = data[os.write(self._input, data) :]
            except OSError as error:
                self.end()
                raise FestivalDied("festival has ended") from error
        while b"\n" not in self._read:
            if len(self._read) > _LONGEST_LINE:
                self.end()
                raise FestivalDied(f"festival answers {self._read!r}")
            self._more(deadline)
        line, _newline, self._read = self._read.partition(b"\n")
        return line + b"\n"

    def _take(self, count: int, deadline: float) -> bytes:
        while len(self._read) < count:
            self._more(deadline)
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def _more(self, deadline: float) -> None:
        self._wait(self._output, selectors.EVENT_READ, deadline)
        data = os.read(self._output, 1 << 16)
        if not data:
            self.end()
            raise FestivalDied("festival has ended")
        self._read += data

    def _wait(self, file: int, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(file, event)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                self.end()
                raise FestivalTooSlow(f"festival took longer than {self._timeout:g} s")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for file in (process.stdin, process.stdout):
        if file is not None:
            file.close()
