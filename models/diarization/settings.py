"""Settings of the diarizers."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.diarization.pyannote_weights import MODEL, PARTS, PIPELINE, published_parts
from models.diarization.thresholds import TUNED, Thresholds
from models.settings import LIVE, Settings
from models.speaker import CampplusSettings, CompactSettings, DiarizationSpeakerSettings
from models.vad import VadSettings
from models.weights import DownloadSettings, Weights


class SpeechSettings(VadSettings):
    """Finds the speech to diarize, across a room too."""

    far_onset: float | None = Field(
        0.1, gt=0.0, lt=1.0, description="The onset for recordings in which the detector is seldom sure."
    )
    far_offset: float | None = Field(0.05, gt=0.0, lt=1.0, description="The offset for such recordings.")


class ClusteringSettings(Settings):
    """Voice activity detection, speaker embeddings and clustering; no download. Times in seconds."""

    engine: Literal["clustering"] = "clustering"
    vad: SpeechSettings = Field(SpeechSettings(), description="When sound counts as speech.")
    speaker: DiarizationSpeakerSettings = Field(CompactSettings(), description="What tells voices apart.")
    window: float = Field(1.5, ge=0.4, description="Length of speech that one embedding stands for.")
    hop: float = Field(0.75, ge=0.1, description="From the start of one window to the start of the next.")
    similarity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="Windows of a smaller mean cosine similarity start as two groups; left out, as tuned.",
    )
    merge_similarity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="Groups whose centroids are more alike are one speaker; left out, as tuned.",
    )
    far_merge_similarity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="The same for recordings in which the voice detector is seldom sure; left out, as tuned.",
    )
    min_speaker_time: float = Field(
        2.5, ge=0.0, description="A voice heard for less is taken for one of the others where there are any."
    )
    min_speaker_share: float = Field(
        0.05,
        ge=0.0,
        lt=1.0,
        description="The same, as a share of all speech: long recordings gather odd windows that are nobody.",
    )
    change_cost: float | None = Field(
        None,
        ge=0.0,
        description="Evidence that a change of speaker takes, similarity times seconds; left out, as tuned.",
    )
    pause_cost: float | None = Field(
        None, ge=0.0, description="The same where the change falls into a pause; left out, as tuned."
    )
    merge_gap: float = Field(0.3, ge=0.0, description="A speaker's turns closer than this are one.")
    min_turn: float = Field(0.2, ge=0.0, description="Turns shorter than this are dropped.")

    @property
    def thresholds(self) -> Thresholds:
        """Thresholds in force: those set here, and the encoder's tuned values for the others."""
        tuned = TUNED[self.speaker.engine]
        chosen = {field.name: getattr(self, field.name) for field in fields(Thresholds)}
        return replace(tuned, **{name: value for name, value in chosen.items() if value is not None})

    @model_validator(mode="after")
    def _windows_leave_no_hole(self) -> Self:
        if self.hop > self.window:
            raise ValueError("hop must not be longer than window: speech between windows would belong to nobody")
        return self


