"""Settings of the speaker encoders."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

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


SpeakerSettings = Annotated[CompactSettings | SpectralSettings, Field(discriminator="engine")]
"""Settings of one engine, told apart by ``engine``."""
