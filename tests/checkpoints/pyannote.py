"""Speaker diarization pipelines of pyannote.audio with random weights, in the published layouts, small and fast.

What they tell apart is gibberish; every step from sound to turns is the real one.
"""

from pathlib import Path
from typing import Any

import numpy as np

MELS = 8
"""Bands of the embedding network, whose width and depth can't be chosen: a tenth of the work of the published 80."""

SECONDS = 2.0
"""Of a chunk, instead of ten."""

COMMUNITY_1 = """\
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_batch_size: 32
    embedding: $model/embedding
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering:
    threshold: 0.6
    Fa: 0.07
    Fb: 0.8
  segmentation:
    min_duration_off: 0.0
"""

VERSION_3_1 = """\
version: 3.1.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: pyannote/wespeaker-voxceleb-resnet34-LM
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    segmentation: pyannote/segmentation-3.0
    segmentation_batch_size: 32
params:
  clustering:
    method: centroid
    min_cluster_size: 12
    threshold: 0.7045654963945799
  segmentation:
    min_duration_off: 0.0
"""


def build_community_1(folder: Path) -> Path:
    """Write a pipeline with its models inside, and return the folder.

    Its chunks follow each other by half their length, not by a tenth, which saves time.
    """
    build_segmentation(folder / "segmentation")
    build_embedding(folder / "embedding")
    build_plda(folder / "plda")
    step = "  params:\n    segmentation_step: 0.5\n"
    (folder / "config.yaml").write_text(COMMUNITY_1.replace("  params:\n", step, 1))
    return folder


def build_3_1(folder: Path) -> Path:
    """Write a pipeline that names its models, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(VERSION_3_1)
    return folder


def build_segmentation(folder: Path) -> Path:
    """Write a segmentation model of three speakers, two of them at once at most, and return the folder."""
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.segmentation import PyanNet

    torch.manual_seed(3)
    small = {"hidden_size": 8, "num_layers": 1}
    model = PyanNet(lstm=small, linear=small)
    model.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=SECONDS,
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    model.setup()
    with torch.no_grad():
        # Far from undecided, so that classes change with the sound.
        model.lstm.weight_ih_l0.mul_(8)
        model.lstm.weight_ih_l0_reverse.mul_(8)
        model.classifier.weight.mul_(40)
        model.classifier.bias.copy_(torch.tensor([0.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0]))
    return write_model(folder, model)


def build_embedding(folder: Path, *, seed: int = 5) -> Path:
    """Write WeSpeaker's ResNet34 as pyannote's checkpoint, and return the folder."""
    return write_model(folder, embedding_network(seed))


def build_wespeaker(folder: Path, *, seed: int = 5) -> Path:
    """Write the same network as WeSpeaker's own ``avg_model.pt``, with the head that it was trained with."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = embedding_network(seed).resnet.state_dict()
    torch.save({**state, "projection.weight": torch.zeros(4, 256)}, folder / "avg_model.pt")
    return folder


def embedding_network(seed: int = 5) -> Any:
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34

    torch.manual_seed(seed)
    model = WeSpeakerResNet34(num_mel_bins=MELS)
    model.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    return model.eval()


def build_plda(folder: Path) -> Path:
    """Write the transformations of VBx, and return the folder."""
    rng = np.random.RandomState(7)
    folder.mkdir(parents=True, exist_ok=True)
    size = 32
    np.savez(
        folder / "xvec_transform.npz",
        mean1=0.01 * rng.randn(256),
        mean2=0.01 * rng.randn(size),
        lda=np.linalg.qr(rng.randn(256, size))[0],
    )
    np.savez(
        folder / "plda.npz",
        mu=0.01 * rng.randn(size),
        tr=np.linalg.qr(rng.randn(size, size))[0],
        psi=np.linspace(9, 1, size),
    )
    return folder


def write_model(folder: Path, model: Any, **more: Any) -> Path:
    """Write a checkpoint as PyTorch Lightning and pyannote do, and return the folder."""
    import lightning
    import torch

    checkpoint: dict[str, Any] = {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": lightning.__version__,
        "state_dict": model.state_dict(),
        "hparams_name": "kwargs",
        "hyper_parameters": dict(model.hparams),
    }
    model.on_save_checkpoint(checkpoint)
    # A string that pickles as a class of its own, as in the published files.
    checkpoint["pyannote.audio"]["versions"]["torch"] = torch.__version__
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({**checkpoint, **more}, folder / "pytorch_model.bin")
    return folder
