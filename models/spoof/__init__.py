"""Voice-spoof detection: the probability that speech is synthetic."""

from models.spoof.chunks import Chunk, cut, padded
from models.spoof.settings import ClassifierSettings, CompactSettings, SpoofSettings, WavLmSettings
from models.spoof.types import CHUNK_SAMPLES, Bands, SpoofDetector, SpoofScores

__all__ = [
    "CHUNK_SAMPLES",
    "Bands",
    "Chunk",
    "ClassifierSettings",
    "CompactSettings",
    "SpoofDetector",
    "SpoofScores",
    "SpoofSettings",
    "WavLmSettings",
    "build",
    "cut",
    "padded",
]


def build(settings: SpoofSettings) -> SpoofDetector:
    """Build the engine that the settings name, its model loaded and ready.

    Raises:
        MissingWeights: The model is not on this machine; the message says how to get it.
        ValueError: The checkpoint is not what the engine takes.
    """
    match settings:
        case CompactSettings():
            from models.spoof.compact import CompactDetector

            return CompactDetector(settings)
        case WavLmSettings():
            from models.spoof.wavlm import WavLmDetector

            return WavLmDetector(settings)
        case ClassifierSettings():
            from models.spoof.classifier import ClassifierDetector

            return ClassifierDetector(settings)
