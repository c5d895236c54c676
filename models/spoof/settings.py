"""Settings of the voice-spoof detectors."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.settings import LIVE, Settings
from models.weights import DownloadSettings, Weights

COMPACT = Weights(
    kind="file",
    hub_ids=False,
    how="make a checkpoint with `python -m training.spoof.train`, or leave `model` out for the one that ships",
)
WAVLM = Weights(
    kind="file",
    hub_ids=False,
    how="train one with: python -m training.spoof.train --engine wavlm --real DIR --fake DIR --backbone DIR --out DIR, "
    "or copy RealTone's chk3.pth there",
)
BACKBONE = Weights(
    files=("config.json",),
    more=(),
    how="fetch it with: hf download microsoft/wavlm-base config.json --local-dir {path}",
)
CLASSIFIER = Weights(files=("config.json", "preprocessor_config.json", "*.safetensors|pytorch_model*.bin"))


class _SpoofSettings(Settings):
    bona_fide_below: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="P(spoof) below which a voice is taken for real.",
        json_schema_extra=LIVE,
    )
    spoof_from: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="P(spoof) from which a voice is taken for synthetic; between, inconclusive.",
        json_schema_extra=LIVE,
    )

    @model_validator(mode="after")
    def _bands_in_order(self) -> Self:
        if self.bona_fide_below > self.spoof_from:
            raise ValueError("bona_fide_below must not be above spoof_from")
        return self


class CompactSettings(_SpoofSettings):
    """The network of this package: under 2 MB, ONNX Runtime, no download."""

    engine: Literal["compact"] = "compact"
    model: Annotated[str, COMPACT] | None = Field(
        default=None, description="A checkpoint of ``python -m training.spoof.train``; left out, the one that ships."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: a GPU where there is one and onnxruntime-gpu is installed."
    )
    threads: int = Field(default=0, ge=0, description="Threads of one call; 0 for as many as there are cores.")


class WavLmSettings(_SpoofSettings, DownloadSettings):
    """WavLM with RealTone's head."""

    engine: Literal["wavlm"] = "wavlm"
    checkpoint: Annotated[str, WAVLM] = Field(
        description="File with a state dict, bare or under ``model_state_dict``, or of SafeTensors (docs/weights.md)."
    )
    backbone: Annotated[str, BACKBONE] | None = Field(
        default=None,
        description="The backbone, for its config.json; left out, microsoft/wavlm-base's configuration.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", description="auto: float16 on a GPU, float32 on a CPU."
    )


class ClassifierSettings(_SpoofSettings, DownloadSettings):
    """Any ``AutoModelForAudioClassification`` of a model hub."""

    engine: Literal["classifier"] = "classifier"
    model: Annotated[str, CLASSIFIER] = Field(
        description="The checkpoint, with config.json and preprocessor_config.json (docs/weights.md)."
    )
    spoof_labels: tuple[str, ...] = Field(
        default=(), description="Labels that mean a synthetic voice; left out, found by their names."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", description="auto: float16 on a GPU, float32 on a CPU."
    )


SpoofSettings = Annotated[CompactSettings | WavLmSettings | ClassifierSettings, Field(discriminator="engine")]
"""Settings of one engine, told apart by ``engine``."""
