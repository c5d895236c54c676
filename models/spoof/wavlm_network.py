"""WavLM (Chen et al., 2021, https://arxiv.org/abs/2110.13900) with RealTone's head."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import WavLMConfig, WavLMModel

from models.errors import MissingWeights

POOLED_FRAMES = 128
"""Frames that the head sees of each chunk; WavLM makes 199 of 4 s."""

# What decides the shape and the arithmetic of microsoft/wavlm-base, whatever the library's defaults become.
_BASE: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "do_stable_layer_norm": False,
    "feat_extract_norm": "group",
    "feat_extract_activation": "gelu",
    "conv_dim": (512, 512, 512, 512, 512, 512, 512),
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_bias": False,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "num_buckets": 320,
    "max_bucket_distance": 800,
    "add_adapter": False,
}


class WavLmNetwork(nn.Module):
    """WavLM, its frames averaged to 128 along time, and one linear layer over all of them.

    Keys of the state dict: ``wavlm.*``, ``linear.weight`` [1, H * 128] and ``linear.bias`` [1], H being the
    backbone's hidden size.
    """

    def __init__(self, config: WavLMConfig) -> None:
        super().__init__()
        self.config = config
        self.wavlm = WavLMModel(config)
        self.pool = nn.AdaptiveAvgPool1d(POOLED_FRAMES)
        self.linear = nn.Linear(config.hidden_size * POOLED_FRAMES, 1)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return logits of spoof, float32[B].

        Args:
            waveforms: Mono at 16 kHz, [B, samples], as decoded: neither normalised nor masked. In the
                backbone's type; the head computes in its own.
        """
        frames = self.wavlm(waveforms).last_hidden_state.to(self.linear.weight.dtype)
        pooled: torch.Tensor = self.pool(frames.transpose(1, 2))
        logits: torch.Tensor = self.linear(pooled.flatten(1)).squeeze(-1)
        return logits.float()


def backbone_config(folder: Path | None) -> WavLMConfig:
    """Return the configuration in a folder, or that of microsoft/wavlm-base.

    Raises:
        MissingWeights: The folder has no ``config.json``.
        ValueError: It is not a configuration of WavLM.
    """
    if folder is None:
        return WavLMConfig.from_dict(_BASE)
    file = folder.expanduser() / "config.json"
    if not file.is_file():
        raise MissingWeights(
            f"there is no {file}; fetch it from the model's page, for instance with: "
            f"hf download microsoft/wavlm-base config.json --local-dir {folder}"
        )
    values, _ = WavLMConfig.get_config_dict(str(file.parent), local_files_only=True)
    if values.get("model_type") != "wavlm":
        raise ValueError(f"{file} describes a model of type {values.get('model_type')!r}, not 'wavlm'")
    return WavLMConfig.from_dict(values)


def describe(config: WavLMConfig) -> str:
    """Name a configuration in messages."""
    return f"WavLM of {config.num_hidden_layers} layers with hidden size {config.hidden_size}"
