"""Speaker diarization: the turns of each speaker in a recording."""

from models.diarization.settings import ClusteringSettings, DiarizationSettings, PyannoteSettings, SegmentationSettings
from models.diarization.types import Diarizer, SpeakerTurn

__all__ = [
    "ClusteringSettings",
    "DiarizationSettings",
    "Diarizer",
    "PyannoteSettings",
    "SegmentationSettings",
    "SpeakerTurn",
    "build",
]


def build(settings: DiarizationSettings) -> Diarizer:
    """Build the diarizer that the settings name.

    Raises:
        MissingWeights: Its weights are not on this machine.
        ValueError: They are not what the engine needs, or the settings don't fit them.
    """
    match settings:
        case ClusteringSettings():
            from models.diarization.clustering import ClusteringDiarizer

            return ClusteringDiarizer(settings)
        case SegmentationSettings():
            from models.diarization.segmentation_engine import SegmentationDiarizer

            return SegmentationDiarizer(settings)
        case PyannoteSettings():
            from models.diarization.pyannote_engine import PyannoteDiarizer

            return PyannoteDiarizer(settings)
