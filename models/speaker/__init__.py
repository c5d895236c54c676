"""Speaker encoders: embeddings of voices."""

from models.speaker.settings import (
    CampplusSettings,
    CompactSettings,
    DiarizationSpeakerSettings,
    EcapaSettings,
    SpeakerSettings,
    SpectralSettings,
    WespeakerSettings,
    XvectorSettings,
)
from models.speaker.types import SHORTEST_WINDOW, SpeakerEncoder

__all__ = [
    "SHORTEST_WINDOW",
    "CampplusSettings",
    "CompactSettings",
    "DiarizationSpeakerSettings",
    "EcapaSettings",
    "SpeakerEncoder",
    "SpeakerSettings",
    "SpectralSettings",
    "WespeakerSettings",
    "XvectorSettings",
    "build",
]


def build(settings: SpeakerSettings) -> SpeakerEncoder:
    """Build the encoder that the settings name, its model loaded and ready.

    Raises:
        MissingWeights: There is no file where the settings say; the message says how to get one.
        ValueError: The file is no encoder.
    """
    match settings:
        case CompactSettings():
            from models.speaker.compact import CompactEncoder

            return CompactEncoder(settings)
        case SpectralSettings():
            from models.speaker.spectral import SpectralEncoder

            return SpectralEncoder()
        case CampplusSettings():
            from models.speaker.campplus import CampplusEncoder

            return CampplusEncoder(settings)
        case XvectorSettings() | EcapaSettings():
            from models.speaker.speechbrain import SpeechBrainEncoder

            return SpeechBrainEncoder(settings)
        case WespeakerSettings():
            from models.speaker.wespeaker import WespeakerEncoder

            return WespeakerEncoder(settings)
