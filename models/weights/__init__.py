"""Weights of the engines: named by URI, fetched once on each node, mirrored in S3.

A setting that names weights is text annotated with `Weights`, which says what the engine needs; the engine turns the
name into a place on this machine when it starts:

>>> class EcapaSettings(DownloadSettings):                                       # doctest: +SKIP
...     model: Annotated[str, ECAPA] = "speechbrain/spkrec-ecapa-voxceleb"
>>> folder = resolve(settings.model, ECAPA, allow_download=settings.allow_download)  # doctest: +SKIP

``python -m models.weights pull serve_config.yaml`` fetches all that a configuration names. Named sets, ``set://NAME``,
are pinned by content in ``models.weights.catalogue``. See docs/weights.md.
"""

from models.weights.resolve import cached, resolve
from models.weights.settings import DownloadSettings
from models.weights.spec import Conversion, Weights

__all__ = ["Conversion", "DownloadSettings", "Weights", "cached", "resolve"]
