"""Speaker diarization by a pipeline of pyannote.audio 4 (Bredin, 2023; Plaquet and Bredin, 2023)."""

import threading
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio.pipelines import SpeakerDiarization

from models.diarization.counts import SpeakerCount, speaker_count
from models.diarization.pyannote_clustering import clustering_of, no_plda, plda_of
from models.diarization.pyannote_config import PipelineConfig, read_config
from models.diarization.pyannote_weights import CHECKPOINT, CONFIG, MODEL, PIPELINE
from models.diarization.settings import PyannoteSettings
from models.diarization.turns import merged, named
from models.diarization.types import SpeakerTurn
from models.errors import MissingWeights
from models.gpu_share import in_batches
from models.pyannote_models import SEGMENTATION, embedding_model, pyannote_model
from models.torch_device import device_of
from models.weights import resolve
from models.weights.sources import checked_path, parse_repository

SAMPLE_RATE = 16_000
_INSIDE = "$model/"
_CLUSTERING = {"threshold": "threshold", "min_cluster_size": "min_cluster_size", "fa": "Fa", "fb": "Fb"}
"""pyannote's names of the settings of the clustering."""


class PyannoteDiarizer:
    """Finds speaker turns that don't overlap: of overlapping voices, the most probable one.

    Chunks of 10 s are segmented into up to three speakers each, these are embedded and clustered over the whole
    recording. One recording is worked on at a time, others wait: safe to call from several threads at once. A batch
    that does not fit into the GPU's memory is halved. Beside the recording and its copy, host memory grows with
    the length squared, for the distances between embeddings: see docs/diarization.md.

    Args:
        settings: The pipeline and its hyper-parameters.

    Raises:
        MissingWeights: The pipeline or one of its models is not on this machine.
        ValueError: They are not what they should be, a setting does not fit the pipeline, or there is no such device.
    """

    def __init__(self, settings: PyannoteSettings) -> None:
        device = device_of(settings.device)
        folder = resolve(settings.model, PIPELINE, allow_download=settings.allow_download)
        self._config = read_config(folder / CONFIG)
        _hyper_parameters(settings, self._config)
        self._settings = settings
        self._pipeline = _pipeline(settings, self._config, folder).to(device)
        if device.type == "cuda":
            # pyannote computes without TensorFloat-32, which costs accuracy; it would say so with every recording.
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self._one_at_a_time = threading.Lock()

    def adjust(self, settings: PyannoteSettings) -> None:
        """Take other batch sizes and hyper-parameters, from the next recording on.

        Raises:
            ValueError: One does not fit the pipeline.
        """
        _hyper_parameters(settings, self._config)
        self._settings = settings

    def diarize(
        self,
        pcm: NDArray[np.float32],
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
    ) -> tuple[SpeakerTurn, ...]:
        """Find the speaker turns; see ``models.diarization.types.Diarizer``.

        Where there is less speech than speakers asked for, fewer are found.
        """
        count = speaker_count(num_speakers, min_speakers, max_speakers)
        if not len(pcm):
            return ()
        with self._one_at_a_time:
            settings = self._settings
            turns = self._run(pcm, count, settings)
        return named(merged(turns, _min_duration_off(settings, self._config)))

    def _run(
        self, pcm: NDArray[np.float32], count: SpeakerCount, settings: PyannoteSettings
    ) -> list[tuple[float, float, str]]:
        """Return turns (start, end, label) that don't overlap, in order of time, within the recording."""
        pipeline = self._pipeline
        pipeline.instantiate(_hyper_parameters(settings, self._config))
        pipeline.segmentation_batch_size = settings.segmentation_batch_size
        pipeline.embedding_batch_size = settings.embedding_batch_size
        # A copy: PyTorch takes no read-only array without a warning.
        recording = {"waveform": torch.from_numpy(np.array(pcm[None])), "sample_rate": SAMPLE_RATE, "uri": "recording"}
        with warnings.catch_warnings():
            # Of fewer speakers than asked for; and of this and that about its own code.
            warnings.simplefilter("ignore")
            # Not by calling the pipeline, which reports the recording's length to pyannote where telemetry is on.
            output: Any = pipeline.apply(recording, min_speakers=count.least, max_speakers=count.most)
        duration = len(pcm) / SAMPLE_RATE
        return [
            (max(0.0, span.start), min(duration, span.end), label)
            for span, _track, label in output.exclusive_speaker_diarization.itertracks(yield_label=True)
            if span.start < duration
        ]


