"""Settings of the speaker encoders."""

from typing import Annotated, Literal

from pydantic import Field

from models.settings import Settings
from models.weights import DownloadSettings, Weights

CHECKPOINT = "embedding_model.ckpt"

COMPACT = Weights(kind="file", hub_ids=False, how="make one with: python -m training.speaker.train")
SPEECHBRAIN = Weights(files=(CHECKPOINT,), more=())
CAMPPLUS = Weights(files=("campplus_cn_en_common.pt",), more=())
WESPEAKER = Weights(files=("pytorch_model.bin|avg_model.pt",), more=())


class CompactSettings(Settings):
    """The network of this package: ONNX Runtime, no download."""

    engine: Literal["compact"] = "compact"
    model: Annotated[str, COMPACT] | None = Field(
        None, description="An encoder made by ``python -m training.speaker.train``; left out, the one that ships."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one and onnxruntime-gpu is installed."
    )
    threads: int = Field(1, ge=1, description="CPU threads that one call may use.")


class SpectralSettings(Settings):
    """Statistics of the spectrum, no network and no download."""

    engine: Literal["spectral"] = "spectral"


class _PretrainedSettings(DownloadSettings):
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")


class XvectorSettings(_PretrainedSettings):
    """SpeechBrain's x-vectors, 512 numbers: what SpeechT5 knows voices by."""

    engine: Literal["xvector"] = "xvector"
    model: Annotated[str, SPEECHBRAIN] = Field(
        default="speechbrain/spkrec-xvect-voxceleb",
        description="A model of SpeechBrain, with embedding_model.ckpt (docs/weights.md).",
    )


class EcapaSettings(_PretrainedSettings):
    """SpeechBrain's ECAPA-TDNN, 192 numbers."""

    engine: Literal["ecapa"] = "ecapa"
    model: Annotated[str, SPEECHBRAIN] = Field(
        default="speechbrain/spkrec-ecapa-voxceleb",
        description="A model of SpeechBrain, with embedding_model.ckpt (docs/weights.md).",
    )


class WespeakerSettings(_PretrainedSettings):
    """A ResNet of WeSpeaker, 256 numbers: what pyannote's diarization knows voices by."""

    engine: Literal["wespeaker"] = "wespeaker"
    model: Annotated[str, WESPEAKER] = Field(
        default="pyannote/wespeaker-voxceleb-resnet34-LM",
        description="A ResNet34, 152, 221 or 293: pyannote's pytorch_model.bin, or WeSpeaker's avg_model.pt.",
    )


class CampplusSettings(DownloadSettings):
    """3D-Speaker's CAM++, 192 numbers, on ONNX Runtime; its PyTorch file is read without PyTorch."""

    engine: Literal["campplus"] = "campplus"
    model: Annotated[str, CAMPPLUS] = Field(
        default="set://campplus", description="A folder with campplus_cn_en_common.pt (docs/weights.md)."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one and onnxruntime-gpu is installed."
    )
    threads: int = Field(1, ge=1, description="CPU threads that one call may use.")


DiarizationSpeakerSettings = Annotated[CompactSettings | SpectralSettings, Field(discriminator="engine")]
"""Settings of the engines whose thresholds for diarization have been tuned, told apart by ``engine``."""

SpeakerSettings = Annotated[
    CompactSettings | SpectralSettings | CampplusSettings | XvectorSettings | EcapaSettings | WespeakerSettings,
    Field(discriminator="engine"),
]
"""Settings of one engine, told apart by ``engine``."""
