"""Hibari: English speech by small networks distilled from Kokoro-82M (https://github.com/MMWilliams/hibari)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingWeights
from models.onnx_session import open_session
from models.speech.english_phonemes import english_phonemizer
from models.speech.settings import HibariSettings
from models.speech.silence import trimmed
from models.speech.time_stretch import stretched
from models.speech.types import Gender, Reference, Voice

# What the network was trained for; durations beyond come out wrong.
_MIN_SPEED, _MAX_SPEED = 0.5, 2.0


class HibariEngine:
    """The voices of the library that are on this machine: the one in its wheel, and others in its cache.

    The library would download the others when they are first used; here they are left out instead.

    Args:
        settings: See ``HibariSettings``.

    Raises:
        MissingWeights: The library is not installed.
    """

    def __init__(self, settings: HibariSettings) -> None:
        self._settings = settings
        self._library = _library()
        self._paths = dict(_on_disk(self._library))
        self._voices = tuple(self._voice(name) for name in self._paths)

    def adjust(self, settings: HibariSettings) -> None:
        """Take another seed."""
        self._settings = settings

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default of each language before its others."""
        return self._voices

    @property
    def seed(self) -> int:
        """Where the noise in the speech comes from."""
        return self._settings.seed

    def load(self, model: str) -> "HibariModel":
        """Load a voice's network, and what reads its kind of English.

        Raises:
            MissingWeights: It is not on this machine.
        """
        if model not in self._paths:
            raise MissingWeights(f"the voice {model!r} of hibari is not on this machine")
        path, threads = self._paths[model], self._settings.threads
        phonemizer = english_phonemizer(british=bool(self._library.voices.VOICES[model]["british"]))
        loaded = self._library.Hibari(model, model=str(path), threads=threads, g2p=phonemizer)
        if threads > 1:
            # The library's own session lets its threads spin.
            loaded.sess = open_session(path, device="cpu", threads=threads)
        return HibariModel(self, loaded)

    def _voice(self, name: str) -> Voice:
        facts = self._library.voices.VOICES[name]
        return Voice(
            id=name,
            name=name.capitalize(),
            languages=(facts["language"].lower(), "en"),
            model=name,
            sample_rate=self._library.SAMPLE_RATE,
            gender=cast(Gender, facts["gender"]),
            engine="hibari",
            quality="natural",
        )


class HibariModel:
    """One voice. Safe to call from several threads at once: so are its session and its phonemizer.

    Args:
        engine: Whose seed counts.
        synthesiser: The library's ``Hibari``.
    """

    def __init__(self, engine: HibariEngine, synthesiser: Any) -> None:
        self._engine = engine
        self._synthesiser = synthesiser

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause; see ``models.speech.types.SpeechModel``."""
        phonemes: list[str] = self._synthesiser.phonemize(clause)
        own = min(max(speed, _MIN_SPEED), _MAX_SPEED)
        yield from stretched(self._pieces(phonemes, own, voice.sample_rate), voice.sample_rate, speed / own)

    def _pieces(self, phonemes: list[str], speed: float, sample_rate: int) -> Iterator[NDArray[np.float32]]:
        for part in phonemes:
            samples = self._synthesiser.from_phonemes(part, speed, self._engine.seed)
            yield trimmed(np.clip(samples, -1, 1), sample_rate)


def _library() -> Any:
    try:
        import hibari  # type: ignore[import-untyped]
        import hibari.voices  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingWeights("hibari is not on this machine: pip install hibari-tts") from error
    return hibari


def _on_disk(library: Any) -> Iterator[tuple[str, Path]]:
    for name in library.voices.VOICES:
        try:
            yield name, Path(library.voices.voice_path(name, download_missing=False))
        except FileNotFoundError:
            continue