def _pipeline(settings: PyannoteSettings, config: PipelineConfig, folder: Path) -> SpeakerDiarization:
    parts, vbx = config.parts, config.clustering.kind == "VBxClustering"
    if vbx and settings.embedding is not None:
        raise ValueError("embedding must be left out: the pipeline's PLDA is for its own embeddings only")
    segmentation = pyannote_model(_checkpoint("segmentation", settings, config, folder), SEGMENTATION)
    if segmentation.specifications.powerset == (config.segmentation.threshold is not None):
        raise ValueError(
            f"{folder / CONFIG} must give segmentation a threshold if, and only if, its model has no powerset"
        )
    embedding = embedding_model(_checkpoint("embedding", settings, config, folder))
    plda = plda_of(_inside("plda", parts.plda, folder), embedding.dimension) if vbx else no_plda()
    pipeline = SpeakerDiarization(
        segmentation=_sparing(segmentation),
        segmentation_step=settings.segmentation_step or parts.segmentation_step,
        embedding=_sparing(embedding),
        embedding_exclude_overlap=parts.embedding_exclude_overlap,
        plda=plda,
        clustering=parts.clustering,
    )
    pipeline.clustering = clustering_of(parts.clustering, plda)
    return pipeline


def _checkpoint(
    part: Literal["segmentation", "embedding"], settings: PyannoteSettings, config: PipelineConfig, folder: Path
) -> Path:
    """Return the file of one of the pipeline's models."""
    published: str = getattr(config.parts, part)
    name: str = getattr(settings, part) or published
    if name == published and not parse_repository(name):
        file = _inside(part, name, folder) / CHECKPOINT
        if not file.is_file():
            raise MissingWeights(f"{folder} has no {file.relative_to(folder)}; fetch the whole model again")
        return file
    return resolve(name, MODEL, allow_download=settings.allow_download) / CHECKPOINT


def _inside(part: str, name: str | None, folder: Path) -> Path:
    """Return the subfolder that config.yaml means."""
    if name is None or not name.startswith(_INSIDE):
        raise ValueError(f"{folder / CONFIG} must name {part} as $model/FOLDER or owner/name, not as {name!r}")
    return folder / checked_path(name.removeprefix(_INSIDE))


def _hyper_parameters(settings: PyannoteSettings, config: PipelineConfig) -> dict[str, dict[str, Any]]:
    """Return those published, with those set here in their place."""
    clustering = config.clustering.model_dump(exclude={"kind"})
    for setting, name in _CLUSTERING.items():
        value = getattr(settings, setting)
        if value is not None and name not in clustering:
            raise ValueError(
                f"{setting} must be left out: it is no parameter of the pipeline's {config.clustering.kind}"
            )
        if value is not None:
            clustering[name] = value
    # Gaps are closed later: where pyannote does it, turns come to overlap.
    segmentation = config.segmentation.model_dump(exclude_none=True) | {"min_duration_off": 0.0}
    return {"segmentation": segmentation, "clustering": clustering}


def _min_duration_off(settings: PyannoteSettings, config: PipelineConfig) -> float:
    chosen = settings.min_duration_off
    return config.segmentation.min_duration_off if chosen is None else chosen


def _sparing(model: Any) -> Any:
    """Let a network halve the batches that don't fit into the GPU's memory."""
    whole = model.forward

    def forward(waveforms: torch.Tensor, **weights: torch.Tensor) -> torch.Tensor:
        def run(start: int, stop: int) -> torch.Tensor:
            outputs: torch.Tensor = whole(
                waveforms[start:stop], **{name: tensor[start:stop] for name, tensor in weights.items()}
            )
            return outputs

        return torch.cat(in_batches(len(waveforms), len(waveforms), run))

    model.forward = forward
    return model
