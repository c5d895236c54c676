"""A Piper voice's description: the JSON file that lies beside its ONNX file.

The format is that of https://github.com/rhasspy/piper (TRAINING.md) and of the voices at
https://huggingface.co/rhasspy/piper-voices.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PAD, BEGIN, END = "_", "^", "$"
_MAX_BYTES = 1_000_000


class _Part(BaseModel):
    # The files hold more than is needed to speak.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Audio(_Part):
    """Of the speech."""

    sample_rate: int = Field(ge=8_000, le=48_000)


class Espeak(_Part):
    """The eSpeak NG voice that makes the phonemes."""

    voice: str = Field(pattern=r"^[A-Za-z0-9-]{1,40}$")


class Inference(_Part):
    """Default inference parameters of the model."""

    noise_scale: float = Field(default=0.667, ge=0, le=2)
    length_scale: float = Field(default=1.0, gt=0, le=10)
    noise_w: float = Field(default=0.8, ge=0, le=2)


class Language(_Part):
    """Of the voice; ``code`` is like ``en_US``."""

    code: str = Field(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]+)*$")


class PiperVoice(_Part):
    """A voice's description."""

    audio: Audio
    espeak: Espeak
    inference: Inference = Inference()
    language: Language | None = None
    dataset: str = Field(default="", max_length=200)
    phoneme_type: Literal["espeak", "text"] = "espeak"
    phoneme_id_map: dict[str, tuple[int, ...]]
    num_speakers: int = Field(default=1, ge=1)
    speaker_id_map: dict[str, int] = {}

    @model_validator(mode="after")
    def _check(self) -> "PiperVoice":
        if missing := [sign for sign in (PAD, BEGIN, END) if not self.phoneme_id_map.get(sign)]:
            raise ValueError(f"phoneme_id_map lacks {missing[0]!r}")
        if any(not 0 <= speaker < self.num_speakers for speaker in self.speaker_id_map.values()):
            raise ValueError("speaker_id_map names a speaker that the model does not have")
        return self

    @property
    def languages(self) -> tuple[str, ...]:
        """Its language's codes, the exact one first."""
        code = (self.language.code if self.language else self.espeak.voice).lower().replace("_", "-")
        base = code.split("-")[0]
        return tuple(dict.fromkeys((code, "zh" if base == "cmn" else base)))

    @property
    def speakers(self) -> dict[str, int | None]:
        """The numbers of its speakers by their names; one without a name or a number where there is only one."""
        if self.num_speakers == 1:
            return {"": None}
        return dict(self.speaker_id_map) or {str(number): number for number in range(self.num_speakers)}

    def ids(self, phonemes: str) -> list[int]:
        """Map phonemes to what the model takes, a pad after each; those that it does not know are left out."""
        pad = self.phoneme_id_map[PAD]
        ids = [*self.phoneme_id_map[BEGIN], *pad]
        for phoneme in phonemes:
            if phoneme in self.phoneme_id_map and phoneme not in (PAD, BEGIN, END):
                ids += [*self.phoneme_id_map[phoneme], *pad]
        return [*ids, *self.phoneme_id_map[END]]


def read_voice(path: Path) -> PiperVoice:
    """Read a description.

    Raises:
        ValueError: The file is not one.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"{path} has more than {_MAX_BYTES} bytes: it can't describe a Piper voice")
    try:
        return PiperVoice.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} does not describe a Piper voice: {error}") from error
