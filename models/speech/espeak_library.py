"""eSpeak NG in this process, through its C interface (``espeak-ng/speak_lib.h``).

The library keeps its state in globals: there is one of it in a process, and one caller in it at a time.
"""

import ctypes
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError, MissingWeights
from models.speech.espeak_stress import IPA, MNEMONICS, PhonemeAlphabet, move_stress
from models.speech.stress import stressed_words
from models.speech.types import Gender

MAX_CHARACTERS = 4_000
"""Longest text that the library is given at once."""

NORMAL_WORDS_PER_MINUTE = 175
MIN_WORDS_PER_MINUTE = 80
MAX_WORDS_PER_MINUTE = 700

_SYNCHRONOUS = 2
_BUFFER_MS = 100
_DO_NOT_EXIT = 0x8000
# Without markup (0x10): a text is only ever text.
_UTF8 = 1
# Phonemes between [[ and ]]; a text that has them of its own is spoken without.
_PHONEMES = 0x100
_CHARACTERS = 1
_RATE = 1
_PITCH = 3
_RANGE = 4
_IPA = 0x02
_TIED = 0x80
# The library takes ^A for the beginning of a command.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_LANGUAGE_SWITCH = re.compile(r"\([a-z][a-z0-9-]*\)")
_GENDERS: dict[int, Gender] = {1: "male", 2: "female"}
_VoiceCode = ctypes.POINTER(ctypes.c_char)

Samples = NDArray[np.int16]


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", _VoiceCode),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class LibraryVoice:
    """A voice as the library describes it.

    Attributes:
        name: For people.
        identifier: Under which it is chosen; ``+`` and a variant's name may follow.
        languages: Codes in lower case, its own first.
        gender: Where the library says it.
    """

    name: str
    identifier: str
    languages: tuple[str, ...]
    gender: Gender | None


class EspeakLibrary:
    """The library with its data; made once in a process, by ``espeak_library``."""

    def __init__(self, library: str, data: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._lock = threading.Lock()
        self._receiver: Callable[[Samples], bool] | None = None
        self._voice = ""
        # The library holds no reference to its callback.
        self._callback: Any = _Callback(self._receive)
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data.encode(), _DO_NOT_EXIT)
        if self.sample_rate <= 0:
            raise MissingWeights(f"eSpeak NG does not start with the data in {data}; install espeakng-loader anew.")
        self._library.espeak_SetSynthCallback(self._callback)

    def voices(self) -> list[LibraryVoice]:
        """Return all voices but the variants."""
        with self._lock:
            return _read_voices(self._library.espeak_ListVoices(None))

    def variants(self) -> dict[str, LibraryVoice]:
        """Return the variants by the name that follows a voice's identifier and a ``+``."""
        wanted = _Voice(languages=ctypes.cast(ctypes.c_char_p(b"variant"), _VoiceCode))
        with self._lock:
            variants = _read_voices(self._library.espeak_ListVoices(ctypes.byref(wanted)))
        return {variant.identifier.removeprefix("!v/"): variant for variant in variants}

    def has(self, voice: str) -> bool:
        """Tell whether there is a voice with an identifier or a language code."""
        with self._lock:
            return self._choose(voice)

    def stretched(self, sample_rate: int | None = None) -> "Stretch":
        """Return a new stretch of time, of speech at a rate or the library's own; any number may be in use at once."""
        return Stretch(self._library, sample_rate or self.sample_rate)

    def speak(
        self,
        text: str,
        voice: str,
        words_per_minute: int,
        receive: Callable[[Samples], bool],
        *,
        pitch: int = 50,
        pitch_range: int = 50,
        seed: int | None = None,
    ) -> None:
        """Speak a text.

        Args:
            text: One clause; in Russian, ``+`` before a vowel marks the stress of its word.
            voice: A voice's identifier.
            words_per_minute: ``MIN_WORDS_PER_MINUTE`` to ``MAX_WORDS_PER_MINUTE``.
            receive: Takes int16[n] at ``sample_rate``, piece by piece; where it returns False, speech ends.
            pitch: 0 to 100.
            pitch_range: 0 to 100; 0 is monotonous.
            seed: Of breath and friction, which are random; None goes on from where the last text ended.

        Raises:
            InputError: The text is too long (field ``text``).
            ValueError: There is no such voice.
        """
        encoded, flags = _encoded(text), _UTF8
        with self._lock:
            self._set_voice(voice)
            if marked := _marked(text, voice):
                encoded, flags = self._with_phonemes(marked), _UTF8 | _PHONEMES
            for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
                self._library.espeak_SetParameter(parameter, value, 0)
            if seed is not None:
                self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
            self._receiver = receive
            try:
                self._library.espeak_Synth(
                    encoded, ctypes.c_size_t(len(encoded) + 1), 0, _CHARACTERS, 0, flags, None, None
                )
            finally:
                self._receiver = None

    def phonemes(self, text: str, voice: str, *, tie: str = "") -> str:
        """Return a text's phonemes in the IPA, its clauses apart by a space; marks between them are lost.

        Args:
            text: One clause.
            voice: A voice's identifier or language code.
            tie: An ASCII sign between the letters of a phoneme that is written with several.

        Raises:
            InputError: The text is too long (field ``text``).
            ValueError: There is no such voice.
        """
        encoded = _encoded(text)
        with self._lock:
            self._set_voice(voice)
            if marked := _marked(text, voice):
                spoken = " ".join(self._word(part, IPA) for part in marked)
            else:
                spoken = self._phonemes(encoded, _IPA | (_TIED | ord(tie) << 8 if tie else 0))
        return " ".join(_LANGUAGE_SWITCH.sub("", spoken).split())

    def _phonemes(self, encoded: bytes, alphabet: int) -> str:
        buffer = ctypes.create_string_buffer(encoded)
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        spoken: list[str] = []
        while rest.value:
            phonemes = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, alphabet)
            spoken.append((phonemes or b"").decode(errors="replace"))
        return " ".join(spoken)

    def _word(self, part: str, alphabet: PhonemeAlphabet) -> str:
        """Return the phonemes of a word with a mark of stress, or of text without."""
        phonemes = self._phonemes(_encoded(part.replace("+", "")), _IPA if alphabet is IPA else 0)
        return move_stress(phonemes, part, alphabet) if "+" in part else phonemes

    def _with_phonemes(self, marked: list[str]) -> bytes:
        parts = (f"[[{self._word(part, MNEMONICS)}]]" if "+" in part else part.replace("[", " ") for part in marked)
        return _CONTROLS.sub(" ", "".join(parts)).encode(errors="replace")

    def _set_voice(self, voice: str) -> None:
        if not self._choose(voice):
            raise ValueError(f"eSpeak NG has no voice {voice!r}")

    def _choose(self, voice: str) -> bool:
        # A voice's dictionary is read anew each time it is chosen.
        if voice != self._voice:
            chosen = self._library.espeak_SetVoiceByName(voice.encode()) == 0
            self._voice = voice if chosen else ""
        return voice == self._voice

    def _receive(self, samples: Any, count: int, _events: int) -> int:
        if count <= 0 or self._receiver is None:
            return 0
        try:
            return 0 if self._receiver(np.ctypeslib.as_array(samples, (count,)).copy()) else 1
        except Exception:
            # Nothing can be raised through the library.
            return 1


