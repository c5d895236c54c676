"""M2M100, NLLB and Marian with random weights and a vocabulary of a few dozen pieces, built inside a test.

What they write is gibberish; tokenizer files, configuration and weights are laid out as in the real checkpoints.
"""

import io
import json
from pathlib import Path
from typing import Any

SENTENCES = (
    "The house is red and the cat is on the roof.",
    "A man reads a book in the garden, and the dog sleeps.",
    "Where is the station? It is behind the old church!",
    "La casa es roja y el gato duerme en el tejado.",
    "Un hombre lee un libro en el jardín; ¿dónde está la estación?",
)
NLLB_CODES = ("eng_Latn", "fra_Latn", "spa_Latn", "zho_Hans", "zho_Hant")


def build_tiny_m2m100(folder: Path) -> Path:
    """Write a checkpoint as facebook/m2m100_418M is laid out into a new folder."""
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

    folder.mkdir(parents=True)
    pieces = _train(folder / "sentencepiece.bpe.model")
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
    _write_json(folder / "vocab.json", {token: index for index, token in enumerate(vocabulary)})
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "M2M100Tokenizer"})
    # Eight rows more than tokens, as fairseq's padding of the vocabulary leaves them.
    _save_m2m100(folder, len(vocabulary) + len(FAIRSEQ_LANGUAGE_CODES["m2m100"]) + 8)
    return folder


def build_tiny_nllb(folder: Path) -> Path:
    """Write a checkpoint as facebook/nllb-200-distilled-600M is laid out into a new folder."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    folder.mkdir(parents=True)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=150, special_tokens=special))
    tokenizer.add_special_tokens([AddedToken(code, special=True) for code in (*NLLB_CODES, "<mask>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "NllbTokenizer"})
    _save_m2m100(folder, tokenizer.get_vocab_size() + 2)
    return folder


def build_tiny_marian(folder: Path, targets: tuple[str, ...] = ()) -> Path:
    """Write a checkpoint as Helsinki-NLP/opus-mt-en-es is laid out, or one of several targets."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir(parents=True)
    pieces = _train(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    vocabulary = ["</s>", "<unk>", *pieces, *(f">>{target}<<" for target in targets), "<pad>"]
    _write_json(folder / "vocab.json", {token: index for index, token in enumerate(vocabulary)})
    names = {"source_lang": "eng", "target_lang": "ROMANCE" if targets else "spa"}
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "MarianTokenizer", **names})
    torch.manual_seed(0)
    pad = vocabulary.index("<pad>")
    config = MarianConfig(
        vocab_size=len(vocabulary),
        pad_token_id=pad,
        eos_token_id=0,
        decoder_start_token_id=pad,
        forced_eos_token_id=0,
        scale_embedding=True,
        activation_function="swish",
        **_SIZES,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


_SIZES: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 512,
    "init_std": 0.5,
}


def _save_m2m100(folder: Path, vocabulary: int) -> None:
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    torch.manual_seed(0)
    config = M2M100Config(vocab_size=vocabulary, scale_embedding=True, **_SIZES)
    M2M100ForConditionalGeneration(config).save_pretrained(folder)


def _train(path: Path) -> list[str]:
    """Train a SentencePiece model and return its pieces."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=80, model_type="bpe", minloglevel=2
    )
    path.write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [piece for piece in map(processor.id_to_piece, range(len(processor))) if not piece.startswith("<")]


def _write_json(path: Path, fields: dict[str, object]) -> None:
    path.write_text(json.dumps(fields), "utf-8")
