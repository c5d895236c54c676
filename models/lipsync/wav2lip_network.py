"""The generator of Wav2Lip (Prajwal et al., "A Lip Sync Expert Is All You Need", ACM Multimedia 2020).

The modules bear the names under which the published checkpoints know their tensors. This is the network as it was
trained; ``models.lipsync.wav2lip_folded`` computes the same faster.
"""

from typing import NamedTuple

import torch
from torch import nn

FACE_SIDE = 96
"""Height and width of the faces, in pixels."""

MEL_BANDS, MEL_COLUMNS = 80, 16
"""Of the speech that one frame is drawn from."""


class Layer(NamedTuple):
    """A convolution with batch normalisation and ReLU.

    Attributes:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel: Height and width of the kernel.
        stride: In height and width.
        padding: On all sides.
        kind: ``residual`` adds what comes in before the ReLU; ``up`` is a transposed convolution.
        grown: Rows and columns that an ``up`` adds at the end, PyTorch's ``output_padding``.
    """

    inputs: int
    outputs: int
    kernel: int
    stride: int | tuple[int, int]
    padding: int
    kind: str = "plain"
    grown: int = 0


def _residuals(channels: int, count: int) -> list[Layer]:
    return [Layer(channels, channels, 3, 1, 1, "residual")] * count


FACE_ENCODER = [
    [Layer(6, 16, 7, 1, 3)],
    [Layer(16, 32, 3, 2, 1), *_residuals(32, 2)],
    [Layer(32, 64, 3, 2, 1), *_residuals(64, 3)],
    [Layer(64, 128, 3, 2, 1), *_residuals(128, 2)],
    [Layer(128, 256, 3, 2, 1), *_residuals(256, 2)],
    [Layer(256, 512, 3, 2, 1), *_residuals(512, 1)],
    [Layer(512, 512, 3, 1, 0), Layer(512, 512, 1, 1, 0)],
]

AUDIO_ENCODER = [
    *(Layer(1, 32, 3, 1, 1), *_residuals(32, 2)),
    *(Layer(32, 64, 3, (3, 1), 1), *_residuals(64, 2)),
    *(Layer(64, 128, 3, 3, 1), *_residuals(128, 2)),
    *(Layer(128, 256, 3, (3, 2), 1), *_residuals(256, 1)),
    *(Layer(256, 512, 3, 1, 0), Layer(512, 512, 1, 1, 0)),
]

FACE_DECODER = [
    [Layer(512, 512, 1, 1, 0)],
    [Layer(1024, 512, 3, 1, 0, "up"), *_residuals(512, 1)],
    [Layer(1024, 512, 3, 2, 1, "up", 1), *_residuals(512, 2)],
    [Layer(768, 384, 3, 2, 1, "up", 1), *_residuals(384, 2)],
    [Layer(512, 256, 3, 2, 1, "up", 1), *_residuals(256, 2)],
    [Layer(320, 128, 3, 2, 1, "up", 1), *_residuals(128, 2)],
    [Layer(160, 64, 3, 2, 1, "up", 1), *_residuals(64, 2)],
]

OUTPUT = Layer(80, 32, 3, 1, 1)


class Wav2LipNetwork(nn.Module):
    """Draws faces whose lower half says what is heard."""

    def __init__(self) -> None:
        super().__init__()
        self.face_encoder_blocks = nn.ModuleList(_sequence(stage) for stage in FACE_ENCODER)
        self.audio_encoder = _sequence(AUDIO_ENCODER)
        self.face_decoder_blocks = nn.ModuleList(_sequence(stage) for stage in FACE_DECODER)
        self.output_block = nn.Sequential(Block(OUTPUT), nn.Conv2d(OUTPUT.outputs, 3, 1), nn.Sigmoid())

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """Draw one face for each window of speech.

        Args:
            mel: float32[frames, 1, 80, 16]: see ``models.lipsync.wav2lip_mel``.
            faces: float32[frames, 6, 96, 96], BGR from 0 to 1: the face with its lower half black, then a face to tell
                by who it is.

        Returns:
            float32[frames, 3, 96, 96], BGR from 0 to 1.
        """
        skips = []
        for stage in self.face_encoder_blocks:
            faces = stage(faces)
            skips.append(faces)
        drawn = self.audio_encoder(mel)
        for stage in self.face_decoder_blocks:
            drawn = torch.cat((stage(drawn), skips.pop()), dim=1)
        output: torch.Tensor = self.output_block(drawn)
        return output


class Block(nn.Module):
    """One layer."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        sizes = (layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding)
        convolution = nn.ConvTranspose2d(*sizes, layer.grown) if layer.kind == "up" else nn.Conv2d(*sizes)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(layer.outputs))
        self.residual = layer.kind == "residual"

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """See the class."""
        outputs: torch.Tensor = self.conv_block(inputs)
        return torch.relu(outputs + inputs if self.residual else outputs)


def _sequence(layers: list[Layer]) -> nn.Sequential:
    return nn.Sequential(*map(Block, layers))
