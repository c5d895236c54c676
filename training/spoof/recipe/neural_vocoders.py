"""Two small neural vocoders, trained from human speech alone: mel spectrogram in, waveform out.

    python -m training.spoof.recipe.neural_vocoders --human FOLDER --out FOLDER [--minutes 12] [--device cuda]

writes ``neural_vocos.pt`` and ``neural_hifigan.pt``. ``neural_vocos`` follows Vocos (Siuzdak 2023): ConvNeXt blocks at
the frame rate and an inverse Fourier transform. ``neural_hifigan`` follows HiFi-GAN (Kong et al. 2020) in iSTFTNet's
form (Kaneko et al. 2022): transposed convolutions with multi-receptive-field blocks, and a short inverse transform for
the last step. Both learn from spectral losses at several resolutions and, towards the end, from discriminators of
magnitude and phase. Only speakers of the training split are heard. Training ends by the clock: longer sounds better.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.audio import SAMPLE_RATE, decode
from training.spoof.recipe.codecs import Pcm, fitted
from training.spoof.recipe.splits import speaker_of, split_of
from training.spoof.recipe.stft import mel_filters

Name = Literal["neural_vocos", "neural_hifigan"]

BANDS = 80
SIZE = 1024
HOP = 256
_SEGMENT = 8192
_BATCH = 8
_RESOLUTIONS = (256, 512, 1024)
_JUDGED_RESOLUTIONS = (256, 512)
_ADVERSARIAL_FROM = 0.7
_RATE, _JUDGE_RATE = 1e-3, 5e-4
_FLOOR = 1e-5
_SEED = 5


class Mel(nn.Module):
    """Log mel spectrogram: [batch, samples] to [batch, 80, samples // 256 + 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", torch.from_numpy(mel_filters(BANDS, SIZE)), persistent=False)

    def forward(self, pcm: Tensor) -> Tensor:
        """See the class."""
        mel: Tensor = self.get_buffer("filters") @ _transform(pcm, SIZE, HOP).abs()
        return torch.clamp(mel, min=_FLOOR).log()


class _ConvNext(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(self.depthwise(x).transpose(1, 2))
        change: Tensor = self.scale * self.narrow(functional.gelu(self.wide(hidden)))
        return x + change.transpose(1, 2)


class VocosVocoder(nn.Module):
    """ConvNeXt blocks and an inverse Fourier transform; [batch, 80, frames] to [batch, (frames - 1) * 256]."""

    def __init__(self, width: int = 128, depth: int = 5) -> None:
        super().__init__()
        self.first = nn.Conv1d(BANDS, width, 7, padding=3)
        self.blocks = nn.Sequential(*(_ConvNext(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, SIZE + 2)

    def forward(self, mel: Tensor) -> Tensor:
        """See the class."""
        hidden = self.norm(self.blocks(self.first(mel)).transpose(1, 2))
        return _from_polar(self.head(hidden).transpose(1, 2), SIZE, HOP)


class _Receptive(nn.Module):
    """Residual blocks of several kernel widths side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.ModuleList(
                nn.Conv1d(width, width, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation)
                for dilation in (1, 3)
            )
            for kernel in (3, 7)
        )

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for branch in self.branches:
            hidden = x
            assert isinstance(branch, nn.ModuleList)
            for layer in branch:
                hidden = hidden + layer(functional.leaky_relu(hidden, 0.1))
            total = total + hidden
        return total / len(self.branches)


class HifiGanVocoder(nn.Module):
    """Transposed convolutions by 8 and 8, and a transform of 16 for the last 4; shapes as of ``VocosVocoder``."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.first = nn.Conv1d(BANDS, width, 7, padding=3)
        widths = (width, width // 2, width // 4)
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(wide, narrow, 16, stride=8, padding=4) for wide, narrow in itertools.pairwise(widths)
        )
        self.mix = nn.ModuleList(_Receptive(narrow) for narrow in widths[1:])
        self.head = nn.Conv1d(widths[-1], 18, 7, padding=3)

    def forward(self, mel: Tensor) -> Tensor:
        """See the class."""
        hidden = self.first(mel[:, :, :-1])
        for up, mix in zip(self.up, self.mix, strict=True):
            hidden = mix(up(functional.leaky_relu(hidden, 0.1)))
        polar = self.head(functional.leaky_relu(hidden, 0.1))
        return _from_polar(functional.pad(polar, (0, 1), mode="replicate"), 16, 4)


class _Judge(nn.Module):
    """Convolutions over the complex spectrogram at one resolution, compressed; maps of what is real."""

    def __init__(self, size: int, width: int = 8) -> None:
        super().__init__()
        self._size = size
        strides = ((2, 1), (2, 1), (2, 2), (2, 2))
        channels = (2, width, width, 2 * width, 2 * width)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (5, 3), stride, (2, 1)))
            for (a, b), stride in zip(itertools.pairwise(channels), strides, strict=True)
        )
        self.last = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, pcm: Tensor) -> list[Tensor]:
        spectrum = _transform(pcm, self._size, self._size // 4)
        # Square-root compression: consonants count beside vowels.
        compressed = spectrum / torch.sqrt(spectrum.abs() + 1e-4)
        hidden = torch.view_as_real(compressed).movedim(-1, 1)
        maps = []
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), 0.1)
            maps.append(hidden)
        return [*maps, self.last(hidden)]


