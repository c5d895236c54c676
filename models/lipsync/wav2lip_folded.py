"""Wav2Lip's generator for many frames of few faces: the same numbers from fewer operations.

Batch normalisation is folded into the convolutions. A decoder stage convolves what it has drawn so far together with
the face encoder's map, and convolution is linear: the encoder's part is computed once for each face, and added. Rows at
the top that are not shown are not drawn, nor is anything that only they depend on. On a CPU most layers of 3x3 are
computed by Winograd's filtering.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from models.lipsync.wav2lip_layers import FoldedLayer
from models.lipsync.wav2lip_network import FACE_DECODER, Wav2LipNetwork
from models.lipsync.winograd import WinogradLayer

# Rows by which a stage's two layers of 3x3, and the output's one, blur what is cut off into what is kept.
_STAGE_REACH, _OUTPUT_REACH = 2, 1
# Smaller maps are drawn whole: the stages before this one.
_FIRST_CUT = 2


@dataclass(frozen=True, slots=True, eq=False)
class FaceTerms:
    """The face encoder's contributions to the decoder's layers.

    Attributes:
        layers: For each stage but the first, and for the output's first layer: [faces, channels, height, width],
            biases included.
    """

    layers: tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Consecutive frames of a batch.

    Attributes:
        frames: How many.
        terms: Of one face that all of them show, or of one for each.
    """

    frames: int
    terms: FaceTerms


class FoldedWav2Lip:
    """Computes ``Wav2LipNetwork``.

    Args:
        network: In evaluation mode; it is not kept.
        device: Where to compute.
        dtype: What to compute in.
        top: Rows at the top of the faces that are not drawn.
    """

    def __init__(self, network: Wav2LipNetwork, device: torch.device, dtype: torch.dtype, top: int = 0) -> None:
        self.top = top
        self._device, self._dtype = device, dtype

        def folded(blocks: Iterable[nn.Module]) -> list[FoldedLayer]:
            return [FoldedLayer.of(block).placed(device, dtype) for block in blocks]

        self._encoder = [folded(stage.children()) for stage in network.face_encoder_blocks]
        self._audio = folded(network.audio_encoder)
        (self._voice,), *stages = (folded(stage.children()) for stage in network.face_decoder_blocks)
        drawn = [stage[-1].outputs for stage in FACE_DECODER]
        joined = [stage[0] for stage in stages] + folded([network.output_block[0]])
        halves = [layer.split(channels) for layer, channels in zip(joined, drawn, strict=True)]
        self._own = [own.placed(device, dtype) for own, _ in halves]
        self._faces = [of_face.placed(device, dtype) for _, of_face in halves]
        self._residuals = [[WinogradLayer.or_as_it_is(layer) for layer in stage[1:]] for stage in stages]
        last = network.output_block[1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        self._last = FoldedLayer(last.weight.detach(), last.bias.detach(), (1, 1), 0).placed(device, dtype)
        self._first_rows = _first_rows(top, len(stages))

    def skips(self, faces: torch.Tensor) -> list[torch.Tensor]:
        """Return the face encoder's maps, the finest first.

        Args:
            faces: [faces, 6, 96, 96], as ``Wav2LipNetwork`` takes them.
        """
        maps = []
        drawn = self._placed(faces)
        for stage in self._encoder:
            for layer in stage:
                drawn = layer(drawn)
            maps.append(drawn)
        return maps

    def terms(self, skips: Sequence[torch.Tensor]) -> FaceTerms:
        """Return what faces with these maps of the encoder add to the decoder."""
        placed = [self._placed(skip) for skip in reversed(skips)]
        return FaceTerms(
            tuple(
                layer.convolved(skip[:, :, first:])
                for layer, skip, first in zip(self._faces, placed, self._first_rows, strict=True)
            )
        )

    def voices(self, mel: torch.Tensor) -> torch.Tensor:
        """Return windows of speech as ``draw`` takes them.

        Args:
            mel: [frames, 1, 80, 16], as ``Wav2LipNetwork`` takes it.
        """
        heard = self._placed(mel)
        for layer in (*self._audio, self._voice):
            heard = layer(heard)
        return heard

    def draw(self, voices: torch.Tensor, runs: Sequence[Run]) -> torch.Tensor:
        """Draw one face for each window of speech.

        Args:
            voices: From ``voices``.
            runs: Together all frames, in order.

        Returns:
            float32[frames, 3, 96 - top, 96], BGR from 0 to 1.
        """
        drawn, row = voices, 0
        for number, (layer, first) in enumerate(zip(self._own, self._first_rows, strict=True)):
            drawn = layer.convolved(drawn[:, :, first - row :])
            row = first * layer.stride[0]
            start = 0
            for run in runs:
                drawn[start : start + run.frames] += run.terms.layers[number]
                start += run.frames
            drawn = drawn.relu_()
            for residual in self._residuals[number] if number < len(self._residuals) else ():
                drawn = residual(drawn)
        return torch.sigmoid(self._last.convolved(drawn[:, :, self.top - row :]).float())

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._device, self._dtype).contiguous(memory_format=torch.channels_last)


def _first_rows(top: int, stages: int) -> list[int]:
    """Return for each stage, and for the output, the first row of what comes in that what is shown depends on."""
    rows = [max(0, top - _OUTPUT_REACH)]
    for stage in range(stages - 1, -1, -1):
        # An up-block's row 2i is drawn from row i on.
        rows.insert(0, max(0, rows[0] - _STAGE_REACH) // 2 if stage >= _FIRST_CUT else 0)
    return rows
