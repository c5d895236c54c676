"""A VITS with random weights, small enough to build inside a test: it says noise, but every step is the real one."""

import json
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz' "
SAMPLES_PER_FRAME = 16


def build_tiny_vits(
    folder: Path,
    *,
    letters: str = LETTERS,
    speakers: int = 1,
    sample_rate: int = 16_000,
    tokenizer: dict[str, object] | None = None,
) -> Path:
    """Write a checkpoint as MMS has them.

    Args:
        folder: Where it goes; made if missing.
        letters: What its tokenizer knows.
        speakers: How many it has.
        sample_rate: Of its speech.
        tokenizer: Fields of tokenizer_config.json that are to be otherwise.

    Returns:
        The folder.
    """
    import torch
    from transformers import VitsConfig, VitsModel

    folder.mkdir(parents=True, exist_ok=True)
    config = VitsConfig(
        vocab_size=len(letters) + 1,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=8,
        flow_size=8,
        spectrogram_bins=5,
        num_speakers=speakers,
        speaker_embedding_size=4 if speakers > 1 else 0,
        upsample_initial_channel=8,
        upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        depth_separable_num_layers=1,
        duration_predictor_num_flows=2,
        duration_predictor_filter_channels=8,
        prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        sampling_rate=sample_rate,
    )
    torch.manual_seed(3)
    VitsModel(config).save_pretrained(folder)
    vocabulary = {"<pad>": 0, **{letter: index for index, letter in enumerate(letters, start=1)}}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    fields = {
        "tokenizer_class": "VitsTokenizer",
        "add_blank": True,
        "normalize": True,
        "phonemize": False,
        "is_uroman": False,
        "pad_token": "<pad>",
        "unk_token": "<pad>",
        **(tokenizer or {}),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(fields), encoding="utf-8")
    return folder
