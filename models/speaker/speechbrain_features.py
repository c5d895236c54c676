"""The spectra that SpeechBrain's speaker models hear (``speechbrain.lobes.features.Fbank``), in PyTorch."""

import torch

SAMPLE_RATE = 16_000
WINDOW = 400
HOP = 160
FLOOR = 1e-10
RANGE_DB = 80.0
"""Dynamic range: bands further below the loudest one are raised to this distance from it."""


class MelSpectrum(torch.nn.Module):
    """Power in dB in bands on the mel scale, each band's mean over the window taken away.

    Args:
        mels: Bands from 0 to 8000 Hz.
    """

    def __init__(self, mels: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hamming_window(WINDOW), persistent=False)
        self.register_buffer("filters", _filters(mels), persistent=False)

    def forward(self, pcm: torch.Tensor) -> torch.Tensor:
        """Map sound, float32[windows, samples], to spectra, float32[windows, mels, frames], a frame each 10 ms."""
        window, filters = self.get_buffer("window"), self.get_buffer("filters")
        spectrum = torch.stft(pcm, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
        power = filters @ (spectrum.real.square() + spectrum.imag.square())
        decibels = 10 * power.clamp(min=FLOOR).log10()
        audible = torch.maximum(decibels, decibels.amax(dim=(1, 2), keepdim=True) - RANGE_DB)
        return audible - audible.mean(dim=2, keepdim=True)


def _filters(mels: int) -> torch.Tensor:
    """Triangles as wide to the right as to the left, shape [mels, bins]."""
    highest = 2595 * torch.tensor(1 + SAMPLE_RATE / 2 / 700).log10()
    corners = 700 * (10 ** (torch.linspace(0, float(highest), mels + 2) / 2595) - 1)
    centres, widths = corners[1:-1, None], corners.diff()[:-1, None]
    slopes = (torch.linspace(0, SAMPLE_RATE // 2, WINDOW // 2 + 1) - centres) / widths
    return (1 - slopes.abs()).clamp(min=0)
