"""A SpeechT5 and its vocoder with random weights, small enough to build inside a test."""

import string
from pathlib import Path

DIMENSION = 12
SAMPLES_PER_FRAME = 16
MELS = 4


def build_tiny_speecht5(folder: Path) -> Path:
    """Write a SpeechT5 for synthesis, with a tokenizer of English letters, into the folder and return it."""
    import torch
    from transformers import SpeechT5Config, SpeechT5ForTextToSpeech

    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder)
    config = SpeechT5Config(
        vocab_size=_vocabulary_size(folder),
        hidden_size=8,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=8,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=8,
        num_mel_bins=MELS,
        speech_decoder_prenet_units=8,
        speech_decoder_postnet_units=8,
        speech_decoder_postnet_layers=2,
        speaker_embedding_dim=DIMENSION,
        max_speech_positions=200,
        max_text_positions=60,
        encoder_max_relative_position=8,
    )
    torch.manual_seed(5)
    model = SpeechT5ForTextToSpeech(config)
    with torch.no_grad():
        # Left as they are, the random weights hardly hear whom they are to sound like.
        model.speecht5.decoder.prenet.speaker_embeds_layer.weight.mul_(20)
        # It never wants to stop: a clause is as long as it may be.
        model.speech_decoder_postnet.prob_out.bias.fill_(-20)
    model.save_pretrained(folder)
    return folder


def build_tiny_vocoder(folder: Path) -> Path:
    """Write a HiFi-GAN of 16 samples a frame into the folder and return it."""
    import torch
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    config = SpeechT5HifiGanConfig(
        model_in_dim=MELS,
        upsample_initial_channel=8,
        upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        initializer_range=0.3,
    )
    torch.manual_seed(6)
    SpeechT5HifiGan(config).save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path) -> None:
    from sentencepiece import SentencePieceTrainer

    letters = string.ascii_letters + ".,'!?-"
    SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(letters)] * 2),
        model_prefix=str(folder / "spm_char"),
        model_type="char",
        vocab_size=len(letters) + 5,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        minloglevel=2,
    )


def _vocabulary_size(folder: Path) -> int:
    from transformers import SpeechT5Tokenizer

    return len(SpeechT5Tokenizer.from_pretrained(str(folder), local_files_only=True))
