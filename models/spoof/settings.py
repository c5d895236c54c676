"""Settings of the voice-spoof detectors."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.settings import Settings


class _SpoofSettings(Settings):
    bona_fide_below: float = Field(
        default=0.3, ge=0, le=1, description="P(spoof) below which a voice is taken for real (contracts A-85)."
    )
    spoof_from: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="P(spoof) from which a voice is taken for synthetic; between, inconclusive.",
    )

    @model_validator(mode="after")
    def _bands_in_order(self) -> Self:
        if self.bona_fide_below > self.spoof_from:
            raise ValueError("bona_fide_below must not be above spoof_from")
        return self


class CompactSettings(_SpoofSettings):
    """The network of this package: under 2 MB, ONNX Runtime, no download."""

    engine: Literal["compact"] = "compact"
    model: Path | None = Field(
        default=None, description="A checkpoint of ``python -m models.spoof.train``; left out, the one that ships."
    )
    threads: int = Field(default=0, ge=0, description="Threads of one call; 0 for as many as there are cores.")


class WavLmSettings(_SpoofSettings):
    """WavLM with RealTone's head (contracts A-01 to A-11)."""

    engine: Literal["wavlm"] = "wavlm"
    checkpoint: Path = Field(description="A state dict, bare or under ``model_state_dict``, or a SafeTensors file.")
    backbone: Path | None = Field(
        default=None,
        description="Folder with the backbone's config.json; left out, microsoft/wavlm-base's configuration.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", description="auto: float16 on a GPU, float32 on a CPU."
    )


class ClassifierSettings(_SpoofSettings):
    """Any ``AutoModelForAudioClassification`` of a model hub."""

    engine: Literal["classifier"] = "classifier"
    model: Path = Field(description="Folder of the checkpoint, with config.json and preprocessor_config.json.")
    spoof_labels: tuple[str, ...] = Field(
        default=(), description="Labels that mean a synthetic voice; left out, found by their names."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", description="auto: float16 on a GPU, float32 on a CPU."
    )


SpoofSettings = Annotated[CompactSettings | WavLmSettings | ClassifierSettings, Field(discriminator="engine")]
"""Settings of one engine, told apart by ``engine``."""
