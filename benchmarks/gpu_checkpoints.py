"""Checkpoints with random weights for the benchmark of a GPU: of published sizes, or tiny ones to try the script."""

import json
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.translation import SHAPE, SMALL, VOCABULARY

_LETTERS = "abcdefghijklmnopqrstuvwxyz' "
_WHISPER_TEXT_TOKENS = 50_257


@dataclass(frozen=True)
class Sizes:
    """Arguments of the libraries' configurations, from which the checkpoints are built.

    Attributes:
        whisper: Of ``WhisperConfig``.
        whisper_text_tokens: Tokens of its vocabulary that are text.
        wavlm: Of ``WavLMConfig``; None for microsoft/wavlm-base's.
        ecapa: Channels of the layers, groups, channels before the pooling, and of the two bottlenecks.
        m2m100: See ``benchmarks.translation``.
        m2m100_vocabulary: Likewise.
        vits: Of ``VitsConfig``, whose defaults are MMS's.
    """

    whisper: dict[str, int]
    whisper_text_tokens: int
    wavlm: dict[str, Any] | None
    ecapa: tuple[int, int, int, int]
    m2m100: dict[str, int]
    m2m100_vocabulary: int
    vits: dict[str, Any]


PUBLISHED = Sizes(
    # openai/whisper-large-v3, config.json
    whisper={
        "d_model": 1280,
        "encoder_layers": 32,
        "decoder_layers": 32,
        "encoder_attention_heads": 20,
        "decoder_attention_heads": 20,
        "encoder_ffn_dim": 5120,
        "decoder_ffn_dim": 5120,
        "num_mel_bins": 128,
    },
    whisper_text_tokens=_WHISPER_TEXT_TOKENS,
    wavlm=None,
    # speechbrain/spkrec-ecapa-voxceleb, hyperparams.yaml
    ecapa=(1024, 8, 3072, 128),
    m2m100=SHAPE,
    m2m100_vocabulary=VOCABULARY,
    vits={},
)
TINY = Sizes(
    whisper={
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
    },
    whisper_text_tokens=0,
    wavlm={
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "conv_dim": (16,) * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    },
    ecapa=(16, 4, 48, 8),
    m2m100=SMALL,
    m2m100_vocabulary=1000,
    vits={
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "ffn_dim": 8,
        "flow_size": 8,
        "spectrogram_bins": 5,
        "upsample_initial_channel": 8,
        "upsample_rates": [4, 4],
        "upsample_kernel_sizes": [8, 8],
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1]],
        "depth_separable_num_layers": 1,
        "duration_predictor_num_flows": 2,
        "duration_predictor_filter_channels": 8,
        "prior_encoder_num_flows": 1,
        "prior_encoder_num_wavenet_layers": 1,
        "posterior_encoder_num_wavenet_layers": 1,
    },
)


def write_whisper(folder: Path, sizes: Sizes) -> Path:
    """Write a Whisper of CTranslate2 that speaks letters at random, as many as a window may have; return its folder."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    original, converted = folder / "transformers", folder / "ctranslate2"
    original.mkdir(parents=True)
    text = _text_tokens(sizes)
    special = _special_tokens(len(text))
    _write_whisper_tokenizer(original, text, special)
    torch.manual_seed(0)
    end, start = special["<|endoftext|>"], special["<|startoftranscript|>"]
    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}
    config = WhisperConfig(
        vocab_size=len(text) + len(special), suppress_tokens=None, begin_suppress_tokens=None, **ends, **sizes.whisper
    )
    model: Any = WhisperForConditionalGeneration(config)
    spoken = [text.index(letter) for letter in [*string.ascii_lowercase, "Ġ"]]
    with torch.no_grad():
        embedding = model.model.decoder.embed_tokens.weight
        letters = torch.randn(len(spoken), embedding.shape[1])
        embedding.zero_()
        embedding[spoken] = letters
        model.model.decoder.embed_positions.weight.normal_(std=4.0)
    last = config.decoder_layers - 1
    model.generation_config = GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[],
        lang_to_id={
            token: number for token, number in special.items() if len(token) in (6, 7) and token[2:-2].isalpha()
        },
        alignment_heads=[[last, 0], [last, 1]],
        **ends,
    )
    model.save_pretrained(original)
    WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(original)
    converter = TransformersConverter(str(original), copy_files=["tokenizer.json", "preprocessor_config.json"])
    converter.convert(str(converted), quantization="float16")
    return converted


def _text_tokens(sizes: Sizes) -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    # The empty token is what tells CTranslate2 a multilingual Whisper from an English one.
    tokens = [*sorted(ByteLevel.alphabet()), ""]
    return tokens + [f"filler{number}" for number in range(sizes.whisper_text_tokens - len(tokens))]


def _special_tokens(first: int) -> dict[str, int]:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    names = ["endoftext", "startoftranscript", *_LANGUAGE_CODES, "translate", "transcribe"]
    names += ["startoflm", "startofprev", "nospeech", "notimestamps"]
    names += [f"{step * 0.02:.2f}" for step in range(1501)]
    return {f"<|{name}|>": first + index for index, name in enumerate(names)}


def _write_whisper_tokenizer(folder: Path, text: list[str], special: dict[str, int]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(text)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    end = "<|endoftext|>"
    fields = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": end, "eos_token": end, "unk_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(fields), "utf-8")


def write_wavlm(folder: Path, sizes: Sizes) -> tuple[Path, Path]:
    """Write a spoof detector on WavLM; return the checkpoint and the folder of the backbone's configuration."""
    import torch
    from transformers import WavLMConfig

    from models.spoof.calibration import Calibration
    from models.spoof.wavlm_checkpoint import save_checkpoint
    from models.spoof.wavlm_network import WavLmNetwork, backbone_config

    folder.mkdir()
    torch.manual_seed(0)
    config = backbone_config(None) if sizes.wavlm is None else WavLMConfig(**sizes.wavlm)
    config.save_pretrained(folder)
    save_checkpoint(folder / "random.pth", WavLmNetwork(config), Calibration())
    return folder / "random.pth", folder


