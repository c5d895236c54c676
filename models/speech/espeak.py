"""eSpeak NG: rule-based synthesis of over a hundred languages."""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from models.speech.espeak_library import (
    MAX_WORDS_PER_MINUTE,
    MIN_WORDS_PER_MINUTE,
    EspeakLibrary,
    LibraryVoice,
    Samples,
    espeak_library,
)
from models.speech.settings import EspeakSettings
from models.speech.types import Reference, Voice

_MODEL = "espeak"
# Where several voices speak a language, these come first.
_FIRST = ("en-us", "en-gb", "fr-fr", "es", "pt-br", "pt", "hy", "zh")
# Of the library's own tests.
_LEFT_OUT = frozenset({"art/xex"})


class EspeakEngine:
    """All voices of the library: each as it is, and in the variants that the settings name.

    Args:
        settings: See ``EspeakSettings``.

    Raises:
        MissingWeights: The library is not installed.
        ValueError: A variant does not exist.
    """

    def __init__(self, settings: EspeakSettings) -> None:
        self._library = espeak_library()
        self._model = EspeakModel(self._library)
        self.adjust(settings)

    def adjust(self, settings: EspeakSettings) -> None:
        """Have other variants, and speak at another pace.

        Raises:
            ValueError: A variant does not exist.
        """
        known = self._library.variants()
        if missing := [variant for variant in settings.variants if variant not in known]:
            raise ValueError(f"eSpeak NG has no variant {missing[0]!r}; it has {', '.join(sorted(known))}")
        identifiers: dict[str, str] = {}
        voices = [
            self._voice(voice, variant, identifiers)
            for voice in _ordered(self._library.voices())
            for variant in (None, *(known[name] for name in settings.variants))
        ]
        self._model.adjust(identifiers, settings.words_per_minute)
        self._voices = tuple(voices)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default of each language before its others."""
        return self._voices

    def load(self, model: str) -> "EspeakModel":
        """Return the one model that all voices share."""
        if model != _MODEL:
            raise ValueError(f"the engine espeak has one model, {_MODEL!r}, not {model!r}")
        return self._model

    def _voice(self, voice: LibraryVoice, variant: LibraryVoice | None, identifiers: dict[str, str]) -> Voice:
        languages = _languages(voice)
        suffix = variant.identifier.removeprefix("!v/") if variant else ""
        identifier = f"{languages[0]}-{suffix.lower()}" if suffix else languages[0]
        identifiers[identifier] = f"{voice.identifier}+{suffix}" if suffix else voice.identifier
        return Voice(
            id=identifier,
            name=f"{voice.name}, {variant.name}" if variant else voice.name,
            languages=languages,
            model=_MODEL,
            sample_rate=self._library.sample_rate,
            gender=(variant or voice).gender,
            engine="espeak",
            quality="robotic",
            reads_digits=True,
            stress_marks=True,
        )


class EspeakModel:
    """Speaks with any voice of the engine; callers take turns, each for the few milliseconds that a clause takes.

    Args:
        library: This process's library.
    """

    def __init__(self, library: EspeakLibrary) -> None:
        self._library = library
        self._identifiers: dict[str, str] = {}

    def adjust(self, identifiers: dict[str, str], words_per_minute: int) -> None:
        """Take the library's name for each voice, and the words a minute at speed 1."""
        # Voices that are gone may still be speaking.
        self._identifiers = {**self._identifiers, **identifiers}
        self._words_per_minute = words_per_minute

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause; see ``models.speech.types.SpeechModel``."""
        wanted = self._words_per_minute * speed
        rate = round(min(max(wanted, MIN_WORDS_PER_MINUTE), MAX_WORDS_PER_MINUTE))
        pieces = self._pieces(clause, self._identifiers[voice.id], rate)
        slower = min(1.0, wanted / rate)
        with closing(pieces):
            for piece in pieces if slower > 0.99 else self._slowed(pieces, slower):
                yield piece.astype(np.float32) / np.float32(32768)

    def _pieces(self, clause: str, identifier: str, rate: int) -> Generator[Samples, None, None]:
        """Yield samples as the library makes them, in a thread that no slow listener can hold up."""
        made: queue.SimpleQueue[Samples | Exception | None] = queue.SimpleQueue()
        left = threading.Event()

        def receive(samples: Samples) -> bool:
            made.put(samples)
            return not left.is_set()

        def speak() -> None:
            try:
                self._library.speak(clause, identifier, rate, receive)
                made.put(None)
            except Exception as error:
                made.put(error)

        threading.Thread(target=speak, name="espeak", daemon=True).start()
        try:
            while (piece := made.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            left.set()

    def _slowed(self, pieces: Iterator[Samples], speed: float) -> Iterator[Samples]:
        with self._library.stretched() as stretch:
            for piece in pieces:
                yield stretch.push(piece, speed)
            yield stretch.flush()


def _ordered(voices: list[LibraryVoice]) -> list[LibraryVoice]:
    def order(voice: LibraryVoice) -> tuple[int, bool, str]:
        own = _languages(voice)[0]
        return (_FIRST.index(own) if own in _FIRST else len(_FIRST), "-" in own, own)

    return sorted((voice for voice in voices if voice.identifier not in _LEFT_OUT), key=order)


def _languages(voice: LibraryVoice) -> tuple[str, ...]:
    """Return a voice's languages, its own first; Mandarin is ``zh``, and a dialect is also its language."""
    own = voice.identifier.split("/")[-1].lower()
    if "-latn" in own:
        # Reads the language in another script than people write it.
        return (own,)
    codes = voice.languages
    if "cmn" in codes:
        return ("zh", "cmn", "zh-cn", "zh-cmn")
    if codes[0] == "yue":
        return ("yue", "zh-yue", "zh-hk")
    return tuple(dict.fromkeys((*codes, codes[0].split("-")[0])))
