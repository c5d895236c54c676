"""All weights that serve_config.yaml names, under the names that it gives them: published formats, few numbers.

They lie in S3 as production has them: what is named s3://... there, and what is named by a model hub in the mirror.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from checkpoints.m2m100 import build_tiny_m2m100
from checkpoints.piper import build_tiny_piper
from checkpoints.wavlm import build_tiny_detector
from checkpoints.whisper import build_tiny_whisper
from checkpoints.xvector import build_tiny_ecapa

from models.translation.conversion import convert
from models.weights.cache import entry_of
from models.weights.configuration import needs_of
from models.weights.digests import sha256_of
from models.weights.manifest import Manifest, ManifestFile
from models.weights.mirror import MirrorOrigin
from models.weights.references import Reference
from models.weights.sources import HubSource, S3Source


def fill_s3(config: Path, mirror: S3Source, folder: Path) -> None:
    """Make weights for a configuration and put them where it says that they are.

    Args:
        config: The Serve configuration.
        mirror: Of weights from the hub.
        folder: Where they are made.
    """
    s3 = boto3.client("s3", region_name="us-east-1")
    for number, need in enumerate(needs_of(config)):
        reference = need.reference
        source = reference.weights.source(reference.name)
        made = BUILDERS[reference.engine, reference.setting](_new(folder / str(number)))
        if isinstance(source, S3Source):
            s3.create_bucket(Bucket=source.bucket)
            for path, file in _files(made, reference):
                s3.upload_file(str(file), source.bucket, f"{source.key}/{path}" if path else source.key)
        else:
            assert isinstance(source, HubSource)
            s3.create_bucket(Bucket=mirror.bucket)
            described = tuple(
                ManifestFile(path=path, size=file.stat().st_size, sha256=sha256_of(file))
                for path, file in _files(made, reference)
            )
            manifest = Manifest(reference=str(source), source="a test", fetched=datetime.now(UTC), files=described)
            MirrorOrigin(mirror, entry_of(source, reference.weights)).push(made, manifest, lambda _bytes: None)


def _files(made: Path, reference: Reference) -> list[tuple[str, Path]]:
    """Return the files that are needed of what was made, by their paths inside; one file is by itself."""
    if made.is_file():
        return [("", made)]
    paths = [path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()]
    chosen = reference.weights.chosen(paths)
    assert chosen, (reference, paths)
    return [(path, made / path) for path in chosen]


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def tiny_backbone(folder: Path) -> dict[str, Any]:
    """Write what the tiny WavLM is, which is not what the settings take it for, and return the setting for it."""
    from checkpoints.wavlm import tiny_wavlm_config

    tiny_wavlm_config().save_pretrained(_new(folder))
    return {"backbone": str(folder)}


def _wavlm(folder: Path) -> Path:
    import torch
    from safetensors.torch import save_file

    state = torch.load(build_tiny_detector(folder), weights_only=True)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "wavlm.safetensors")
    return folder / "wavlm.safetensors"


def _m2m100(folder: Path) -> Path:
    convert(str(build_tiny_m2m100(folder / "m2m100")), folder / "converted", quantization="float32")
    return folder / "converted"


def _pyannote(folder: Path) -> Path:
    from checkpoints.pyannote import build_community_1

    return build_community_1(folder)


def _piper(folder: Path) -> Path:
    build_tiny_piper(folder)
    build_tiny_piper(folder, "es_ES-tiny", espeak={"voice": "es"}, language={"code": "es_ES", "family": "es"})
    return folder


def _wav2lip(folder: Path) -> Path:
    from checkpoints.wav2lip import random_network, save_state

    return save_state(random_network(), folder / "wav2lip.pth")


def _s3fd(folder: Path) -> Path:
    from checkpoints.s3fd import build_s3fd

    return build_s3fd(folder / "s3fd.pth")


BUILDERS: dict[tuple[str, str], Callable[[Path], Path]] = {
    ("ctranslate2", "models.0"): _m2m100,
    ("ecapa", "model"): build_tiny_ecapa,
    ("faster-whisper", "model"): build_tiny_whisper,
    ("piper", "folder"): _piper,
    ("pyannote", "model"): _pyannote,
    ("wav2lip", "checkpoint"): _wav2lip,
    ("wav2lip", "detector"): _s3fd,
    ("wavlm", "checkpoint"): _wavlm,
}
"""By engine and setting: makes the weights inside a folder, and returns their file or folder."""
