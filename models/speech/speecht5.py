"""SpeechT5 (Ao et al., 2022) through ``transformers``: speech that sounds like a reference speaker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    SpeechT5Config,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    SpeechT5Tokenizer,
)

from models.errors import InputError
from models.gpu_share import retry_once
from models.speaker import build as build_encoder
from models.speech.pretrained import as_samples, load_pretrained
from models.speech.seeded import Seeded
from models.speech.settings import EMBEDDING, SPEECHT5, VOCODER, SpeechT5Settings
from models.speech.speecht5_speaker import Speakers, read_embedding
from models.speech.types import Reference, Voice
from models.torch_device import device_of, dtype_of
from models.weights import resolve

MODEL = "speecht5"

_SHOWN_CHARACTERS = 40


class SpeechT5Engine:
    """One voice, which takes on the sound of a reference speaker.

    Args:
        settings: The checkpoints, and how they speak.

    Raises:
        MissingWeights: A checkpoint, the speaker encoder or the default embedding is not on this machine.
        ValueError: The default embedding or the encoder is of another kind, or there is no such device.
    """

    def __init__(self, settings: SpeechT5Settings) -> None:
        self._settings = settings
        self._device = device_of(settings.device)
        self._folder = resolve(settings.model, SPEECHT5, allow_download=settings.allow_download)
        self._vocoder = resolve(settings.vocoder, VOCODER, allow_download=settings.allow_download)
        self._speakers = _speakers(settings, _config(SpeechT5Config, self._folder).speaker_embedding_dim)
        rate = _config(SpeechT5HifiGanConfig, self._vocoder).sampling_rate
        self._voice = Voice(MODEL, "SpeechT5", (settings.language,), MODEL, rate, clones=True, engine="speecht5")
        self._loaded: WeakSet[SpeechT5Speech] = WeakSet()

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The engine's only voice."""
        return (self._voice,)

    def load(self, model: str) -> "SpeechT5Speech":
        """Load the model; see ``models.speech.types.SpeechEngine``."""
        loaded = SpeechT5Speech(self._folder, self._vocoder, self._speakers, self._settings, self._device)
        self._loaded.add(loaded)
        # They may have changed meanwhile.
        loaded.adjust(self._settings)
        return loaded

    def adjust(self, settings: SpeechT5Settings) -> None:
        """Take another seed and another stop threshold, for the loaded model too."""
        self._settings = settings
        for model in list(self._loaded):
            model.adjust(settings)


class SpeechT5Speech:
    """The model and its vocoder; see ``models.speech.types.SpeechModel``.

    The same clause in the same voice sounds the same every time: all that is random follows from the seed. A speed
    other than 1 stretches the spectrogram, which leaves the pitch alone.

    Raises:
        ValueError: The weights don't fit the configuration.
    """

    def __init__(
        self, folder: Path, vocoder: Path, speakers: Speakers, settings: SpeechT5Settings, device: torch.device
    ) -> None:
        self._settings = settings
        self._device = device
        self._dtype = dtype_of(settings.precision, device)
        factory: Any = SpeechT5Tokenizer  # untyped in the library
        self._tokenizer = factory.from_pretrained(str(folder), local_files_only=True)
        self._model = load_pretrained(SpeechT5ForTextToSpeech, folder, device, self._dtype)
        self._vocoder = load_pretrained(SpeechT5HifiGan, vocoder, device, self._dtype)
        self._speakers = speakers

    def adjust(self, settings: SpeechT5Settings) -> None:
        """Take another seed and another stop threshold."""
        self._settings = settings

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause, in one piece; see ``models.speech.types.SpeechModel``.

        Raises:
            InputError: There is no usable reference (see ``Speakers.embedding``), the model knows none of the clause's
                letters (``unspeakable``), or the clause is too long (``text_too_long``).
            FloatingPointError: The model left the range of its precision.
        """
        speaker = self._speakers.embedding(reference)
        tokens = self._tokens(clause)
        if tokens:
            yield retry_once(self._speak, tokens, speaker, speed)

    def _tokens(self, clause: str) -> list[int]:
        """Return the tokens; none where the clause has nothing but marks."""
        tokens: list[int] = self._tokenizer(clause).input_ids
        limit = self._model.config.max_text_positions
        if len(tokens) > limit:
            raise InputError("text_too_long", f"A clause has at most {limit} letters, not {len(tokens)}.", field="text")
        known = self._tokenizer.convert_ids_to_tokens([t for t in tokens if t != self._tokenizer.unk_token_id])
        special = set(self._tokenizer.all_special_tokens)
        if any(token not in special and any(map(str.isalnum, token)) for token in known):
            return tokens
        if any(map(str.isalnum, clause)):
            shown = clause[:_SHOWN_CHARACTERS]
            raise InputError("unspeakable", f"The voice knows none of the letters of {shown!r}.", field="text")
        return []

    def _speak(self, tokens: list[int], speaker: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
        config, settings = self._model.config, self._settings
        # The decoder counts its positions: more steps than it has numbers for would be an error.
        most = (config.max_speech_positions - 1) * config.reduction_factor / len(tokens)
        with torch.inference_mode(), Seeded(settings.seed, self._device):
            spectrogram = self._model.generate_speech(
                torch.tensor([tokens], device=self._device),
                torch.tensor(speaker[None], device=self._device, dtype=self._dtype),
                threshold=settings.stop_threshold,
                maxlenratio=min(settings.max_length_ratio, most),
            )
            return as_samples(self._vocoder(_stretched(spectrogram, speed)))


def _stretched(spectrogram: torch.Tensor, speed: float) -> torch.Tensor:
    """Map float32[frames, mels] to 1 / speed times as many frames."""
    if speed == 1.0:
        return spectrogram
    frames = max(1, round(spectrogram.shape[0] / speed))
    bands = spectrogram.T[None]
    return torch.nn.functional.interpolate(bands, size=frames, mode="linear", align_corners=False)[0].T


def _speakers(settings: SpeechT5Settings, dimension: int) -> Speakers:
    encoder = build_encoder(settings.encoder)
    if encoder.dimension != dimension:
        raise ValueError(
            f"SpeechT5 in {settings.model} takes x-vectors of {dimension} numbers, and those of the speaker encoder in "
            f"`encoder` have {encoder.dimension}"
        )
    name = settings.default_embedding
    if name is None:
        return Speakers(encoder)
    file = resolve(name, EMBEDDING, allow_download=settings.allow_download)
    return Speakers(encoder, read_embedding(file, dimension))


def _config(kind: Any, folder: Path) -> Any:
    return kind.from_pretrained(str(folder), local_files_only=True)
