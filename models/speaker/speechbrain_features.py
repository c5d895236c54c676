"""Features of SpeechBrain's speaker models (``speechbrain.lobes.features.Fbank``) on torchaudio."""

import torch
from torchaudio.transforms import AmplitudeToDB, Spectrogram

SAMPLE_RATE = 16_000
WINDOW = 400
HOP = 160
RANGE_DB = 80.0
"""Dynamic range: bands further below the loudest one are raised to this distance from it."""


class MelSpectrum(torch.nn.Module):
    """Power in dB in bands on the mel scale, each band's mean over the window taken away.

    Args:
        mels: Bands from 0 to 8000 Hz.
    """

    def __init__(self, mels: int) -> None:
        super().__init__()
        self.power = Spectrogram(WINDOW, hop_length=HOP, window_fn=torch.hamming_window, pad_mode="constant")
        self.decibels = AmplitudeToDB("power", RANGE_DB)
        self.register_buffer("filters", _filters(mels), persistent=False)

    def forward(self, pcm: torch.Tensor) -> torch.Tensor:
        """Map sound, float32[windows, samples], to spectra, float32[windows, mels, frames], a frame each 10 ms."""
        mels = self.get_buffer("filters") @ self.power(pcm)
        # The dynamic range is that of a window by itself, which AmplitudeToDB takes for a channel's axis.
        decibels: torch.Tensor = self.decibels(mels[:, None])[:, 0]
        return decibels - decibels.mean(dim=2, keepdim=True)


def _filters(mels: int) -> torch.Tensor:
    """Return SpeechBrain's triangles, shape [mels, bins]: as wide to the right as to the left, unlike torchaudio's."""
    highest = 2595 * torch.tensor(1 + SAMPLE_RATE / 2 / 700).log10()
    corners = 700 * (10 ** (torch.linspace(0, float(highest), mels + 2) / 2595) - 1)
    centres, widths = corners[1:-1, None], corners.diff()[:-1, None]
    slopes = (torch.linspace(0, SAMPLE_RATE // 2, WINDOW // 2 + 1) - centres) / widths
    return (1 - slopes.abs()).clamp(min=0)