def write_ecapa(folder: Path, sizes: Sizes) -> Path:
    """Write SpeechBrain's ECAPA-TDNN and return its folder."""
    import torch

    width, groups, wide, narrow = sizes.ecapa
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *weight: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, weight[:1]

    def norm(name: str, channels: int) -> None:
        for kind in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{kind}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    def time_delay(name: str, *weight: int) -> None:
        layer(f"{name}.conv.conv", *weight)
        norm(f"{name}.norm.norm", weight[0])

    time_delay("blocks.0", width, 80, 5)
    for block in ("blocks.1", "blocks.2", "blocks.3"):
        time_delay(f"{block}.tdnn1", width, width, 1)
        for group in range(groups - 1):
            time_delay(f"{block}.res2net_block.blocks.{group}", width // groups, width // groups, 3)
        time_delay(f"{block}.tdnn2", width, width, 1)
        layer(f"{block}.se_block.conv1.conv", narrow, width, 1)
        layer(f"{block}.se_block.conv2.conv", width, narrow, 1)
    time_delay("mfa", wide, 3 * width, 1)
    time_delay("asp.tdnn", narrow, 3 * wide, 1)
    layer("asp.conv.conv", wide, narrow, 1)
    norm("asp_bn.norm", 2 * wide)
    layer("fc.conv", 192, 2 * wide, 1)
    torch.manual_seed(0)
    folder.mkdir()
    torch.save({name: _values(name, shape) for name, shape in shapes.items()}, folder / "embedding_model.ckpt")
    return folder


def _values(name: str, shape: tuple[int, ...]) -> Any:
    import torch

    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("norm.weight")):
        return torch.ones(shape)
    fan_in = max(1, torch.Size(shape[1:]).numel())
    return torch.randn(shape) / fan_in**0.5 if len(shape) > 1 else torch.zeros(shape)


def write_pyannote(folder: Path) -> tuple[Path, Path, Path]:
    """Write a pipeline like pyannote's 3.1, always of published size, which is small; return it and its two models."""
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications

    from models.pyannote_models import EMBEDDING, SEGMENTATION

    torch.manual_seed(0)
    tasks = {
        "segmentation": Specifications(
            problem=Problem.MONO_LABEL_CLASSIFICATION,
            resolution=Resolution.FRAME,
            duration=10.0,
            classes=["speaker#1", "speaker#2", "speaker#3"],
            powerset_max_classes=2,
            permutation_invariant=True,
        ),
        "embedding": Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=["one", "other"]
        ),
    }
    networks = {"segmentation": SEGMENTATION["PyanNet"](), "embedding": EMBEDDING["WeSpeakerResNet34"]()}
    for part, network in networks.items():
        network.specifications = tasks[part]
        network.setup()
        described = {
            "architecture": {"module": type(network).__module__, "class": type(network).__name__},
            "specifications": tasks[part],
            "versions": {},
        }
        (folder / part).mkdir(parents=True)
        content = {"pyannote.audio": described, "hyper_parameters": {}, "state_dict": network.state_dict()}
        torch.save(content, folder / part / "pytorch_model.bin")
    (folder / "config.yaml").write_text(_PYANNOTE_CONFIG, "utf-8")
    return folder, folder / "segmentation", folder / "embedding"


# As JSON, which is YAML.
_PYANNOTE_CONFIG = json.dumps(
    {
        "version": "3.1.0",
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {
                "clustering": "AgglomerativeClustering",
                "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
                "embedding_exclude_overlap": True,
                "segmentation": "pyannote/segmentation-3.0",
            },
        },
        "params": {
            "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
            "segmentation": {"min_duration_off": 0.0},
        },
    }
)


def write_m2m100(folder: Path, sizes: Sizes) -> Path:
    """Write an M2M100 of CTranslate2 in int8 and return its folder."""
    from benchmarks.translation import write_checkpoint
    from models.translation.conversion import convert

    original, converted = folder / "transformers", folder / "ctranslate2"
    original.mkdir(parents=True)
    write_checkpoint(original, sizes.m2m100, sizes.m2m100_vocabulary)
    convert(str(original), converted, quantization="int8")
    return converted


def write_vits(folder: Path, sizes: Sizes) -> Path:
    """Write a VITS as MMS has them and return its folder."""
    import torch
    from transformers import VitsConfig, VitsModel

    folder.mkdir()
    torch.manual_seed(0)
    VitsModel(VitsConfig(vocab_size=len(_LETTERS) + 1, **sizes.vits)).save_pretrained(folder)
    vocabulary = {"<pad>": 0, **{letter: index for index, letter in enumerate(_LETTERS, start=1)}}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    fields = {
        "tokenizer_class": "VitsTokenizer",
        "add_blank": True,
        "normalize": True,
        "phonemize": False,
        "is_uroman": False,
        "pad_token": "<pad>",
        "unk_token": "<pad>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(fields), "utf-8")
    return folder
