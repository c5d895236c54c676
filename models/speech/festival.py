"""Festival: Russian speech joined from pieces of a person's recordings (unit selection).

The voice is ``msu_ru_nsh_clunits`` of Debian's package festvox-ru, made at Moscow State University.
"""

import queue
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingWeights
from models.speech.festival_process import FestivalDied, FestivalProcess, FestivalTooSlow
from models.speech.settings import FestivalSettings
from models.speech.silence import trimmed
from models.speech.time_stretch import stretched
from models.speech.types import Reference, Voice

INSTALL = "apt-get install -y festival festvox-ru"
"""Command that brings all that the engine needs."""

_VOICE = Voice(
    id="msu_ru_nsh_clunits",
    name="Russian, MSU",
    languages=("ru",),
    model="msu_ru_nsh_clunits",
    sample_rate=16_000,
    gender="male",
    engine="festival",
    quality="good",
    stress_marks=True,
)
_VOICES = Path("/usr/share/festival/voices")
_LONGEST = 600
# A sign that the voice's rules lack fails the whole text.
_UNREADABLE = re.compile(r"[^а-яёa-z0-9+.,!?;:\- ]", re.IGNORECASE)  # noqa: RUF001 - Cyrillic
# The voice has no rules for marks inside of a word either.
_INNER_MARKS = re.compile(r"[.,!?;:]+(?=[^\s.,!?;:])")
# Marks of stress stand before a vowel.
_NO_STRESS = re.compile(r"\+(?![аеёиоуыэюя])", re.IGNORECASE)
_PAUSES = str.maketrans({mark: ", " for mark in "()[]{}—–"})  # noqa: RUF001 - dashes


class FestivalEngine:
    """The Russian voice of festvox-ru.

    Args:
        settings: See ``FestivalSettings``.

    Raises:
        MissingWeights: Festival or the voice is not installed.
    """

    def __init__(self, settings: FestivalSettings) -> None:
        program = shutil.which("festival")
        if program is None or not installed():
            raise MissingWeights(f"Festival and its Russian voice are not on this machine: {INSTALL}")
        self._processes = _Processes(program, settings)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The engine's only voice."""
        return (_VOICE,)

    def load(self, model: str) -> "FestivalModel":
        """Start a process, where none runs.

        Raises:
            MissingWeights: It lacks the voice.
        """
        if model != _VOICE.model:
            raise MissingWeights(f"Festival's voice {model!r} is not known here")
        self._processes.start()
        return FestivalModel(self._processes)


def installed() -> bool:
    """Tell whether Festival and its Russian voice are on this machine, without starting it."""
    return shutil.which("festival") is not None and any(_VOICES.glob(f"*/{_VOICE.model}"))


class FestivalModel:
    """Speaks in one of the engine's processes; callers wait for one that is free.

    Args:
        processes: The engine's.
    """

    def __init__(self, processes: "_Processes") -> None:
        self._processes = processes

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause; see ``models.speech.types.SpeechModel``."""
        yield from stretched(self._pieces(_readable(clause), voice.sample_rate), voice.sample_rate, speed)

    def _pieces(self, text: str, sample_rate: int) -> Iterator[NDArray[np.float32]]:
        for part in _parts(text):
            samples, rate = self._processes.speak(part)
            if rate != sample_rate:
                raise ValueError(f"festival speaks at {rate} Hz, not {sample_rate}")
            yield trimmed(samples.astype(np.float32) / np.float32(32768), sample_rate)


class _Processes:
    """Processes that wait for texts; each is started when it is first needed, and anew when it has died."""

    def __init__(self, program: str, settings: FestivalSettings) -> None:
        self._program = program
        self._timeout = settings.timeout_s
        # The one that was used last has its units in the processor's caches, and is used first.
        self._free: queue.LifoQueue[FestivalProcess | None] = queue.LifoQueue()
        for _process in range(settings.processes):
            self._free.put(None)

    def start(self) -> None:
        """Have one process running.

        Raises:
            MissingWeights: It does not start.
        """
        with self._taken() as held:
            try:
                held[0] = held[0] or self._started()
            except FestivalDied as error:
                raise MissingWeights(f"Festival does not start with its Russian voice ({error}): {INSTALL}") from error

    def speak(self, text: str) -> tuple[NDArray[np.int16], int]:
        """Speak a text in a process that is free; see ``FestivalProcess.speak``.

        Raises:
            ValueError: Festival can't read the text.
            FestivalDied: It ends at this text.
            FestivalTooSlow: It takes too long.
        """
        with self._taken() as held:
            used = held[0]
            if used is not None:
                try:
                    return used.speak(text)
                except FestivalTooSlow:
                    held[0] = None
                    raise
                except FestivalDied:
                    # It may have died of something else, long ago.
                    held[0] = None
            held[0] = process = self._started()
            try:
                return process.speak(text)
            except FestivalDied:
                held[0] = None
                raise

    def _started(self) -> FestivalProcess:
        return FestivalProcess(self._program, _VOICE.model, self._timeout)

    @contextmanager
    def _taken(self) -> Iterator[list[FestivalProcess | None]]:
        held = [self._free.get()]
        try:
            yield held
        finally:
            self._free.put(held[0])


def _readable(text: str) -> str:
    """Return a text in the signs that the voice has rules for, each mark at the end of a word."""
    text = unicodedata.normalize("NFKC", text).translate(_PAUSES)
    text = "".join(
        # Letters of other alphabets' accents become plain ones.
        sign if sign in "йёЙЁ" else unicodedata.normalize("NFKD", sign)[0]
        for sign in text
    )
    text = _INNER_MARKS.sub(" ", _NO_STRESS.sub(" ", _UNREADABLE.sub(" ", text)))
    words: list[str] = []
    for token in text.split():
        word = token.strip(".,!?;:-")
        if any(map(str.isalnum, word)):
            words.append(word + token.rpartition(word)[2].replace("-", "")[:1])
        elif words and words[-1][-1].isalnum():
            words[-1] += "," if token[0] == "-" else token[0]
    return " ".join(words)


def _parts(text: str) -> Iterator[str]:
    """Cut a text at spaces into parts of a length that Festival takes."""
    while len(text) > _LONGEST:
        space = text.rfind(" ", 0, _LONGEST)
        at = space if space > 0 else _LONGEST
        yield text[:at]
        text = text[at:].strip()
    if text:
        yield text
