"""Speaker encoders: who a voice belongs to, as a vector."""

from models.speaker.settings import SpeakerSettings, SpectralSettings
from models.speaker.types import SpeakerEncoder

__all__ = ["SpeakerEncoder", "SpeakerSettings", "SpectralSettings", "build"]


def build(settings: SpeakerSettings) -> SpeakerEncoder:
    """Build the encoder that the settings name."""
    from models.speaker.spectral import SpectralEncoder

    return SpectralEncoder()
