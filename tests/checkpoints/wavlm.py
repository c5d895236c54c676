"""WavLM and other transformers with random weights, small enough to build inside a test; every step is the real one."""

from pathlib import Path
from typing import Any

_TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16, 16, 16, 16, 16, 16, 16),
    "num_conv_pos_embeddings": 16,
    # oneDNN 3.10 gets grouped bfloat16 convolutions of 8 channels a group wrong on CPUs with AMX.
    "num_conv_pos_embedding_groups": 2,
}


def tiny_wavlm_config() -> Any:
    """The configuration of WavLM in small: 2 layers, hidden size 32, and the strides of the real one."""
    from transformers import WavLMConfig

    return WavLMConfig(**_TINY, num_buckets=32, max_bucket_distance=80)


def build_tiny_wavlm(folder: Path, *, seed: int = 0) -> Path:
    """Save a backbone into a folder, as from the hub: config.json and model.safetensors."""
    import torch
    from transformers import WavLMModel

    torch.manual_seed(seed)
    WavLMModel(tiny_wavlm_config()).save_pretrained(folder)
    return folder


def build_tiny_detector(folder: Path, *, seed: int = 0) -> Path:
    """Save a bare state dict with RealTone's head as ``chk3.pth`` into a folder, and its config.json beside it."""
    import torch

    from models.spoof.wavlm_network import WavLmNetwork

    torch.manual_seed(seed)
    config = tiny_wavlm_config()
    network = WavLmNetwork(config)
    torch.nn.init.normal_(network.linear.weight, std=0.1)
    config.save_pretrained(folder)
    torch.save(network.state_dict(), folder / "chk3.pth")
    return folder / "chk3.pth"


def build_tiny_classifier(
    folder: Path,
    labels: tuple[str, ...] = ("bonafide", "spoof"),
    *,
    wav2vec2: bool = False,
    mask: bool = True,
    sample_rate: int = 16_000,
) -> Path:
    """Save a model for audio classification with its feature extractor and label map into a folder.

    Args:
        folder: Made if missing.
        labels: The label map.
        wav2vec2: Wav2Vec2 instead of WavLM.
        mask: Layer norms and an attention mask; else a group norm and none.
        sample_rate: What the feature extractor asks for.
    """
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForSequenceClassification,
        WavLMConfig,
        WavLMForSequenceClassification,
    )

    torch.manual_seed(0)
    named = {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "feat_extract_norm": "layer" if mask else "group",
        "classifier_proj_size": 16,
    }
    kind: Any = Wav2Vec2ForSequenceClassification if wav2vec2 else WavLMForSequenceClassification
    config: Any = Wav2Vec2Config if wav2vec2 else WavLMConfig
    model = kind(config(**_TINY, **named))
    torch.nn.init.normal_(model.classifier.weight, std=3.0)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=sample_rate, do_normalize=True, return_attention_mask=mask)
    extractor.save_pretrained(folder)
    return folder
