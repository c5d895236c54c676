"""Lip-sync: pictures of a face that speaks, from a picture or clip of it and speech."""

from models.lipsync.settings import LipsyncSettings, MouthWarpSettings, Wav2LipSettings
from models.lipsync.types import (
    CONTEXT_AFTER_S,
    CONTEXT_BEFORE_S,
    FRAMES_PER_SECOND,
    Image,
    LipsyncEngine,
    Patches,
    PreparedFace,
    Shot,
    footage_index,
)

__all__ = [
    "CONTEXT_AFTER_S",
    "CONTEXT_BEFORE_S",
    "FRAMES_PER_SECOND",
    "Image",
    "LipsyncEngine",
    "LipsyncSettings",
    "MouthWarpSettings",
    "Patches",
    "PreparedFace",
    "Shot",
    "Wav2LipSettings",
    "build",
    "footage_index",
]


def build(settings: LipsyncSettings) -> LipsyncEngine:
    """Build the engine that the settings name.

    Raises:
        MissingWeights: Its weights are not on this machine; the message says how to get them.
        ValueError: The files are not what the engine takes.
    """
    match settings:
        case MouthWarpSettings():
            from models.lipsync.mouth_warp import MouthWarpEngine

            return MouthWarpEngine(settings)
        case Wav2LipSettings():
            from models.lipsync.wav2lip import Wav2LipEngine

            return Wav2LipEngine(settings)
