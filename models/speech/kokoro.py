"""Kokoro-82M (https://huggingface.co/hexgrad/Kokoro-82M): a StyleTTS 2 whose voices are style vectors, on ONNX Runtime.

Each voice has a vector for each number of phonemes of what it says. Phonemes are in the alphabet of misaki
(https://github.com/hexgrad/misaki): the IPA with single letters for affricates and diphthongs.
"""

# ruff: noqa: RUF001 - phonemes
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.gpu_share import retry_once
from models.onnx_session import open_session
from models.speech.english_phonemes import english_phonemizer
from models.speech.espeak_library import espeak_library
from models.speech.marked_phonemes import marked_phonemes
from models.speech.settings import KOKORO, KokoroSettings
from models.speech.silence import trimmed
from models.speech.time_stretch import stretched
from models.speech.types import Gender, Reference, Voice
from models.weights import resolve

SAMPLE_RATE = 24_000
MODEL = "kokoro"
STYLES = (510, 1, 256)
"""Shape of a voice's file: a style vector for each number of phonemes."""

# What the network was trained for.
_MIN_SPEED, _MAX_SPEED = 0.5, 2.0
_LONGEST = STYLES[0] - 2
_END = 0
_MARK = re.compile(r"(?<=[.!?;:,…]) ")


@dataclass(frozen=True)
class _Language:
    """A language of the voices whose names begin with a letter.

    Attributes:
        codes: Its own first.
        espeak: The eSpeak NG voice that makes its phonemes; empty for English, which has its own rules.
    """

    codes: tuple[str, ...]
    espeak: str = ""


# Japanese and Chinese need rules of their own for their phonemes.
_LANGUAGES = {
    "a": _Language(("en-us", "en")),
    "b": _Language(("en-gb", "en")),
    "e": _Language(("es",), "es"),
    "f": _Language(("fr", "fr-fr"), "fr"),
    "h": _Language(("hi",), "hi"),
    "i": _Language(("it",), "it"),
    "p": _Language(("pt-br", "pt"), "pt-br"),
}
_GENDERS: Mapping[str, Gender] = {"f": "female", "m": "male"}
# The best of their languages, as the model's page grades them.
_FIRST = ("af_heart", "bf_emma")
_TIE = "^"
_LETTERS = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S", "t^s": "ʦ",
    "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
}  # fmt: skip


class KokoroEngine:
    """The voices of a folder in the languages that are read here.

    Args:
        settings: See ``KokoroSettings``.

    Raises:
        MissingWeights: The model is not on this machine, or eSpeak NG is not.
        ValueError: Its files are not what they should be.
    """

    def __init__(self, settings: KokoroSettings) -> None:
        self._settings = settings
        self._folder = resolve(settings.model, KOKORO, allow_download=settings.allow_download)
        self._symbols = _symbols(self._folder / "vocab.json")
        files = {path.stem: path for path in (self._folder / "voices").glob("*.bin")}
        names = sorted((name for name in files if _known(name)), key=lambda name: (name not in _FIRST, name))
        self._styles = {name: _styles(files[name]) for name in names}
        self._voices = tuple(map(_voice, names))
        if not names:
            raise ValueError(f"{self._folder / 'voices'} has no voice in a language that is read here")
        espeak_library()

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default of each language before its others."""
        return self._voices

    def load(self, model: str) -> "KokoroModel":
        """Load the one network of all voices.

        Raises:
            ValueError: It takes other inputs than Kokoro's.
        """
        if model != MODEL:
            raise ValueError(f"the engine kokoro has one model, {MODEL!r}, not {model!r}")
        path = next(self._folder.glob("model*.onnx"))
        return KokoroModel(path, self._symbols, self._styles, self._settings.threads)


class KokoroModel:
    """Speaks with any voice of the engine.

    Args:
        path: The network.
        symbols: The number of each phoneme.
        styles: The vectors of each voice, float32 ``STYLES``.
        threads: CPU threads of one call.
    """

    def __init__(
        self, path: Path, symbols: Mapping[str, int], styles: Mapping[str, NDArray[np.float32]], threads: int
    ) -> None:
        self._symbols = symbols
        self._styles = styles
        # Int8 weights are for CPUs.
        self._session = open_session(path, device="cpu", threads=threads)
        inputs = {entry.name for entry in self._session.get_inputs()}
        if inputs != {"tokens", "style", "speed"}:
            raise ValueError(f"{path} is no Kokoro: it takes {sorted(inputs)}, not tokens, style and speed")

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause; see ``models.speech.types.SpeechModel``."""
        own = min(max(speed, _MIN_SPEED), _MAX_SPEED)
        phonemes = "".join(sign for sign in _phonemes(clause, voice.id) if sign in self._symbols)
        pieces = (self._spoken(part, voice.id, own) for part in _parts(phonemes))
        yield from stretched(pieces, SAMPLE_RATE, speed / own)

    def _spoken(self, phonemes: str, voice: str, speed: float) -> NDArray[np.float32]:
        tokens = [_END, *(self._symbols[sign] for sign in phonemes), _END]
        inputs = {
            "tokens": np.array([tokens], np.int64),
            "style": np.array(self._styles[voice][len(phonemes) - 1]),
            "speed": np.array([speed], np.float32),
        }
        output: NDArray[np.float32] = retry_once(self._session.run, None, inputs)[0]
        return trimmed(np.clip(output.reshape(-1), -1, 1), SAMPLE_RATE)


def _known(name: str) -> bool:
    return name[:1] in _LANGUAGES and name[1:2] in _GENDERS and name[2:3] == "_"


def _voice(name: str) -> Voice:
    language = _LANGUAGES[name[0]]
    return Voice(
        id=name,
        name=name[3:].capitalize(),
        languages=language.codes,
        model=MODEL,
        sample_rate=SAMPLE_RATE,
        gender=_GENDERS[name[1]],
        engine="kokoro",
        quality="natural",
        reads_digits=bool(language.espeak),
    )


def _phonemes(clause: str, voice: str) -> str:
    if not (espeak := _LANGUAGES[voice[0]].espeak):
        return english_phonemizer(british=voice[0] == "b")(clause)
    phonemes = marked_phonemes(clause, espeak, tie=_TIE)
    for several, one in _LETTERS.items():
        phonemes = phonemes.replace(several, one)
    return phonemes.replace(_TIE, "").replace("-", "")


def _parts(phonemes: str) -> Iterator[str]:
    """Cut phonemes into parts that the network takes, after marks where that goes, else at spaces."""
    part = ""
    for piece in _MARK.split(phonemes):
        for word in [piece] if len(piece) <= _LONGEST else piece.split(" "):
            if part and len(part) + 1 + len(word) > _LONGEST:
                yield part
                part = ""
            part = f"{part} {word}" if part else word
            while len(part) > _LONGEST:
                yield part[:_LONGEST]
                part = part[_LONGEST:]
    if part.strip():
        yield part


def _symbols(path: Path) -> dict[str, int]:
    try:
        symbols = json.loads(path.read_text("utf-8"))["vocab"]
        return {str(sign): int(number) for sign, number in symbols.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not Kokoro's list of phonemes: {error!r}") from error


def _styles(path: Path) -> NDArray[np.float32]:
    """Map a voice's file into memory."""
    if path.stat().st_size != 4 * int(np.prod(STYLES)):
        raise ValueError(f"{path} is no voice of Kokoro: {STYLES} numbers of 4 bytes are expected")
    return np.memmap(path, "<f4", "r", shape=STYLES)
