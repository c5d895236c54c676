"""A Whisper with random weights and a vocabulary of bytes, small enough to build inside a test.

What it writes is gibberish; every step from sound to words with times is the real one.
"""

import json
import string
from pathlib import Path


def build_tiny_whisper(folder: Path) -> Path:
    """Write a multilingual CTranslate2 Whisper model into a new folder.

    Args:
        folder: Where intermediate files and the model go; made if missing.

    Returns:
        The folder of the model, of about 0.4 MB.
    """
    from ctranslate2.converters import TransformersConverter

    original, converted = folder / "transformers", folder / "ctranslate2"
    original.mkdir(parents=True)
    special = _special_tokens()
    _write_tokenizer(original, special)
    _write_model(original, special)
    converter = TransformersConverter(str(original), copy_files=["tokenizer.json", "preprocessor_config.json"])
    converter.convert(str(converted), quantization="float32")
    return converted


def _text_tokens() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    # The empty token is what tells CTranslate2 a multilingual Whisper from an English one.
    return [*sorted(ByteLevel.alphabet()), ""]


def _special_tokens() -> dict[str, int]:
    """Map each special token to its id, in Whisper's order: they follow the text tokens, times come last."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    names = ["endoftext", "startoftranscript", *_LANGUAGE_CODES, "translate", "transcribe"]
    names += ["startoflm", "startofprev", "nospeech", "notimestamps"]
    names += [f"{step * 0.02:.2f}" for step in range(1501)]
    first = len(_text_tokens())
    return {f"<|{name}|>": first + index for index, name in enumerate(names)}


def _write_tokenizer(folder: Path, special: dict[str, int]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {token: index for index, token in enumerate(_text_tokens())}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    end = "<|endoftext|>"
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": end, "eos_token": end, "unk_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def _write_model(folder: Path, special: dict[str, int]) -> None:
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    torch.manual_seed(0)
    end, start = special["<|endoftext|>"], special["<|startoftranscript|>"]
    config = WhisperConfig(
        vocab_size=len(_text_tokens()) + len(special),
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    _speak_letters_only(model)
    model.generation_config = GenerationConfig(
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=[],
        begin_suppress_tokens=[],
        lang_to_id={token: id_ for token, id_ in special.items() if len(token) in (6, 7) and token[2:-2].isalpha()},
        alignment_heads=[[1, 0], [1, 1]],
    )
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(folder)


def _speak_letters_only(model: object) -> None:
    """Give weight to letters and the space alone (the output layer is the embedding), different at each position."""
    import torch

    decoder = model.model.decoder  # type: ignore[attr-defined]
    spoken = [_text_tokens().index(letter) for letter in [*string.ascii_lowercase, "Ġ"]]
    with torch.no_grad():
        weights = torch.zeros_like(decoder.embed_tokens.weight)
        weights[spoken] = torch.randn(len(spoken), weights.shape[1])
        decoder.embed_tokens.weight.copy_(weights)
        decoder.embed_positions.weight.normal_(std=4.0)
