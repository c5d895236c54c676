"""Settings of the speaker encoders."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from models.hub import HubSettings
from models.settings import Settings


class CompactSettings(Settings):
    """The network of this package: ONNX Runtime, no download."""

    engine: Literal["compact"] = "compact"
    model: Path | None = Field(
        None, description="An encoder made by ``python -m models.speaker.train``; left out, the one that ships."
    )
    threads: int = Field(1, ge=1, description="CPU threads that one call may use.")


class SpectralSettings(Settings):
    """Statistics of the spectrum, no network and no download."""

    engine: Literal["spectral"] = "spectral"


class _PretrainedSettings(HubSettings):
    revision: str | None = Field(
        default=None, description="Commit, tag or branch of the model on the Hub; left out, its main branch."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU where there is one.")


class XvectorSettings(_PretrainedSettings):
    """SpeechBrain's x-vectors, 512 numbers: what SpeechT5 knows voices by."""

    engine: Literal["xvector"] = "xvector"
    model: str = Field(
        default="speechbrain/spkrec-xvect-voxceleb",
        min_length=1,
        description="Folder with embedding_model.ckpt, or the id of such a model on the Hugging Face Hub.",
    )


class EcapaSettings(_PretrainedSettings):
    """SpeechBrain's ECAPA-TDNN, 192 numbers."""

    engine: Literal["ecapa"] = "ecapa"
    model: str = Field(
        default="speechbrain/spkrec-ecapa-voxceleb",
        min_length=1,
        description="Folder with embedding_model.ckpt, or the id of such a model on the Hugging Face Hub.",
    )


DiarizationSpeakerSettings = Annotated[CompactSettings | SpectralSettings, Field(discriminator="engine")]
"""Settings of the engines whose thresholds for diarization have been tuned, told apart by ``engine``."""

SpeakerSettings = Annotated[
    CompactSettings | SpectralSettings | XvectorSettings | EcapaSettings, Field(discriminator="engine")
]
"""Settings of one engine, told apart by ``engine``."""
