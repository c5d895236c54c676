"""Which files the models are read from, and how they are made."""

from pathlib import Path

from models.weights import Conversion, Weights

CHECKPOINT = Weights(
    files=("config.json", "*.safetensors|pytorch_model*.bin"),
    more=("*.json", "*.model", "*.spm"),
)
"""A published checkpoint of M2M100, NLLB or OPUS-MT."""


def _convert(checkpoint: Path, output: Path, name: str) -> None:
    from models.translation.convert import convert_folder

    # Computes in any type afterwards; the whole range of the weights is kept for GPUs.
    convert_folder(checkpoint, output, name, quantization="float16")


CONVERTED = Weights(
    files=("translation.json", "model.bin"),
    more=("*.json", "*.txt", "*.model", "*.spm"),
    conversion=Conversion(CHECKPOINT, _convert, "python -m models.translation.convert --model {name} --output {path}"),
    how="make one with: python -m models.translation.convert --model facebook/m2m100_418M --output {path}",
)
"""A model of CTranslate2, as ``python -m models.translation.convert`` makes it."""
