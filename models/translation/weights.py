"""Files of a converted translation model, and the conversion that makes them."""

from pathlib import Path

from models.translation.checkpoint import CHECKPOINT
from models.translation.conversion import convert_folder
from models.weights import Conversion, Weights


def _convert(checkpoint: Path, output: Path, name: str) -> None:
    # Computes in any type afterwards; the whole range of the weights is kept for GPUs.
    convert_folder(checkpoint, output, name, quantization="float16")


CONVERTED = Weights(
    files=("translation.json", "model.bin"),
    more=("*.json", "*.txt", "*.model", "*.spm"),
    conversion=Conversion(CHECKPOINT, _convert, "python -m models.translation.convert --model {name} --output {path}"),
    how="make one with: python -m models.translation.convert --model facebook/m2m100_418M --output {path}",
)
"""A model of CTranslate2, as ``python -m models.translation.convert`` makes it."""
