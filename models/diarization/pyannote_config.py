"""The ``config.yaml`` of pyannote's speaker diarization pipelines, read as data.

pyannote's own loader imports whatever class the file names.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VbxClustering(_Strict):
    """Clustering of community-1 (Landini et al., 2022): agglomerative, then variational Bayes over PLDA."""

    kind: Literal["VBxClustering"]
    threshold: float = Field(ge=0.0, le=2.0)
    Fa: float = Field(gt=0.0)
    Fb: float = Field(gt=0.0)


class AgglomerativeClustering(_Strict):
    """Clustering of 3.1."""

    kind: Literal["AgglomerativeClustering"]
    threshold: float = Field(ge=0.0, le=2.0)
    method: Literal["average", "centroid", "complete", "median", "single", "ward", "weighted"]
    min_cluster_size: int = Field(ge=1)


class Segmentation(_Strict):
    """Hyper-parameters of the segmentation; the threshold applies to models without a powerset."""

    min_duration_off: float = Field(default=0.0, ge=0.0)
    threshold: float | None = Field(default=None, gt=0.0, lt=1.0)


class Parts(_Strict):
    """Components of the pipeline; batch sizes, ``legacy`` and ``der_variant`` are ignored."""

    clustering: Literal["VBxClustering", "AgglomerativeClustering"]
    segmentation: str
    embedding: str
    plda: str | None = None
    segmentation_step: float = Field(default=0.1, gt=0.0, le=1.0)
    embedding_exclude_overlap: bool = False
    segmentation_batch_size: int = 1
    embedding_batch_size: int = 1
    legacy: bool = False
    der_variant: dict[str, object] | None = None


class _Pipeline(_Strict):
    name: Literal[
        "pyannote.audio.pipelines.SpeakerDiarization",
        "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
    ]
    params: Parts


class _HyperParameters(_Strict):
    clustering: dict[str, object]
    segmentation: Segmentation = Segmentation()


class _File(_Strict):
    pipeline: _Pipeline
    params: _HyperParameters
    version: str | None = None
    dependencies: dict[str, str] = Field(default_factory=dict)


class PipelineConfig(_Strict):
    """A pipeline: its parts and published hyper-parameters."""

    parts: Parts
    clustering: Annotated[VbxClustering | AgglomerativeClustering, Field(discriminator="kind")]
    segmentation: Segmentation


def read_config(file: Path) -> PipelineConfig:
    """Read the file.

    Raises:
        ValueError: It is not the configuration of a speaker diarization pipeline that this package knows.
    """
    try:
        content = _File.model_validate(yaml.safe_load(file.read_text("utf-8")))
        parts, published = content.pipeline.params, content.params
        return PipelineConfig.model_validate(
            {
                "parts": parts,
                "clustering": {**published.clustering, "kind": parts.clustering},
                "segmentation": published.segmentation,
            }
        )
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    except ValidationError as error:
        raise ValueError(f"{file} is not the configuration of a speaker diarization pipeline: {error}") from error
