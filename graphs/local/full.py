"""The best engines for a machine that reaches a model hub: what ``MODELS=full`` adds to the local configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deployments.serve_config import check
from graphs.local.engines import arguments_of_graphs, with_engines

FILE = "serve_config.full.yaml"
_VOICES = "hf://rhasspy/piper-voices@v1.0.0"
_HEAD = """\
# Written by `make run MODELS=full`, anew at each such start: the local configuration with the best engines for a
# machine that reaches a model hub. Copy it to change it, and start the copy with `make run SERVE_CONFIG=COPY`.
"""

FULL: Mapping[str, Mapping[str, Any]] = {
    "asr": {"engine": "faster-whisper", "model": "large-v3-turbo", "allow_download": True},
    "diarization": {
        "engine": "pyannote",
        "model": "pyannote/speaker-diarization-community-1",
        "allow_download": True,
    },
    "translation": {"engine": "ctranslate2", "models": ["hf://facebook/m2m100_418M"], "allow_download": True},
}
"""Engines that take the place of the local configuration's."""

PIPER_VOICES = {
    "en": "set://piper-en-us-joe",
    "ru": f"{_VOICES}/ru/ru_RU/irina/medium",
    "es": f"{_VOICES}/es/es_ES/davefx/medium",
    "de": f"{_VOICES}/de/de_DE/thorsten/medium",
    "fr": f"{_VOICES}/fr/fr_FR/siwis/medium",
}
"""Voices of Piper that are added to the synthesisers, by language; the licence of each is in its ``MODEL_CARD``."""


class _Dumper(yaml.SafeDumper):
    """Writes what stands in several places out in each of them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def full(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the best engines in the place of its own."""
    own = (arguments_of_graphs(config).get("speech") or {}).get("engine") or {"engine": "espeak"}
    members = list(own["engines"]) if own.get("engine") == "combined" else [own]
    piper = [{"engine": "piper", "folder": folder, "allow_download": True} for folder in PIPER_VOICES.values()]
    speech = {"engine": "combined", "engines": [*piper, *members]}
    return with_engines(config, {role: {"engine": dict(engine)} for role, engine in {**FULL, "speech": speech}.items()})


def write(config: Mapping[str, Any], folder: Path) -> Path:
    """Write a configuration into the data folder, and return its path.

    Raises:
        ConfigError: It is not valid.
    """
    check(config)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(_HEAD + yaml.dump(dict(config), Dumper=_Dumper, sort_keys=False), "utf-8")
    return path
