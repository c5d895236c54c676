"""The compact detector's checkpoint: one ONNX file whose metadata say how its logits become probabilities."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import MissingWeights
from models.spoof.calibration import Calibration
from models.spoof.features import FEATURES

SHIPPED = Path(__file__).with_name("compact.onnx")
INPUT = "features"
OUTPUT = "logits"

_KIND = "voicegraph-spoof"


@dataclass(frozen=True)
class Metadata:
    """Metadata of a checkpoint.

    Args:
        name: What the model is called.
        calibration: Of its logits.
    """

    name: str
    calibration: Calibration


def read(path: Path) -> bytes:
    """Return the checkpoint's bytes.

    Raises:
        MissingWeights: There is no such file.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise MissingWeights(
            f"{path} was not found: make a checkpoint with `python -m training.spoof.train`, or leave `model` out for "
            f"the one that ships with the package"
        ) from None


def metadata(calibration: Calibration, name: str) -> dict[str, str]:
    """Return the ONNX metadata of a checkpoint with the current features."""
    return {
        f"{_KIND}.name": name,
        f"{_KIND}.features": FEATURES,
        f"{_KIND}.scale": repr(calibration.scale),
        f"{_KIND}.bias": repr(calibration.bias),
    }


def parse(entries: Mapping[str, str], path: Path) -> Metadata:
    """Read a checkpoint's metadata.

    Raises:
        ValueError: It isn't a checkpoint of the compact detector, or one of other features.
    """
    try:
        name, features = entries[f"{_KIND}.name"], entries[f"{_KIND}.features"]
        calibration = Calibration(float(entries[f"{_KIND}.scale"]), float(entries[f"{_KIND}.bias"]))
    except (KeyError, ValueError):
        raise ValueError(f"{path} isn't a checkpoint of the compact spoof detector") from None
    if features != FEATURES:
        raise ValueError(
            f"{path} was trained on the features {features}, this version computes {FEATURES}: train it anew"
        )
    if not (math.isfinite(calibration.scale) and calibration.scale > 0 and math.isfinite(calibration.bias)):
        raise ValueError(f"{path} has no usable calibration")
    return Metadata(name, calibration)
