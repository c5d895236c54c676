"""Folders of pretrained models: on this machine, or on the Hugging Face Hub where the settings allow a download."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from models.errors import MissingWeights
from models.settings import Settings


class HubSettings(Settings):
    """Where models that are named by an id on the Hugging Face Hub come from."""

    cache_dir: Path | None = Field(
        default=None, description="Folder of models fetched from the Hub; left out, the Hugging Face cache."
    )
    allow_download: bool = Field(
        default=False, description="Fetch a missing model when the engine starts, instead of refusing to start."
    )


def model_folder(model: str, files: Sequence[str], hub: HubSettings, *, revision: str | None = None) -> Path:
    """Return the folder of a pretrained model.

    A folder is taken as it is; anything else is an id on the Hub, ``owner/name``, looked up in the local cache and
    fetched only where the settings allow it.

    Args:
        model: The folder or the id.
        files: What must be in it, each a name, or several names with ``|`` between of which one is enough.
        hub: The cache, and whether it may be filled.
        revision: Commit, tag or branch on the Hub; None for the main branch.

    Raises:
        MissingWeights: There is no such folder, it is incomplete, or the model is not in the cache.
    """
    folder = Path(model).expanduser()
    is_path = folder.is_absolute() or model.startswith((".", "~"))
    if not is_path and not folder.is_dir():
        folder = _from_hub(model, files, hub, revision)
    if missing := _missing(folder, files):
        found = f"has no {', no '.join(missing).replace('|', ' or ')}" if folder.is_dir() else "does not exist"
        source = f"OWNER/NAME --local-dir {folder}" if is_path else _arguments(model, hub, revision)
        raise MissingWeights(f"the model {model} {found}; fetch it with: hf download {source}")
    return folder


def _from_hub(model: str, files: Sequence[str], hub: HubSettings, revision: str | None) -> Path:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = _snapshot(model, [names.split("|")[0] for names in files], hub, revision)
        if hub.allow_download and _missing(folder, files):
            folder = _snapshot(model, [name for names in files for name in names.split("|")], hub, revision)
        return folder
    except HFValidationError as error:
        raise MissingWeights(f"{model!r} is neither a folder nor an id on the Hugging Face Hub") from error
    except (LocalEntryNotFoundError, HfHubHTTPError) as error:
        reason = "could not be fetched" if hub.allow_download else "is not on this machine"
        raise MissingWeights(
            f"the model {model} {reason}; fetch it with: hf download {_arguments(model, hub, revision)} "
            "(or name a local folder, or set `allow_download`)"
        ) from error


def _snapshot(model: str, names: list[str], hub: HubSettings, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        model,
        revision=revision,
        cache_dir=hub.cache_dir,
        local_files_only=not hub.allow_download,
        allow_patterns=[*names, "*.json"],
    )
    return Path(folder)


def _missing(folder: Path, files: Sequence[str]) -> list[str]:
    return [names for names in files if not any((folder / name).is_file() for name in names.split("|"))]


def _arguments(model: str, hub: HubSettings, revision: str | None) -> str:
    options = {"--revision": revision, "--cache-dir": hub.cache_dir}
    return " ".join([model, *(f"{option} {value}" for option, value in options.items() if value is not None)])
