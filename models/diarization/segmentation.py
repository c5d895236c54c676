"""Speaker segmentation: who of up to three speakers speaks in each frame of each 10 s of a recording."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.networks.pyannet import INPUT, SAMPLE_RATE, pyannet
from models.onnx_session import open_session
from models.torch_checkpoint import read_checkpoint

CHECKPOINT = "pytorch_model.bin"

CHUNK = 10 * SAMPLE_RATE
"""Samples that the network was trained on."""

HOP = 270
"""Samples from one frame to the next."""

CENTRE = 495
"""Samples from the start of a chunk to the centre of its first frame."""

SPEAKERS = 3
AT_ONCE = 2
BATCH = 8
"""Chunks per run of the network: more are no faster on a CPU, and take memory."""

_DESCRIPTIONS = (
    ("pyannote.audio.core.task", "Problem"),
    ("pyannote.audio.core.task", "Resolution"),
    ("pyannote.audio.core.task", "Specifications"),
    ("torch.torch_version", "TorchVersion"),
)
"""Objects in pyannote's checkpoints beside the arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Local speakers of overlapping chunks of a recording.

    Attributes:
        starts: First sample of each chunk, shape [chunks]. They follow each other by whole frames.
        activity: Probability that a local speaker speaks, float32[chunks, frames, SPEAKERS]; their numbers mean
            nothing from one chunk to the next.
        active: Local speakers of the likeliest class, bool[chunks, frames, SPEAKERS].
    """

    starts: NDArray[np.int64]
    activity: NDArray[np.float32]
    active: NDArray[np.bool_]


class Segmenter:
    """Runs pyannote's segmentation network (Plaquet and Bredin, 2023) on ONNX Runtime, from its PyTorch checkpoint.

    Args:
        folder: Holds the checkpoint.
        device: Where it runs; ``auto`` is a GPU where there is one.
        threads: CPU threads of one call.

    Raises:
        ValueError: The checkpoint is damaged, or holds no such network.
    """

    def __init__(self, folder: Path, *, device: Literal["auto", "cpu", "cuda"], threads: int) -> None:
        file = folder / CHECKPOINT
        state = read_checkpoint(file, ignored=_DESCRIPTIONS).get("state_dict")
        classes = _classes()
        try:
            if not isinstance(state, dict) or len(state["classifier.bias"]) != len(classes):
                raise ValueError(f"it tells other than {SPEAKERS} speakers apart, {AT_ONCE} of them at once")
            network = pyannet(state)
        except (KeyError, ValueError) as error:
            raise ValueError(f"{file} does not hold the network PyanNet: {error}") from error
        self._classes = classes
        self._session = open_session(network, device=device, threads=threads, cpu_arena=False)

    def segment(self, pcm: NDArray[np.float32], *, step: float) -> Segmentation:
        """Segment a recording.

        Args:
            pcm: Mono float32 at 16 kHz, shape [samples], at least one; never written to. The last chunk is filled
                up with silence.
            step: Seconds from one chunk to the next, at most 10; rounded to whole frames.
        """
        hop = max(1, round(step * SAMPLE_RATE / HOP)) * HOP
        count = 1 + max(0, -(-(len(pcm) - CHUNK) // hop))
        starts = np.arange(count, dtype=np.int64) * hop
        activity, active = [], []
        for first in range(0, count, BATCH):
            batch = np.zeros((min(BATCH, count - first), 1, CHUNK), dtype=np.float32)
            for row, start in zip(batch, starts[first:], strict=False):
                chunk = pcm[start : start + CHUNK]
                row[0, : len(chunk)] = chunk
            logarithms = self._session.run(None, {INPUT: batch})[0]
            activity.append(np.exp(logarithms) @ self._classes.astype(np.float32))
            active.append(self._classes[logarithms.argmax(axis=-1)])
        return Segmentation(starts, np.concatenate(activity), np.concatenate(active))


def _classes() -> NDArray[np.bool_]:
    """Return the sets of speakers that the classes stand for, bool[classes, SPEAKERS]: nobody, each, each pair."""
    sets = [chosen for size in range(AT_ONCE + 1) for chosen in combinations(range(SPEAKERS), size)]
    return np.array([[speaker in chosen for speaker in range(SPEAKERS)] for chosen in sets])
