"""S3FD with weights that take a red square of 16 pixels for a face of 64, and a green one of 8 for a face of 32.

Every layer hands on what it sees at a place: red in one channel, green in another. The layer that looks for faces of
64 pixels answers to red, the one for 32 pixels to green.
"""

from pathlib import Path

import numpy as np
import torch
from face_alignment.detection.sfd.net_s3fd import s3fd
from numpy.typing import NDArray

_RED, _GREEN = 0, 1
_HANDED_ON = ("1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1", "5_2", "5_3")


def build_s3fd(file: Path) -> Path:
    """Write the weights as face-alignment publishes them, and return the file."""
    state = {name: torch.zeros_like(tensor) for name, tensor in s3fd().state_dict().items()}
    for channel, of_input in ((_RED, 2), (_GREEN, 1)):
        state["conv1_1.weight"][channel, of_input, 1, 1] = 1
        for layer in _HANDED_ON:
            state[f"conv{layer}.weight"][channel, channel, 1, 1] = 1
    for layer, channel in (("conv4_3_norm", _GREEN), ("conv5_3_norm", _RED)):
        state[f"{layer}.weight"][:] = 1
        state[f"{layer}_mbox_conf.weight"][1, channel, 1, 1] = 20
    for name, bias in state.items():
        if name.endswith("_conf.bias"):
            bias[:-1] = 10
    torch.save(state, file)
    return file


def picture_of_faces(height: int, width: int, red: tuple[int, int], *green: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture, BGR, with faces of 64 pixels and of 32.

    Args:
        height: In pixels.
        width: In pixels.
        red: Left and top of the red square, in 16 pixels; the face's centre is the square's.
        green: Left and top of the green squares, in 8 pixels.
    """
    picture = np.zeros((height, width, 3), np.uint8)
    picture[16 * red[1] : 16 * red[1] + 16, 16 * red[0] : 16 * red[0] + 16] = (0, 0, 255)
    for left, top in green:
        picture[8 * top : 8 * top + 8, 8 * left : 8 * left + 8] = (0, 255, 0)
    return picture