class Stretch:
    """Makes speech slower or faster at the same pitch (Sonic, which eSpeak NG comes with); use it in one thread."""

    def __init__(self, library: ctypes.CDLL, sample_rate: int) -> None:
        self._library = library
        library.sonicCreateStream.restype = ctypes.c_void_p
        self._stream = ctypes.c_void_p(library.sonicCreateStream(sample_rate, 1))
        if not self._stream:
            raise MemoryError("no memory for a stretch of speech")

    def __enter__(self) -> "Stretch":
        return self

    def __exit__(self, *_error: object) -> None:
        self._library.sonicDestroyStream(self._stream)

    def push(self, samples: Samples, speed: float) -> Samples:
        """Add samples, int16[n]; return those that are ready."""
        self._library.sonicSetSpeed(self._stream, ctypes.c_float(speed))
        data = np.ascontiguousarray(samples)
        if not self._library.sonicWriteShortToStream(self._stream, ctypes.c_void_p(data.ctypes.data), len(data)):
            raise MemoryError("no memory for a stretch of speech")
        return self._ready()

    def flush(self) -> Samples:
        """Return the rest."""
        self._library.sonicFlushStream(self._stream)
        return self._ready()

    def _ready(self) -> Samples:
        ready = np.empty(self._library.sonicSamplesAvailable(self._stream), np.int16)
        read = self._library.sonicReadShortFromStream(self._stream, ctypes.c_void_p(ready.ctypes.data), len(ready))
        return ready[:read]


def _encoded(text: str) -> bytes:
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            "text_too_long", f"A clause has at most {MAX_CHARACTERS} characters, not {len(text)}.", field="text"
        )
    return _CONTROLS.sub(" ", text).encode(errors="replace")


def _marked(text: str, voice: str) -> list[str]:
    """Return a Russian text's words with a mark of stress, and what is between them; none where no word has one."""
    language = voice.split("+")[0].split("/")[-1].split("-")[0]
    if language != "ru" or "+" not in text:
        return []
    parts = stressed_words(text)
    return [part if index % 2 else part.replace("+", " ") for index, part in enumerate(parts)] if parts[1:] else []


def _read_voices(listed: Any) -> list[LibraryVoice]:
    voices: list[LibraryVoice] = []
    while pointer := listed[len(voices)]:
        voice = pointer.contents
        gender = _GENDERS.get(voice.gender)
        voices.append(
            LibraryVoice(voice.name.decode().strip(), voice.identifier.decode(), _languages(voice.languages), gender)
        )
    return voices


def _languages(codes: Any) -> tuple[str, ...]:
    """Read the library's list: for each language a byte that is not zero and its code; a zero ends it."""
    address = ctypes.cast(codes, ctypes.c_void_p).value or 0
    listed: list[str] = []
    while ctypes.string_at(address, 1) != b"\0":
        code = ctypes.string_at(address + 1)
        listed.append(code.decode().lower())
        address += len(code) + 2
    return tuple(listed)


@cache
def _library(library: str, data: str) -> EspeakLibrary:
    return EspeakLibrary(library, data)


_starting = threading.Lock()


def espeak_library() -> EspeakLibrary:
    """Return this process's library.

    Raises:
        MissingWeights: It is not installed.
    """
    try:
        import espeakng_loader  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingWeights("eSpeak NG is not on this machine: pip install espeakng-loader") from error
    with _starting:
        return _library(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
