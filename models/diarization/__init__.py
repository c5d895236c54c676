"""Speaker diarization: who spoke when."""

from models.diarization.settings import ClusteringSettings, DiarizationSettings
from models.diarization.types import Diarizer, SpeakerTurn

__all__ = ["ClusteringSettings", "DiarizationSettings", "Diarizer", "SpeakerTurn", "build"]


def build(settings: DiarizationSettings) -> Diarizer:
    """Build the diarizer that the settings name.

    Raises:
        MissingWeights: Its weights are not on this machine.
    """
    from models.diarization.clustering import ClusteringDiarizer

    return ClusteringDiarizer(settings)
