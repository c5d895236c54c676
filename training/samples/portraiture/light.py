"""Light on a surface that is given by its height."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.samples.portraiture.canvas import SCALE, Field, blur

KEY = np.array([-0.48, -0.52, 0.71], np.float32)
FILL = np.array([0.75, -0.05, 0.66], np.float32)
"""Directions to the lamps: right, down, towards the viewer."""


def normals(height: Field) -> NDArray[np.float32]:
    """Return the directions in which a surface faces, float32[rows, columns, 3]."""
    right = cv2.Scharr(height, cv2.CV_32F, 1, 0) * (SCALE / 32)
    down = cv2.Scharr(height, cv2.CV_32F, 0, 1) * (SCALE / 32)
    facing = np.dstack([-right, -down, np.ones_like(height)])
    return np.asarray(facing / np.linalg.norm(facing, axis=2, keepdims=True), np.float32)


def hollowness(height: Field) -> Field:
    """Return how little of the surroundings' light reaches each place, 0 to 1: what lies below what is near it."""
    deep = np.zeros_like(height)
    for sigma, weight in ((3.0, 0.05), (8.0, 0.028), (20.0, 0.013)):
        deep += weight * np.maximum(blur(height, sigma) - height, 0)
    return np.clip(deep, 0, 0.75)


def cast_shadow(height: Field, reach: float = 60.0, softness: float = 3.0) -> Field:
    """Return what the surface itself keeps from the key light, 0 to 1."""
    across, slope = KEY[:2] / np.hypot(*KEY[:2]), KEY[2] / np.hypot(*KEY[:2])
    covered = np.zeros_like(height)
    for distance in np.arange(4.0, reach, 4.0):
        shift = np.array([[1, 0, -across[0] * distance * SCALE], [0, 1, -across[1] * distance * SCALE]], np.float32)
        towards = cv2.warpAffine(height, shift, (height.shape[1], height.shape[0]), borderMode=cv2.BORDER_REPLICATE)
        above = towards - height - slope * distance * 0.8
        covered = np.maximum(covered, np.clip(above / 6.0, 0, 1))
    return blur(covered, softness)


def skin_light(height: Field, shadow: Field) -> tuple[NDArray[np.float32], Field]:
    """Return what light soft skin gives back, per colour, and its gloss.

    Args:
        height: Of the surface, in pixels.
        shadow: What is kept from the key light.

    Red light travels furthest within skin: it reaches furthest into the shade and blurs most.
    """
    facing = normals(height)
    key, fill = facing @ (KEY / np.linalg.norm(KEY)), facing @ (FILL / np.linalg.norm(FILL))
    open_sky = 1 - hollowness(height)
    channels = []
    for wrap, spread, lamp, second, ambient in (
        (0.42, 5.0, 1.00, 0.27, 0.30),
        (0.27, 2.5, 0.95, 0.28, 0.285),
        (0.20, 1.2, 0.88, 0.275, 0.265),
    ):
        first = np.clip((key + wrap) / (1 + wrap), 0, None) ** 1.25 * (1 - shadow * (0.8 - wrap * 0.5))
        other = np.clip((fill + wrap) / (1 + wrap), 0, None) ** 1.25
        sky = ambient * (0.62 + 0.38 * np.clip(-facing[..., 1] * 0.9 + 0.5, 0, 1)) * open_sky
        channels.append(
            blur((lamp * first + second * other).astype(np.float32) * (0.35 + 0.65 * open_sky) + sky, spread)
        )
    half = KEY / np.linalg.norm(KEY) + np.array([0, 0, 1], np.float32)
    gloss = np.clip(facing @ (half / np.linalg.norm(half)), 0, 1)
    grazing = (1 - np.clip(facing[..., 2], 0, 1)) ** 3
    shine = (0.10 * gloss**12 + 0.06 * gloss**40) * (1 - shadow) * open_sky + 0.02 * grazing
    return np.dstack(channels).astype(np.float32), shine.astype(np.float32)