class Trainer:
    """Trains one vocoder until the clock says stop.

    Args:
        vocoder: Network from mel to samples.
        speech: Human recordings, mono float32 at 16 kHz.
        device: Of PyTorch.
    """

    def __init__(self, vocoder: nn.Module, speech: list[Pcm], device: str) -> None:
        self._vocoder = vocoder.to(device)
        self._mel = Mel().to(device)
        self._judges = nn.ModuleList(_Judge(size) for size in _JUDGED_RESOLUTIONS).to(device)
        self._optimizer = torch.optim.AdamW(vocoder.parameters(), _RATE, betas=(0.8, 0.95))
        self._judge_optimizer = torch.optim.AdamW(self._judges.parameters(), _JUDGE_RATE, betas=(0.8, 0.95))
        self._speech = [pcm for pcm in speech if len(pcm) > _SEGMENT]
        self._device = device
        self._rng = np.random.default_rng(_SEED)

    def train(self, minutes: float) -> int:
        """Train for so long; returns the number of steps."""
        begun = time.monotonic()
        for step in itertools.count(1):
            share = (time.monotonic() - begun) / (60 * minutes)
            if share >= 1:
                return step - 1
            for optimizer, rate in ((self._optimizer, _RATE), (self._judge_optimizer, _JUDGE_RATE)):
                optimizer.param_groups[0]["lr"] = rate * min(1.0, step / 100) * (1 - 0.9 * share)
            loss = self.step(adversarial=share >= _ADVERSARIAL_FROM)
            if step % 250 == 0:
                print(f"  {share:4.0%}  step {step}  spectral loss {loss:.3f}", flush=True)
        raise AssertionError("itertools.count ends")

    def step(self, *, adversarial: bool) -> float:
        """One batch; returns the spectral loss."""
        real = self._batch()
        made = self._vocoder(self._mel(real))
        if adversarial:
            self._teach_judges(real, made.detach())
        spectral = self._spectral(real, made)
        loss = spectral
        if adversarial:
            for judge in self._judges:
                maps, wanted = judge(made), judge(real)
                matching = sum(functional.l1_loss(a, b.detach()) for a, b in zip(maps[:-1], wanted[:-1], strict=True))
                loss = loss + 0.15 * functional.relu(1 - maps[-1]).mean() + 0.2 * matching
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._vocoder.parameters(), 5.0)
        self._optimizer.step()
        return float(spectral.detach())

    def _teach_judges(self, real: Tensor, made: Tensor) -> None:
        self._judge_optimizer.zero_grad()
        for judge in self._judges:
            loss = functional.relu(1 - judge(real)[-1]).mean() + functional.relu(1 + judge(made)[-1]).mean()
            loss.backward()  # type: ignore[no-untyped-call]
        self._judge_optimizer.step()

    def _spectral(self, real: Tensor, made: Tensor) -> Tensor:
        loss = 2 * functional.l1_loss(self._mel(made), self._mel(real))
        for size in _RESOLUTIONS:
            a, b = (_transform(pcm, size, size // 4).abs() for pcm in (made, real))
            loss = loss + (torch.linalg.norm(a - b) / torch.linalg.norm(b)) / len(_RESOLUTIONS)
            loss = loss + functional.l1_loss(torch.log(a + 1e-4), torch.log(b + 1e-4)) / len(_RESOLUTIONS)
        return loss

    def _batch(self) -> Tensor:
        pieces = []
        for _ in range(_BATCH):
            pcm = self._speech[int(self._rng.integers(len(self._speech)))]
            start = int(self._rng.integers(len(pcm) - _SEGMENT))
            piece = pcm[start : start + _SEGMENT]
            # Levels differ from recording to recording; what is nearly silent teaches little.
            pieces.append(piece * (10 ** self._rng.uniform(-0.3, 0.2) * 0.08 / max(float(piece.std()), 0.02)))
        return torch.from_numpy(np.stack(pieces).astype(np.float32)).to(self._device)


_NETWORKS: dict[Name, type[nn.Module]] = {"neural_vocos": VocosVocoder, "neural_hifigan": HifiGanVocoder}


def load_vocoder(path: Path) -> Callable[[Pcm, np.random.Generator], Pcm]:
    """Load a trained vocoder as a resynthesis: mono float32 at 16 kHz, shape [samples], to the same shape."""
    network = _NETWORKS[path.stem]()  # type: ignore[index]
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval()
    mel = Mel()

    def resynthesise(pcm: Pcm, rng: np.random.Generator) -> Pcm:
        gain = np.float32(10 ** rng.uniform(-0.2, 0.2) * 0.08 / max(float(pcm.std()), 1e-4))
        with torch.inference_mode():
            heard = torch.from_numpy(np.pad(pcm * gain, (0, HOP)))[None]
            made: Pcm = network(mel(heard))[0].numpy() / gain
        return fitted(made, len(pcm))

    return resynthesise


def log_spectral_distance(a: Pcm, b: Pcm) -> float:
    """Root mean square difference of the log power spectra of two recordings of the same length, dB."""
    logs = [torch.log10(_transform(torch.from_numpy(pcm)[None], 512, 128).abs() ** 2 + 1e-7) for pcm in (a, b)]
    return float(10 * (logs[0] - logs[1]).square().mean(dim=1).sqrt().mean())


def _transform(pcm: Tensor, size: int, hop: int) -> Tensor:
    return torch.stft(pcm, size, hop, window=torch.hann_window(size, device=pcm.device), return_complex=True)


def _from_polar(values: Tensor, size: int, hop: int) -> Tensor:
    """Log magnitudes and phases, [batch, size + 2, frames], to samples."""
    log_magnitude, phase = values.chunk(2, dim=1)
    spectrum = torch.polar(torch.exp(torch.clamp(log_magnitude, max=6.0)), phase)
    return torch.istft(spectrum, size, hop, window=torch.hann_window(size, device=values.device))


def main() -> None:
    """Train both, or one, and say how far from the original they sound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--human", type=Path, required=True, help="folder of human recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the vocoders")
    parser.add_argument("--only", choices=list(_NETWORKS))
    parser.add_argument("--minutes", type=float, default=12.0, help="for each vocoder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    recordings = sorted(arguments.human.glob("*.flac"))
    speech = [_load(file) for file in recordings if split_of(speaker_of(file)) == "train"]
    unheard = [_load(file) for file in recordings if split_of(speaker_of(file)) == "dev"][:12]
    for name, network in _NETWORKS.items():
        if arguments.only in (None, name):
            torch.manual_seed(_SEED)
            vocoder = network()
            steps = Trainer(vocoder, speech, arguments.device).train(arguments.minutes)
            path = arguments.out / f"{name}.pt"
            torch.save(vocoder.to("cpu").state_dict(), path)
            resynthesise = load_vocoder(path)
            distances = [log_spectral_distance(pcm, resynthesise(pcm, np.random.default_rng(0))) for pcm in unheard]
            print(f"{name}: {steps} steps, log-spectral distance {np.mean(distances):.1f} dB on unheard speakers")


def _load(file: Path) -> Pcm:
    with file.open("rb") as source:
        return decode(source, sample_rate=SAMPLE_RATE)


if __name__ == "__main__":
    main()
