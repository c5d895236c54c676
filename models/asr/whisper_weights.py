"""Files of a Whisper model, and the named sets and Hugging Face repositories of its sizes."""

from models.weights import Weights

_SIZES = {
    "tiny": "Systran/faster-whisper-tiny",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v1": "Systran/faster-whisper-large-v1",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}

_SETS = {"base": "whisper-base", "tiny.en": "whisper-tiny.en"}

WHISPER = Weights(
    files=("config.json", "model.bin", "tokenizer.json", "vocabulary.json|vocabulary.txt"),
    more=("preprocessor_config.json",),
    aliases={
        **{size: f"hf://{model}" for size, model in _SIZES.items()},
        **{size: f"set://{name}" for size, name in _SETS.items()},
    },
    how="convert one with: ct2-transformers-converter --model openai/whisper-large-v3 --output_dir {path} "
    "--copy_files tokenizer.json preprocessor_config.json --quantization float16",
)
"""A Whisper model of CTranslate2."""
