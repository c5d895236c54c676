"""Wav2Lip's network: parity, its faster form, and its checkpoints."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints.wav2lip import random_network, save_state, save_torchscript
from lipsync_cases import parity

from models.lipsync.torchscript_weights import is_torchscript, read_torchscript
from models.lipsync.wav2lip_checkpoint import load_network
from models.lipsync.wav2lip_folded import FaceTerms, FoldedWav2Lip, Run
from models.lipsync.wav2lip_layers import FoldedLayer
from models.lipsync.wav2lip_network import Wav2LipNetwork
from models.lipsync.winograd import WinogradLayer

pytestmark = [pytest.mark.unit, pytest.mark.slow]


@pytest.fixture(scope="module")
def network() -> Wav2LipNetwork:
    return random_network()


def inputs(frames: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    faces = rng.uniform(0, 1, (frames, 6, 96, 96)).astype(np.float32)
    mel = rng.uniform(-4, 4, (frames, 1, 80, 16)).astype(np.float32)
    return torch.from_numpy(mel), torch.from_numpy(faces)


@pytest.fixture(scope="module")
def fast(network: Wav2LipNetwork) -> FoldedWav2Lip:
    return folded(network, 0)


def folded(network: Wav2LipNetwork, top: int) -> FoldedWav2Lip:
    return FoldedWav2Lip(network, torch.device("cpu"), torch.float32, top)


def faces_from(terms: FaceTerms, start: int, stop: int) -> FaceTerms:
    return FaceTerms(tuple(layer[start:stop] for layer in terms.layers))


def same_weights(one: Wav2LipNetwork, other: Wav2LipNetwork) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_tensors_bear_the_published_names(network: Wav2LipNetwork) -> None:
    published = json.loads((parity() / "state_dict.json").read_text("utf-8"))
    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == published


@torch.inference_mode()
def test_the_output_is_that_of_another_implementation(network: Wav2LipNetwork, fast: FoldedWav2Lip) -> None:
    expected = np.load(parity() / "case.npz")["output"]
    mel, faces = inputs()
    drawn = fast.draw(fast.voices(mel), [Run(2, fast.terms(fast.skips(faces)))])
    np.testing.assert_allclose(network(mel, faces).numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(drawn.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("top", [31, 60])
@torch.inference_mode()
def test_the_folded_network_draws_the_same_rows(network: Wav2LipNetwork, top: int) -> None:
    mel, faces = inputs()
    fast = folded(network, top)
    drawn = fast.draw(fast.voices(mel), [Run(2, fast.terms(fast.skips(faces)))])
    assert drawn.shape == (2, 3, 96 - top, 96)
    np.testing.assert_allclose(drawn.numpy(), network(mel, faces)[:, :, top:].numpy(), atol=1e-4)


@torch.inference_mode()
def test_half_precision_draws_nearly_the_same(network: Wav2LipNetwork) -> None:
    mel, faces = inputs(1)
    half = FoldedWav2Lip(network, torch.device("cpu"), torch.float16, 48)
    drawn = half.draw(half.voices(mel), [Run(1, half.terms(half.skips(faces)))])
    assert drawn.dtype == torch.float32
    np.testing.assert_allclose(drawn.numpy(), network(mel, faces)[:, :, 48:].numpy(), atol=0.01)


@torch.inference_mode()
def test_one_face_serves_many_frames_and_a_batch_holds_several(network: Wav2LipNetwork, fast: FoldedWav2Lip) -> None:
    mel, faces = inputs(3)
    shown = faces[[0, 0, 1]]
    terms = fast.terms(fast.skips(faces[:2]))
    runs = [Run(2, faces_from(terms, 0, 1)), Run(1, faces_from(terms, 1, 2))]
    drawn = fast.draw(fast.voices(mel), runs)
    np.testing.assert_allclose(drawn.numpy(), network(mel, shown).numpy(), atol=1e-4)


@pytest.mark.parametrize("size", [(8, 12), (5, 7), (1, 1)])
@pytest.mark.parametrize("residual", [True, False])
@torch.inference_mode()
def test_winograds_filtering_convolves(size: tuple[int, int], residual: bool) -> None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(128, 128, 3, 3, generator=random) / 1152**0.5
    layer = FoldedLayer(weight, torch.randn(128, generator=random), (1, 1), 1, residual)
    images = torch.randn(3, 128, *size, generator=random).contiguous(memory_format=torch.channels_last)

    fast = WinogradLayer.or_as_it_is(layer)

    assert isinstance(fast, WinogradLayer)
    before = images.clone()
    np.testing.assert_allclose(fast(images).numpy(), layer(images).numpy(), atol=1e-4)
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    "layer",
    [
        FoldedLayer(torch.zeros(64, 64, 3, 3), torch.zeros(64), (1, 1), 1),
        FoldedLayer(torch.zeros(128, 128, 1, 1), torch.zeros(128), (1, 1), 0),
        FoldedLayer(torch.zeros(128, 128, 3, 3), torch.zeros(128), (2, 2), 1),
        FoldedLayer(torch.zeros(128, 128, 3, 3), torch.zeros(128), (1, 1), 1, grown=0),
        FoldedLayer(torch.zeros(128, 128, 3, 3, dtype=torch.float16), torch.zeros(128), (1, 1), 1),
    ],
)
def test_other_layers_are_convolved_directly(layer: FoldedLayer) -> None:
    assert WinogradLayer.or_as_it_is(layer) is layer


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_state_dict_is_loaded(network: Wav2LipNetwork, tmp_path: Path, prefix: str) -> None:
    assert same_weights(load_network(save_state(network, tmp_path / "wav2lip.pth", prefix=prefix)), network)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_torchscript_file_is_loaded_without_its_program(
    network: Wav2LipNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save_torchscript(network, tmp_path / "wav2lip.pt")
    monkeypatch.setattr(torch.jit, "load", None)
    assert same_weights(load_network(file), network)


def test_the_tensors_of_any_torchscript_module_are_those_of_its_state_dict(tmp_path: Path) -> None:
    layers: Any = torch.nn.Sequential(torch.nn.Conv2d(1, 2, (1, 3)), torch.nn.BatchNorm2d(2))
    layers[1].double()
    torch.jit.script(layers).save(str(tmp_path / "layers.pt"))
    found, expected = read_torchscript(tmp_path / "layers.pt"), layers.state_dict()
    assert found.keys() == expected.keys()
    assert all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in expected.items()
    )


def test_a_torchscript_file_that_asks_for_a_function_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil/data.pkl", b"cos\nsystem\n(S'true'\ntR.")
        archive.writestr("evil/constants.pkl", b"")
    assert is_torchscript(file)
    with pytest.raises(ValueError, match=r"os\.system"):
        load_network(file)


def test_a_torchscript_file_whose_tensors_reach_beyond_their_data_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "long.pt"
    torch.jit.script(torch.nn.Linear(8, 8)).save(str(file))
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data[:64] if "/data/" in name else data)
    with pytest.raises(ValueError, match="damaged"):
        read_torchscript(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"other.weight": torch.zeros(1)}}, "not a checkpoint of Wav2Lip"),
        ({"state_dict": 3}, "no state dict"),
        ([1, 2], "no state dict"),
        ({"state_dict": {"face_encoder_blocks.0.0.conv_block.0.weight": torch.zeros(16, 6, 7, 7)}}, "missing: .* more"),
        ({"state_dict": {"face_encoder_blocks.0.0.conv_block.0.weight": torch.zeros(1)}}, r"is \[1\] instead of \[16"),
        ({"state_dict": {"x": Path("x")}}, "more than tensors"),
    ],
)
def test_another_checkpoint_is_refused(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=message):
        load_network(tmp_path / "other.pth")


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wav2lip.pth").write_bytes(b"PK\3\4" + bytes(100))
    with pytest.raises(ValueError, match="damaged"):
        load_network(tmp_path / "wav2lip.pth")
