"""Published networks as ONNX graphs: the numbers must be those of PyTorch, on small checkpoints with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints.campplus import DIMENSION, MELS, build_campplus, campplus_forward, campplus_state
from checkpoints.pyannote import build_segmentation
from numpy.typing import NDArray

from models.diarization.segmentation import BATCH, CHUNK, Segmenter
from models.errors import InputError
from models.networks.campplus import campplus
from models.onnx_session import open_session
from models.pyannote_models import SEGMENTATION, pyannote_model
from models.speaker import CampplusSettings, build
from models.speaker.kaldi_filterbank import LEVEL, kaldi_fbank

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SECOND = 16_000


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.05, samples).astype(np.float32)


@pytest.mark.parametrize("frames", [38, 150, 201, 520])
def test_campplus_embeds_as_in_pytorch(frames: int) -> None:
    state = campplus_state()
    session = open_session(campplus({k: v.numpy() for k, v in state.items()}), device="cpu", threads=1)
    spectra = np.random.default_rng(1).normal(0, 2, (2, frames, MELS)).astype(np.float32)
    found = session.run(None, {"spectra": spectra})[0]
    np.testing.assert_allclose(found, campplus_forward(state, torch.from_numpy(spectra)).numpy(), atol=1e-4)


def test_spectra_are_kaldi_s() -> None:
    torchaudio = pytest.importorskip("torchaudio")
    pcm = noise(SECOND)
    levelled = torch.from_numpy(pcm * np.float32(LEVEL / np.sqrt(np.mean(np.square(pcm, dtype=np.float64)))))
    expected = torchaudio.compliance.kaldi.fbank(levelled[None], num_mel_bins=MELS, sample_frequency=16_000, dither=0)
    np.testing.assert_allclose(kaldi_fbank(pcm), (expected - expected.mean(0)).numpy(), atol=2e-3)


def test_campplus_is_an_encoder_with_a_space_of_its_own(tmp_path: Path) -> None:
    encoder = build(CampplusSettings(model=str(build_campplus(tmp_path)), device="cpu"))
    windows = [noise(SECOND, 1), noise(6400, 2), noise(SECOND, 3)]
    embeddings = encoder.embed(windows)
    assert (encoder.dimension, embeddings.shape) == (DIMENSION, (3, DIMENSION))
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.embed([windows[2] * np.float32(0.01)])[0], embeddings[2], atol=1e-3)
    assert encoder.name.startswith("campplus-")
    assert np.isfinite(encoder.embed([np.zeros(SECOND, dtype=np.float32)])).all()
    with pytest.raises(InputError, match=r"at least 0\.4 s"):
        encoder.embed([noise(6399)])


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.ones(2)}, tmp_path / "campplus_cn_en_common.pt")
    with pytest.raises(ValueError, match=r"does not hold the network CAM\+\+"):
        build(CampplusSettings(model=str(tmp_path)))
    torch.save({"state_dict": {"classifier.bias": torch.ones(7)}}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="does not hold the network PyanNet"):
        Segmenter(tmp_path, device="cpu", threads=1)
    torch.save({"state_dict": {"classifier.bias": torch.ones(4)}}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="other than 3 speakers"):
        Segmenter(tmp_path, device="cpu", threads=1)


def test_segmentation_is_that_of_pyannote(tmp_path: Path) -> None:
    folder = build_segmentation(tmp_path)
    pcm = noise(14 * SECOND)
    found = Segmenter(folder, device="cpu", threads=1).segment(pcm, step=2.5)
    model = pyannote_model(folder / "pytorch_model.bin", SEGMENTATION)
    assert found.starts.tolist() == [0, 39_960, 79_920]
    padded = np.pad(pcm, (0, CHUNK))
    chunks = np.stack([padded[start : start + CHUNK] for start in found.starts])
    with torch.inference_mode():
        classes = model(torch.from_numpy(chunks[:, None])).exp().numpy()
    sets = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]])
    np.testing.assert_allclose(found.activity, classes @ sets, atol=1e-3)
    assert (found.active == sets[classes.argmax(-1)].astype(bool)).mean() > 0.999
    assert len(np.unique(classes.argmax(-1))) > 1


@pytest.mark.parametrize(("samples", "chunks"), [(1, 1), (CHUNK, 1), (CHUNK + 1, 2), (CHUNK + BATCH * 160_000, 9)])
def test_chunks_cover_the_recording(tmp_path: Path, samples: int, chunks: int) -> None:
    segmenter = Segmenter(build_segmentation(tmp_path), device="cpu", threads=1)
    found = segmenter.segment(np.zeros(samples, dtype=np.float32), step=10)
    assert len(found.starts) == len(found.active) == len(found.activity) == chunks
    assert found.starts[-1] + CHUNK >= samples
