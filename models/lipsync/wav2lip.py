"""Wav2Lip: a network that redraws the lower half of a face, published by its authors with weights.

The published weights (wav2lip.pth, wav2lip_gan.pth) were trained on LRS2 and are for research and other non-commercial
use only; the S3FD detector's are those of the face-alignment package.
"""

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from models.gpu_share import in_batches
from models.lipsync.face_crops import FaceCropper
from models.lipsync.patch_mask import FIRST_ROW, patch_boxes, patch_mask
from models.lipsync.s3fd import S3fdDetector
from models.lipsync.settings import S3FD, WAV2LIP, Wav2LipSettings
from models.lipsync.types import Image, Patches, PreparedFace, Shot, footage_index
from models.lipsync.wav2lip_checkpoint import load_network
from models.lipsync.wav2lip_folded import FaceTerms, FoldedWav2Lip, Run
from models.lipsync.wav2lip_mel import speech_windows
from models.lipsync.wav2lip_network import FACE_ENCODER, FACE_SIDE
from models.torch_device import device_of, dtype_of
from models.weights import resolve

# Changes when faces prepared before can't be used any more.
_FORMAT = 1
_CPU_BATCH = 8
"""Frames that a CPU draws at once: more leave its caches."""
_GPU_BATCH = 256

_CROPS, _MAP = "crops", "map."


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A frame to draw: a face, which picture of it, and the speech."""

    face: PreparedFace
    picture: int
    window: NDArray[np.float32]


class Wav2LipEngine:
    """Draws the lower part of faces from speech.

    Args:
        settings: Where the weights are, and how to compute.

    Raises:
        MissingWeights: A file of weights is not there.
        ValueError: A file is not what it should be, or there is no GPU though one is asked for.
    """

    def __init__(self, settings: Wav2LipSettings) -> None:
        device = device_of(settings.device)
        self._device = device.type
        self._threads = settings.threads
        detector = resolve(settings.detector, S3FD, allow_download=settings.allow_download)
        checkpoint = resolve(settings.checkpoint, WAV2LIP, allow_download=settings.allow_download)
        self._cropper = FaceCropper(S3fdDetector(detector, device), settings.pads, settings.smoothing)
        network = load_network(checkpoint)
        self._network = FoldedWav2Lip(network, device, dtype_of(settings.precision, device), FIRST_ROW)
        self._batch = _CPU_BATCH if device.type == "cpu" else _GPU_BATCH
        self._fingerprint = _fingerprint(checkpoint, detector, settings)
        self._terms: WeakKeyDictionary[PreparedFace, FaceTerms] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """See ``LipsyncEngine``."""
        return self._fingerprint

    @property
    def device(self) -> str:
        """See ``LipsyncEngine``."""
        return self._device

    def prepare(self, frames: Iterable[Image]) -> PreparedFace:
        """See ``LipsyncEngine``."""
        with self._computing():
            found = self._cropper.crop(frames)
            arrays: dict[str, NDArray[np.generic]] = {_CROPS: found.crops}
            if len(found.crops) == 1:
                maps = self._network.skips(_as_input(found.crops))
                arrays |= {f"{_MAP}{number}": part.float().cpu().numpy() for number, part in enumerate(maps)}
        return PreparedFace(patch_boxes(found.boxes), patch_mask(), found.faces, arrays)

    def animate(self, shots: Sequence[tuple[PreparedFace, Shot]]) -> list[Patches]:
        """See ``LipsyncEngine``; frames that show the same are drawn once."""
        numbers: dict[tuple[int, int, bytes], int] = {}
        frames: list[_Frame] = []
        shown: list[NDArray[np.int64]] = []
        for face, shot in shots:
            which = np.empty(shot.count, np.int64)
            for at, window in enumerate(speech_windows(shot)):
                picture = footage_index(shot.first + at, len(face.boxes))
                which[at] = numbers.setdefault((id(face), picture, window.tobytes()), len(frames))
                if which[at] == len(frames):
                    frames.append(_Frame(face, picture, window))
            shown.append(which)
        images = self._drawn(frames)
        patches = []
        for which in shown:
            distinct, order = np.unique(which, return_inverse=True)
            patches.append(Patches(images[distinct], order.astype(np.int32)))
        return patches

    def _drawn(self, frames: Sequence[_Frame]) -> NDArray[np.uint8]:
        """Draw frames, those of each face one after another; uint8[frames, height, width, 3]."""
        by_face = sorted(range(len(frames)), key=lambda number: id(frames[number].face))

        def draw(start: int, stop: int) -> NDArray[np.uint8]:
            return self._draw([frames[number] for number in by_face[start:stop]])

        with self._computing():
            drawn = np.concatenate(in_batches(len(frames), self._batch, draw))
        images = np.empty_like(drawn)
        images[by_face] = drawn
        return images

    def _draw(self, frames: Sequence[_Frame]) -> NDArray[np.uint8]:
        mel = torch.from_numpy(np.stack([frame.window for frame in frames])[:, None])
        drawn = self._network.draw(self._network.voices(mel), [self._run(run) for run in _runs(frames)])
        pixels: NDArray[np.uint8] = (255 * drawn).round_().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return pixels

    def _run(self, frames: Sequence[_Frame]) -> Run:
        """Return what frames of one face add to the decoder: a clip's each its own, a still's all the same."""
        face = frames[0].face
        crops = face.arrays[_CROPS]
        if len(crops) > 1:
            pictures = _as_input(crops[[frame.picture for frame in frames]])
            return Run(len(frames), self._network.terms(self._network.skips(pictures)))
        with self._lock:
            terms = self._terms.get(face)
        if terms is None:
            maps = [torch.from_numpy(face.arrays[f"{_MAP}{number}"]) for number in range(len(FACE_ENCODER))]
            terms = self._network.terms(maps)
            with self._lock:
                self._terms[face] = terms
        return Run(len(frames), terms)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Compute in as many threads as the settings allow; PyTorch keeps a count for each thread that calls it."""
        # Asked first: a thread's first question sets its count to the one that was set last anywhere.
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)


def _runs(frames: Sequence[_Frame]) -> list[Sequence[_Frame]]:
    """Cut where another face begins."""
    starts = [at for at, frame in enumerate(frames) if at == 0 or frame.face is not frames[at - 1].face]
    return [frames[start:stop] for start, stop in zip(starts, [*starts[1:], len(frames)], strict=True)]


def _as_input(crops: NDArray[np.generic]) -> torch.Tensor:
    """Return faces as the network takes them: with the lower half black, and whole."""
    whole = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
    upper = whole.clone()
    upper[:, :, FACE_SIDE // 2 :] = 0
    return torch.cat((upper, whole), dim=1)


def _fingerprint(checkpoint: Path, detector: Path, settings: Wav2LipSettings) -> str:
    parts = [_FORMAT, _hash(checkpoint), _hash(detector), settings.pads, settings.smoothing]
    return f"wav2lip-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]}"


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
