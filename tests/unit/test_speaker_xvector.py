"""SpeechBrain's encoders, on small checkpoints with random weights."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from checkpoints.xvector import build_tiny_ecapa, build_tiny_xvector
from numpy.typing import NDArray

from models.errors import InputError, MissingWeights
from models.speaker import CompactSettings, EcapaSettings, SpeakerEncoder, SpectralSettings, XvectorSettings, build
from models.speaker.compact import SHIPPED

pytestmark = [pytest.mark.unit, pytest.mark.slow]

Build = Callable[[Path], SpeakerEncoder]
SECOND = 16_000

# What SpeechBrain 1.1.2's own modules (Fbank, InputNormalization and the network) make of the same checkpoints and
# sounds, L2-normalised.
XVECTORS = {
    16_000: [
        -0.19238,
        0.0792,
        0.19281,
        -0.15194,
        -0.13558,
        0.50878,
        0.16136,
        0.734,
        0.21735,
        0.05127,
        -1e-05,
        -0.06751,
    ],
    9_001: [-0.19187, 0.08024, 0.19337, -0.1477, -0.13198, 0.50998, 0.16183, 0.73428, 0.21728, 0.052, 0.0028, -0.0691],
}
ECAPA = {
    16_000: [0.49995, -0.07822, 0.45654, -0.40465, -0.12051, 0.12612, -0.35774, -0.02339, 0.21651, -0.1817, -0.03293,
             -0.36309],
    9_001: [0.50131, -0.1035, 0.4449, -0.4333, -0.08621, 0.11149, -0.33529, -0.04366, 0.21508, -0.19252, -0.03617,
            -0.36535],
}  # fmt: skip


def sound(samples: int) -> NDArray[np.float32]:
    """A rising voice of eleven harmonics over a rising tone."""
    time = np.arange(samples) / SECOND
    made = 0.02 * np.cos(1e3 * time**2)
    for partial in range(1, 12):
        made += 0.3 / partial * np.sin(2 * np.pi * 130 * partial * time * (1 + 0.2 * time))
    return (made / 2).astype(np.float32)


def xvector(folder: Path) -> SpeakerEncoder:
    return build(XvectorSettings(model=str(build_tiny_xvector(folder)), device="cpu"))


def ecapa(folder: Path) -> SpeakerEncoder:
    return build(EcapaSettings(model=str(build_tiny_ecapa(folder)), device="cpu"))


BOTH = pytest.mark.parametrize("built", [xvector, ecapa])


@pytest.mark.parametrize(("built", "expected"), [(xvector, XVECTORS), (ecapa, ECAPA)])
def test_embeddings_are_those_of_speechbrain(tmp_path: Path, built: Build, expected: dict[int, list[float]]) -> None:
    embeddings = built(tmp_path).embed([sound(samples) for samples in expected])
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, list(expected.values()), atol=5e-5)


@BOTH
def test_an_embedding_is_a_unit_vector_that_does_not_depend_on_its_company(tmp_path: Path, built: Build) -> None:
    encoder = built(tmp_path)
    windows = [sound(samples) for samples in (SECOND, 6400, SECOND, 7777)]
    windows[2] = windows[2][::-1].copy()
    for window in windows:
        window.flags.writeable = False
    together = encoder.embed(windows)
    assert together.shape == (4, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, np.concatenate([encoder.embed([window]) for window in windows]), atol=1e-6)
    assert np.abs(together[0] - together[2]).max() > 1e-4


@BOTH
def test_silence_has_a_finite_embedding_and_no_windows_have_none(tmp_path: Path, built: Build) -> None:
    encoder = built(tmp_path)
    assert np.isfinite(encoder.embed([np.zeros(SECOND, np.float32)])).all()
    assert encoder.embed([]).shape == (0, encoder.dimension)


@BOTH
def test_too_little_speech_is_refused(tmp_path: Path, built: Build) -> None:
    with pytest.raises(InputError, match=r"at least 0\.4 s") as refused:
        built(tmp_path).embed([sound(SECOND), sound(6399)])
    assert refused.value.code == "too_short"


def test_threads_get_their_own_embeddings(tmp_path: Path) -> None:
    encoder = xvector(tmp_path)
    windows = [sound(samples) for samples in range(8000, 16_000, 1000)]
    expected = [encoder.embed([window]) for window in windows]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda window: encoder.embed([window]), windows))
    np.testing.assert_array_equal(found, expected)


def test_an_encoder_names_the_space_of_its_embeddings(tmp_path: Path) -> None:
    assert xvector(tmp_path / "x").name == "xvector"
    assert ecapa(tmp_path / "e").name == "ecapa"
    assert build(SpectralSettings()).name == "spectral"
    assert build(CompactSettings()).name == "compact"
    (tmp_path / "other.onnx").write_bytes(SHIPPED.read_bytes())
    assert build(CompactSettings(model=tmp_path / "other.onnx")).name.startswith("compact-")


@pytest.mark.usefixtures("weights_caches")
def test_a_missing_checkpoint_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"has no embedding_model\.ckpt.*hf download"):
        build(XvectorSettings(model=str(tmp_path)))
    with pytest.raises(MissingWeights, match=r"spkrec-ecapa-voxceleb are missing.*python -m models\.weights pull"):
        build(EcapaSettings())
    with pytest.raises(MissingWeights, match="neither a folder nor an id"):
        build(EcapaSettings(model="one/two/three"))


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "embedding_model.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"embedding_model\.ckpt is damaged"):
        build(XvectorSettings(model=str(tmp_path)))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    build_tiny_ecapa(tmp_path / "ecapa")
    build_tiny_xvector(tmp_path / "xvector")
    with pytest.raises(ValueError, match="does not hold the xvector network"):
        build(XvectorSettings(model=str(tmp_path / "ecapa")))
    with pytest.raises(ValueError, match="does not hold the ecapa network"):
        build(EcapaSettings(model=str(tmp_path / "xvector")))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"layer": Path("/")}, tmp_path / "embedding_model.ckpt")
    with pytest.raises(ValueError, match="more than tensors"):
        build(XvectorSettings(model=str(tmp_path)))
