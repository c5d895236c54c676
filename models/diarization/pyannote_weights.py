"""Files of pyannote's pipelines and of their component models."""

from models.errors import MissingWeights
from models.weights import Weights
from models.weights.sources import HubSource

CONFIG = "config.yaml"
CHECKPOINT = "pytorch_model.bin"
PARTS = ("segmentation", "embedding")

PIPELINE = Weights(
    files=(CONFIG,),
    more=(*(f"{part}/{CHECKPOINT}" for part in PARTS), "plda/*.npz"),
    how="accept the licence at https://huggingface.co/pyannote/speaker-diarization-community-1, set HF_TOKEN, and "
    "fetch it with: hf download pyannote/speaker-diarization-community-1 --local-dir {path}",
)
"""A pipeline's folder: with the models inside as in community-1, or naming other repositories as 3.1 does."""

MODEL = Weights(files=(CHECKPOINT,), more=())
"""One model of pyannote.audio."""

# Pipelines whose config.yaml names other repositories: those of the parts.
_ELSEWHERE = {
    "pyannote/speaker-diarization-3.1": ("pyannote/segmentation-3.0", "pyannote/wespeaker-voxceleb-resnet34-LM"),
}


def published_parts(model: str) -> tuple[str | None, str | None]:
    """Return the repositories of a pipeline's parts, as ``PARTS``; None where they are in its own folder."""
    try:
        source = PIPELINE.source(model)
    except (MissingWeights, ValueError):
        return (None, None)
    return _ELSEWHERE.get(source.repository, (None, None)) if isinstance(source, HubSource) else (None, None)
