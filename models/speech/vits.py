"""VITS (Kim et al., 2021) through ``transformers``: MMS and others, one model per language."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import VitsConfig, VitsModel

from models.errors import MissingWeights
from models.gpu_share import retry_once
from models.speech.pretrained import as_samples, load_pretrained
from models.speech.seeded import Seeded
from models.speech.settings import VITS, VitsSettings
from models.speech.types import Reference, Voice
from models.speech.vits_text import VitsText, check_tokenizer
from models.torch_device import device_of, dtype_of
from models.weights import cached, resolve

MMS = {
    "ar": "ara", "bg": "bul", "bn": "ben", "ca": "cat", "de": "deu", "el": "ell", "en": "eng", "es": "spa",
    "fa": "fas", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hu": "hun", "id": "ind", "is": "isl",
    "kk": "kaz", "ko": "kor", "ky": "kir", "lv": "lav", "mn": "mon", "nl": "nld", "pl": "pol", "pt": "por",
    "ro": "ron", "ru": "rus", "sv": "swe", "sw": "swh", "ta": "tam", "te": "tel", "th": "tha", "tr": "tur",
    "uk": "ukr", "vi": "vie",
}  # fmt: skip
"""ISO 639-3 codes of Meta's Massively Multilingual Speech: a language's model is ``facebook/mms-tts-<code>``."""

LONGEST_TOKEN_S = 2.0
"""No letter lasts longer at the voice's own speed, whatever the model predicts."""


class VitsEngine:
    """Voices of VITS checkpoints; one with several speakers has a voice for each.

    Args:
        settings: Which models, and how they speak.

    Raises:
        MissingWeights: A model that the settings name, or every one of MMS, is not on this machine.
        ValueError: There is no such device.
    """

    def __init__(self, settings: VitsSettings) -> None:
        self._settings = settings
        self._device = device_of(settings.device)
        self._folders = _folders(settings)
        for folder in self._folders.values():
            check_tokenizer(folder)
        self._voices = tuple(voice for item in self._folders.items() for voice in _voices(*item))
        self._loaded: WeakSet[VitsSpeech] = WeakSet()

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default of each language before its others."""
        return self._voices

    def load(self, model: str) -> "VitsSpeech":
        """Load the model of a language; see ``models.speech.types.SpeechEngine``."""
        loaded = VitsSpeech(self._folders[model], self._settings, self._device)
        self._loaded.add(loaded)
        # They may have changed meanwhile.
        loaded.adjust(self._settings)
        return loaded

    def adjust(self, settings: VitsSettings) -> None:
        """Speak with another seed and other noise, with the models that are loaded too."""
        self._settings = settings
        for model in list(self._loaded):
            model.adjust(settings)


class VitsSpeech:
    """One checkpoint; see ``models.speech.types.SpeechModel``.

    The same clause sounds the same every time: all that is random follows from the seed.

    Raises:
        ValueError: The weights don't fit the configuration.
    """

    def __init__(self, folder: Path, settings: VitsSettings, device: torch.device) -> None:
        self._device = device
        self._text = VitsText(folder)
        self._model = load_pretrained(VitsModel, folder, device, dtype_of(settings.precision, device))
        # Only training needs it, and it is a fifth of the weights.
        del self._model.posterior_encoder
        _make_durations_safe(self._model)
        self.adjust(settings)

    def adjust(self, settings: VitsSettings) -> None:
        """Take another seed and other noise."""
        own: Any = self._model.config
        self._seed = settings.seed
        self._model.noise_scale = own.noise_scale if settings.noise_scale is None else settings.noise_scale
        duration = settings.noise_scale_duration
        self._model.noise_scale_duration = own.noise_scale_duration if duration is None else duration

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause, in one piece; see ``models.speech.types.SpeechModel``.

        Raises:
            InputError: The model knows none of the clause's letters (``unspeakable``).
            FloatingPointError: The model left the range of its precision.
        """
        tokens = self._text.tokens(clause)
        if tokens:
            yield retry_once(self._speak, tokens, _speaker(voice), speed)

    def _speak(self, tokens: list[int], speaker: int, speed: float) -> NDArray[np.float32]:
        model: Any = self._model
        with torch.inference_mode(), Seeded(self._seed, self._device):
            spoken = model(
                torch.tensor([tokens], device=self._device),
                speaker_id=speaker,
                speaking_rate=model.config.speaking_rate * speed,
            )
        return as_samples(spoken.waveform)


def _make_durations_safe(model: Any) -> None:
    """Bound the durations and count them in float32: half precision breaks the splines and loses frames."""
    config = model.config
    longest = math.log(LONGEST_TOKEN_S * config.sampling_rate / math.prod(config.upsample_rates))

    def widened(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(arg.float() if isinstance(arg, torch.Tensor) else arg for arg in args), kwargs

    predictor = model.duration_predictor.float()
    predictor.register_forward_pre_hook(widened, with_kwargs=True)
    predictor.register_forward_hook(lambda _module, _args, output: output.clamp(max=longest))


def _folders(settings: VitsSettings) -> dict[str, Path]:
    if settings.models:
        return {
            language: resolve(model, VITS, allow_download=settings.allow_download)
            for language, model in settings.models.items()
        }
    found = {language: cached(f"hf://facebook/mms-tts-{name}", VITS) for language, name in MMS.items()}
    folders = {language: folder for language, folder in found.items() if folder is not None}
    if not folders:
        raise MissingWeights(
            "no voice of MMS is on this machine; name some by language in `models`, such as `en: "
            "facebook/mms-tts-eng`, and fetch them with: python -m models.weights pull serve_config.yaml"
        )
    return folders


def _voices(language: str, folder: Path) -> Iterator[Voice]:
    config: Any = VitsConfig.from_pretrained(str(folder), local_files_only=True)
    for speaker in range(config.num_speakers):
        several = config.num_speakers > 1
        yield Voice(
            id=f"vits-{language}-{speaker}" if several else f"vits-{language}",
            name=f"VITS {language}, speaker {speaker}" if several else f"VITS {language}",
            languages=(language,),
            model=language,
            sample_rate=config.sampling_rate,
            engine="vits",
        )


def _speaker(voice: Voice) -> int:
    number = voice.id.removeprefix(f"vits-{voice.model}").lstrip("-")
    return int(number or 0)
