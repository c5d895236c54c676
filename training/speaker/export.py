"""Writes a trained encoder as the ONNX file that the engine loads."""

import tempfile
from pathlib import Path

import onnx
import torch

from models.speaker.compact import FORMAT
from models.speaker.filterbank import MELS
from training.speaker.network import SpeakerNetwork


def export(network: SpeakerNetwork, file: Path) -> None:
    """Write a trained network with its weights inside; windows and frames may be of any number."""
    plain = network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "encoder.onnx"
        torch.onnx.export(
            plain,
            (torch.zeros(2, 150, MELS),),
            str(made),
            input_names=["spectra"],
            output_names=["embeddings"],
            dynamic_shapes=({0: torch.export.Dim("windows"), 1: torch.export.Dim("frames", min=16)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(made)
    onnx.helper.set_model_props(model, {"format": FORMAT})
    onnx.save(model, file)
