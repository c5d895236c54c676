"""The S3FD face detector (Zhang et al., "S3FD: Single Shot Scale-invariant Face Detector", ICCV 2017).

Network and decoding are face-alignment's; the weights come from a file, never from the network.
"""

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import cv2
import numpy as np
import torch
from face_alignment.detection.sfd import FaceDetector as Sfd
from numpy.typing import NDArray

from models.gpu_share import in_batches
from models.lipsync.face_box import FaceBox
from models.lipsync.types import Image

_BATCH = 16

LONGEST_SIDE = 640
"""Larger images are searched in this size: four times as fast as in 1280, and 16 pixels are a face to S3FD."""


class S3fdDetector:
    """Finds faces.

    Args:
        file: s3fd-619a316812.pth, as face-alignment publishes it.
        device: Where to compute.

    Raises:
        ValueError: The file is damaged, or is not S3FD's.
    """

    def __init__(self, file: Path, device: torch.device) -> None:
        try:
            self._detector = Sfd(device=device.type, path_to_detector=str(file))
        except (UnpicklingError, RuntimeError, EOFError, AttributeError, TypeError) as error:
            raise ValueError(f"{file} is damaged, or holds other weights than S3FD's: {error}") from error

    def find(self, images: Sequence[Image]) -> list[list[FaceBox]]:
        """See ``models.lipsync.face_box.FaceDetector``."""
        height, width = images[0].shape[:2]
        scale = min(1.0, LONGEST_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        stretch = (width / size[0], height / size[1])

        def find(start: int, stop: int) -> list[list[FaceBox]]:
            batch = [
                image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                for image in images[start:stop]
            ]
            return [[_box(found, stretch) for found in faces] for faces in self._detect(np.stack(batch))]

        return [faces for batch in in_batches(len(images), _BATCH, find) for faces in batch]

    def _detect(self, images: NDArray[np.generic]) -> list[list[NDArray[np.float32]]]:
        # Red first, as face-alignment takes them.
        batch = torch.from_numpy(np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2)))
        # face-alignment turns on cuDNN's search for the best algorithm, for the whole process and each size anew.
        with torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, benchmark=False):
            found: list[list[NDArray[np.float32]]] = self._detector.detect_from_batch(batch)
        return found


def _box(found: NDArray[np.float32], stretch: tuple[float, float]) -> FaceBox:
    left, top, right, bottom = (float(value) for value in found[:4])
    return FaceBox(left * stretch[0], top * stretch[1], right * stretch[0], bottom * stretch[1])
