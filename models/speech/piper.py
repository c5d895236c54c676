"""Piper voices: VITS on phonemes of eSpeak NG, as ONNX files."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingWeights
from models.gpu_share import retry_once
from models.onnx_session import open_session
from models.speech.espeak_library import espeak_library
from models.speech.marked_phonemes import marked_phonemes
from models.speech.normalisation import normalise
from models.speech.piper_voice import PiperVoice, read_voice
from models.speech.settings import PIPER, PiperSettings
from models.speech.types import Gender, Reference, Voice
from models.weights import resolve

_HOW = (
    "Put <name>.onnx and <name>.onnx.json of voices into it, for instance from "
    "https://huggingface.co/rhasspy/piper-voices."
)


# Descriptions don't say it; of published voices, by their data set.
_GENDERS: Mapping[str, Gender] = {
    **dict.fromkeys(("amy", "irina", "jenny_dioco", "kathleen", "kristin", "lessac", "ljspeech", "siwis"), "female"),
    **dict.fromkeys(("alan", "danny", "denis", "dmitri", "joe", "john", "norman", "ruslan", "ryan"), "male"),
}


class PiperEngine:
    """The voices of a folder.

    Args:
        settings: See ``PiperSettings``.

    Raises:
        MissingWeights: The folder holds no voice, or lacks a default.
        ValueError: A voice's description can't be read.
    """

    def __init__(self, settings: PiperSettings) -> None:
        self._settings = settings
        self._folder = resolve(settings.folder, PIPER, allow_download=settings.allow_download)
        self._described = _described(self._folder)
        self._speakers: dict[str, int | None] = {}
        self._all = [voice for name in sorted(self._described) for voice in self._voices_of(name)]
        self._voices = self._ordered(settings.defaults)

    def adjust(self, settings: PiperSettings) -> None:
        """Take other default voices.

        Raises:
            MissingWeights: The folder lacks one of them.
        """
        self._voices = self._ordered(settings.defaults)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default of each language before its others."""
        return self._voices

    def load(self, model: str) -> "PiperModel":
        """Load the ONNX file of a voice.

        Raises:
            MissingWeights: It is not there.
            ValueError: It is not a Piper voice.
        """
        path = self._folder / f"{model}.onnx"
        if model not in self._described or not path.is_file():
            raise MissingWeights(f"{self._folder} has no Piper voice {model!r}. {_HOW}")
        return PiperModel(path, self._described[model], self._speakers, self._settings)

    def _ordered(self, defaults: Sequence[str]) -> tuple[Voice, ...]:
        if missing := set(defaults) - {voice.id for voice in self._all}:
            raise MissingWeights(f"{self._folder} has no Piper voice {min(missing)!r}. {_HOW}")
        first = {identifier: place for place, identifier in enumerate(defaults)}
        return tuple(sorted(self._all, key=lambda voice: first.get(voice.id, len(first))))

    def _voices_of(self, model: str) -> Iterator[Voice]:
        described = self._described[model]
        for speaker, number in described.speakers.items():
            identifier = f"{model}-{speaker}" if speaker else model
            self._speakers[identifier] = number
            named = " ".join(filter(None, (described.dataset or model, speaker)))
            yield Voice(
                id=identifier,
                name=named,
                languages=described.languages,
                model=model,
                sample_rate=described.audio.sample_rate,
                gender=_GENDERS.get(described.dataset) if not speaker else None,
                engine="piper",
                reads_digits=True,
                stress_marks=described.phoneme_type == "espeak",
            )


class PiperModel:
    """One ONNX file, which may hold several speakers.

    Args:
        path: The file.
        voice: Its description.
        speakers: The number of each voice's speaker; None for a file with one speaker.
        settings: Where a clause is computed, and in how many threads.
    """

    def __init__(self, path: Path, voice: PiperVoice, speakers: dict[str, int | None], settings: PiperSettings) -> None:
        self._voice = voice
        self._speakers = speakers
        self._session = open_session(path, device=settings.device, threads=settings.threads)
        inputs = {entry.name for entry in self._session.get_inputs()}
        expected = {"input", "input_lengths", "scales"} | ({"sid"} if voice.num_speakers > 1 else set())
        if inputs != expected:
            raise ValueError(f"{path} is no Piper voice: it takes {sorted(inputs)}, not {sorted(expected)}")
        if voice.phoneme_type == "espeak" and not espeak_library().has(voice.espeak.voice):
            raise ValueError(f"{path} needs the voice {voice.espeak.voice!r}, which eSpeak NG does not have")

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause; see ``models.speech.types.SpeechModel``."""
        ids = np.array([self._voice.ids(self._phonemes(clause, language))], np.int64)
        inference = self._voice.inference
        inputs = {
            "input": ids,
            "input_lengths": np.array([ids.shape[1]], np.int64),
            "scales": np.array([inference.noise_scale, inference.length_scale / speed, inference.noise_w], np.float32),
        }
        speaker = self._speakers[voice.id]
        if speaker is not None:
            inputs["sid"] = np.array([speaker], np.int64)
        output: NDArray[np.float32] = retry_once(self._session.run, None, inputs)[0]
        yield np.clip(output.reshape(-1), -1.0, 1.0)

    def _phonemes(self, clause: str, language: str) -> str:
        """Return the clause's phonemes, decomposed, its marks in their places."""
        if self._voice.phoneme_type == "text":
            return unicodedata.normalize("NFD", normalise(clause, language, spell_numbers=True).casefold())
        return unicodedata.normalize("NFD", marked_phonemes(clause, self._voice.espeak.voice))


def _described(folder: Path) -> dict[str, PiperVoice]:
    described = {
        path.name.removesuffix(".onnx.json"): read_voice(path)
        for path in sorted(folder.glob("*.onnx.json"))
        if path.with_suffix("").is_file()
    }
    if not described:
        raise MissingWeights(f"The folder {folder} holds no Piper voice. {_HOW}")
    return described
