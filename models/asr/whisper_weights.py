"""Finding the folder of a CTranslate2 Whisper model."""

from pathlib import Path

from models.asr.settings import FasterWhisperSettings
from models.errors import MissingWeights

_FILES = ("config.json", "model.bin", "tokenizer.json")


def whisper_folder(settings: FasterWhisperSettings) -> Path:
    """Return the folder of the model that the settings name.

    A folder is taken as it is; anything else is a size or an id on the Hugging Face Hub, looked up in the local cache
    and fetched only where the settings allow it.

    Raises:
        MissingWeights: There is no such folder, it is incomplete, or the model is not in the cache.
    """
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        return _complete(folder)
    if folder.is_absolute() or settings.model.startswith((".", "~")):
        raise MissingWeights(
            f"there is no folder {folder} with a CTranslate2 Whisper model; convert one with "
            f"ct2-transformers-converter --model openai/whisper-large-v3 --output_dir {folder} "
            "--copy_files tokenizer.json preprocessor_config.json --quantization float16"
        )
    return _complete(_from_hub(settings))


def _complete(folder: Path) -> Path:
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if not any(folder.glob("vocabulary.*")):
        missing.append("vocabulary.json")
    if missing:
        raise MissingWeights(
            f"{folder} is not a complete CTranslate2 Whisper model: {', '.join(missing)} not found; convert or fetch "
            "the model again"
        )
    return folder


def _from_hub(settings: FasterWhisperSettings) -> Path:
    from faster_whisper import available_models, download_model
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    model = settings.model
    if "/" not in model and model not in available_models():
        raise MissingWeights(
            f"{model!r} is neither a folder nor a Whisper size that faster-whisper knows: "
            f"{', '.join(available_models())}; or give the id of a converted model on the Hugging Face Hub, owner/name"
        )
    try:
        folder: str = download_model(
            model,
            local_files_only=not settings.allow_download,
            cache_dir=settings.cache_dir,
            revision=settings.revision,
        )
    except HFValidationError as error:
        raise MissingWeights(f"{model!r} is neither a folder nor an id on the Hugging Face Hub") from error
    except (LocalEntryNotFoundError, HfHubHTTPError) as error:
        reason = "could not be fetched" if settings.allow_download else "is not on this machine"
        raise MissingWeights(
            f"the Whisper model {model!r} {reason}; fetch it with: {_fetch_command(settings)} "
            "(or name a local folder in `model`, or set `allow_download`)"
        ) from error
    return Path(folder)


def _fetch_command(settings: FasterWhisperSettings) -> str:
    options = {"revision": settings.revision, "cache_dir": settings.cache_dir}
    arguments = [repr(settings.model), *(f"{name}={value!r}" for name, value in options.items() if value is not None)]
    return f'python -c "from faster_whisper import download_model; download_model({", ".join(arguments)})"'