class SegmentationSettings(DownloadSettings):
    """Segmentation with overlap, speaker embeddings and clustering on ONNX Runtime. Times in seconds."""

    engine: Literal["segmentation"] = "segmentation"
    model: Annotated[str, MODEL] = Field(
        "set://pyannote-segmentation-3.0",
        description="pyannote's segmentation-3.0: a folder with pytorch_model.bin, which is read without PyTorch.",
    )
    speaker: CampplusSettings = Field(CampplusSettings(), description="What tells voices apart.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one and onnxruntime-gpu is installed."
    )
    threads: int = Field(1, ge=1, description="CPU threads that one segmentation may use.")
    step: float = Field(
        2.5, ge=0.5, le=10.0, description="From one chunk of 10 s to the next; time grows with its inverse."
    )
    same_voice: float = Field(
        0.3,
        ge=-1.0,
        le=1.0,
        description="Pieces of a segmented speaker of a smaller mean cosine similarity are different voices.",
    )
    min_alone: float = Field(
        1.5, ge=0.0, le=10.0, description="Who speaks alone for less of a chunk has no say in the clustering."
    )
    similarity: float = Field(
        0.5, ge=-1.0, le=1.0, description="Local speakers of a smaller mean cosine similarity start as two groups."
    )
    merge_similarity: float = Field(
        0.6, ge=-1.0, le=1.0, description="Groups whose centroids are more alike are one speaker."
    )
    min_speaker_chunks: int = Field(
        3, ge=1, description="A voice in fewer chunks is taken for one of the others where there are any."
    )
    min_speaker_share: float = Field(0.05, ge=0.0, lt=1.0, description="The same, as a share of all voices in chunks.")
    merge_gap: float = Field(0.3, ge=0.0, description="A speaker's turns closer than this are one.")
    min_turn: float = Field(0.1, ge=0.0, description="Turns shorter than this are dropped.")


class PyannoteSettings(DownloadSettings):
    """A pipeline of pyannote.audio 4: segmentation, speaker embeddings and clustering (docs/diarization.md)."""

    engine: Literal["pyannote"] = "pyannote"
    model: Annotated[str, PIPELINE] = Field(
        "pyannote/speaker-diarization-community-1",
        description="A pipeline of pyannote.audio, with config.yaml; `pyannote/speaker-diarization-3.1` is one too.",
    )
    segmentation: Annotated[str, MODEL] | None = Field(
        None, description="Another segmentation model, with pytorch_model.bin; left out, the pipeline's own."
    )
    embedding: Annotated[str, MODEL] | None = Field(
        None, description="Another WeSpeaker model, with pytorch_model.bin; left out, the pipeline's own."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one.")
    segmentation_batch_size: int = Field(
        32, ge=1, le=1024, description="Chunks of 10 s segmented at a time.", json_schema_extra=LIVE
    )
    embedding_batch_size: int = Field(
        32, ge=1, le=1024, description="Chunks of 10 s embedded at a time.", json_schema_extra=LIVE
    )
    segmentation_step: float | None = Field(
        None,
        ge=0.01,
        le=0.5,
        description="From one chunk to the next, as a share of its length; left out, as published (0.1). Time grows "
        "with its inverse, memory of the clustering with the square of that.",
    )
    threshold: float | None = Field(
        None,
        ge=0.0,
        le=2.0,
        description="Distance of embeddings below which they are one voice at first; left out, as published.",
        json_schema_extra=LIVE,
    )
    min_cluster_size: int | None = Field(
        None,
        ge=1,
        le=20,
        description="Smaller clusters join others: of agglomerative clustering (3.1) alone; left out, as published.",
        json_schema_extra=LIVE,
    )
    fa: float | None = Field(
        None,
        gt=0.0,
        le=1.0,
        description="Weight of the evidence in VBx clustering (community-1) alone; left out, as published.",
        json_schema_extra=LIVE,
    )
    fb: float | None = Field(
        None,
        gt=0.0,
        le=50.0,
        description="Higher finds fewer speakers: of VBx clustering (community-1) alone; left out, as published.",
        json_schema_extra=LIVE,
    )
    min_duration_off: float | None = Field(
        None,
        ge=0.0,
        le=10.0,
        description="A speaker's neighbouring turns closer than this are one, in seconds; left out, as published.",
        json_schema_extra=LIVE,
    )

    def implied_weights(self) -> Iterator[tuple[str, str, Weights]]:
        """Yield the settings that were left out and stand for other published models: name, value, what is needed."""
        for part, name in zip(PARTS, published_parts(self.model), strict=True):
            if name is not None and getattr(self, part) is None:
                yield part, name, MODEL


DiarizationSettings = Annotated[
    ClusteringSettings | SegmentationSettings | PyannoteSettings, Field(discriminator="engine")
]
"""Settings of one engine, told apart by ``engine``."""
