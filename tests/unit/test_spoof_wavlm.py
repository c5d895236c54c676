"""The detector on WavLM, on one with random weights: the head, the checkpoints and what is refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints.wavlm import build_tiny_detector, build_tiny_wavlm, tiny_wavlm_config
from numpy.typing import NDArray

from models.errors import MissingWeights
from models.spoof import CHUNK_SAMPLES, SpoofDetector, WavLmSettings, build, padded
from models.spoof.wavlm_network import WavLmNetwork, backbone_config

pytestmark = [pytest.mark.unit, pytest.mark.slow]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_detector(tmp_path_factory.mktemp("wavlm"))


def detector(checkpoint: Path, **settings: Any) -> SpoofDetector:
    given = {"backbone": checkpoint.parent, "device": "cpu", **settings}
    return build(WavLmSettings(checkpoint=checkpoint, **given))


def noise(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, (count, CHUNK_SAMPLES)).astype(np.float32)


def full(count: int) -> NDArray[np.int64]:
    return np.full(count, CHUNK_SAMPLES, np.int64)


def saved(folder: Path, content: object) -> Path:
    torch.save(content, folder / "saved.pth")
    return folder / "saved.pth"


def state_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)
    return state


def test_the_head_averages_frames_to_128_and_weighs_each(checkpoint: Path) -> None:
    chunks = noise(2)
    scores = detector(checkpoint).score(chunks, full(2))

    state = state_of(checkpoint)
    network = WavLmNetwork(tiny_wavlm_config()).eval()
    network.load_state_dict(state)
    with torch.no_grad():
        frames = network.wavlm(torch.tensor(chunks)).last_hidden_state.double().numpy()
    weight = state["linear.weight"].double().numpy().reshape(32, 128)
    logits = np.zeros(2)
    for i in range(128):  # bins of adaptive pooling: floor(i T / 128) to ceil((i + 1) T / 128)
        pooled = frames[:, i * 199 // 128 : -(-(i + 1) * 199 // 128)].mean(axis=1)
        logits += pooled @ weight[:, i]
    expected = 1 / (1 + np.exp(-(logits + state["linear.bias"].item())))
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert scores.dtype == np.float32


def test_the_waveform_is_heard_as_it_is(checkpoint: Path) -> None:
    chunks = noise(1)
    with torch.no_grad():
        network = WavLmNetwork(tiny_wavlm_config()).eval()
        network.load_state_dict(state_of(checkpoint))
        expected = torch.sigmoid(network(torch.tensor(chunks * 0.05))).numpy()
    scores = detector(checkpoint).score(chunks * np.float32(0.05), full(1))
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_a_short_chunk_is_heard_with_zeros_behind_it(checkpoint: Path) -> None:
    short = padded(noise(1)[0, :20_000])[None]
    engine = detector(checkpoint)
    np.testing.assert_array_equal(engine.score(short, np.array([20_000])), engine.score(short, full(1)))


def test_chunks_of_a_batch_do_not_touch_each_other(checkpoint: Path) -> None:
    engine, chunks = detector(checkpoint), noise(5)
    chunks[3] *= 20
    alone = [engine.score(chunks[i : i + 1], full(1))[0] for i in range(5)]
    together = engine.score(chunks, full(5))
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(set(np.round(together, 4))) > 1


def test_read_only_and_empty_batches_are_scored(checkpoint: Path) -> None:
    engine, chunks = detector(checkpoint), noise(1)
    chunks.flags.writeable = False
    assert engine.score(chunks, full(1)).shape == (1,)
    assert engine.score(noise(0), full(0)).shape == (0,)


@pytest.mark.parametrize("form", ["model_state_dict", "weight_norm of older versions", "no mask embedding"])
def test_other_forms_of_the_checkpoint_score_the_same(checkpoint: Path, tmp_path: Path, form: str) -> None:
    state = state_of(checkpoint)
    if form == "no mask embedding":
        del state["wavlm.masked_spec_embed"]
    if form == "weight_norm of older versions":
        position = "wavlm.encoder.pos_conv_embed.conv."
        state[position + "weight_g"] = state.pop(position + "parametrizations.weight.original0")
        state[position + "weight_v"] = state.pop(position + "parametrizations.weight.original1")
    other = saved(tmp_path, {"model_state_dict": state, "epoch": 3} if form == "model_state_dict" else state)
    chunks = noise(1)
    np.testing.assert_array_equal(
        detector(other, backbone=checkpoint.parent).score(chunks, full(1)), detector(checkpoint).score(chunks, full(1))
    )


def test_safetensors_are_taken_with_a_calibration_in_their_metadata(checkpoint: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    file = tmp_path / "model.safetensors"
    save_file(state_of(checkpoint), file, metadata={"calibration": '{"scale": 2.0, "bias": -1.0}'})
    chunks = noise(1)
    plain = detector(checkpoint).score(chunks, full(1)).astype(float)
    logits = np.log(plain / (1 - plain))
    scores = detector(file, backbone=checkpoint.parent).score(chunks, full(1))
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-(2 * logits - 1))), atol=1e-5)


def test_a_calibration_in_the_checkpoint_is_applied(checkpoint: Path, tmp_path: Path) -> None:
    content = {"model_state_dict": state_of(checkpoint), "calibration": {"scale": 0.5, "bias": 1.5}}
    chunks = noise(2)
    plain = detector(checkpoint).score(chunks, full(2)).astype(float)
    logits = np.log(plain / (1 - plain))
    scores = detector(saved(tmp_path, content), backbone=checkpoint.parent).score(chunks, full(2))
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-(0.5 * logits + 1.5))), atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_scores_nearly_the_same_in_float32(checkpoint: Path, precision: str) -> None:
    chunks = noise(2)
    exact = detector(checkpoint).score(chunks, full(2))
    half = detector(checkpoint, precision=precision).score(chunks, full(2))
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, exact, atol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_scores_in_half_precision_by_itself(checkpoint: Path) -> None:
    chunks = noise(8)
    engine = detector(checkpoint, device="auto")
    np.testing.assert_allclose(engine.score(chunks, full(8)), detector(checkpoint).score(chunks, full(8)), atol=0.02)


def test_a_missing_checkpoint_says_how_to_get_one(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"training\.spoof\.train"):
        detector(tmp_path / "none.pth", backbone=checkpoint.parent)


def test_a_missing_backbone_configuration_says_how_to_get_one(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="hf download"):
        detector(checkpoint, backbone=tmp_path)


def test_missing_unexpected_and_misshapen_keys_are_named(checkpoint: Path, tmp_path: Path) -> None:
    state = state_of(checkpoint)
    del state["linear.bias"]
    state["classifier.weight"] = torch.zeros(2)
    state["linear.weight"] = torch.zeros(1, 7)
    with pytest.raises(ValueError, match="does not fit") as refused:
        detector(saved(tmp_path, state), backbone=checkpoint.parent)
    message = str(refused.value)
    assert "missing: linear.bias" in message
    assert "unexpected: classifier.weight" in message
    assert "linear.weight is [1, 7] instead of [1, 4096]" in message


def test_a_checkpoint_of_another_backbone_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="12 layers with hidden size 768"):
        detector(checkpoint, backbone=None)


class _RunsWhenLoaded:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (f"{os.environ['VOICEGRAPH_TEST_TRAP']}",)


def test_a_pickle_that_runs_code_is_refused_unrun(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEGRAPH_TEST_TRAP", str(tmp_path / "trap"))
    trap = saved(tmp_path, {"model_state_dict": _RunsWhenLoaded()})
    with pytest.raises(ValueError, match="more than tensors"):
        detector(trap, backbone=checkpoint.parent)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("content", [[1, 2], {"model_state_dict": 3}, {"epoch": 4}])
def test_what_is_no_state_dict_is_refused(checkpoint: Path, tmp_path: Path, content: object) -> None:
    with pytest.raises(ValueError, match="no state dict"):
        detector(saved(tmp_path, content), backbone=checkpoint.parent)


@pytest.mark.parametrize("name", ["damaged.pth", "damaged.safetensors"])
def test_a_damaged_file_is_refused(checkpoint: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x07not a checkpoint" * 9)
    with pytest.raises(ValueError, match="damaged"):
        detector(tmp_path / name, backbone=checkpoint.parent)


@pytest.mark.parametrize("calibration", [{"scale": 1.0}, {"scale": -1.0, "bias": 0.0}, "none"])
def test_a_calibration_that_is_none_is_refused(checkpoint: Path, tmp_path: Path, calibration: object) -> None:
    content = {"model_state_dict": state_of(checkpoint), "calibration": calibration}
    with pytest.raises(ValueError, match="calibration"):
        detector(saved(tmp_path, content), backbone=checkpoint.parent)


def test_a_configuration_of_another_model_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "hubert"}')
    with pytest.raises(ValueError, match="'hubert', not 'wavlm'"):
        detector(checkpoint, backbone=tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="no GPU"):
        detector(checkpoint, device="cuda")


@pytest.mark.parametrize(
    ("chunks", "lengths"),
    [
        (noise(1)[:, :-1], full(1)),
        (noise(1).astype(np.float64), full(1)),
        (noise(1)[0], full(1)),
        (noise(2), full(1)),
        (noise(1), full(1).astype(np.float32)),
        (noise(1), np.array([0])),
        (noise(1), np.array([CHUNK_SAMPLES + 1])),
        (noise(1) * np.float32(np.nan), full(1)),
    ],
)
def test_batches_of_another_shape_are_refused(
    checkpoint: Path, chunks: NDArray[np.float32], lengths: NDArray[np.int64]
) -> None:
    with pytest.raises(ValueError, match=r"chunks must|lengths must"):
        detector(checkpoint).score(chunks, lengths)


def test_the_default_backbone_is_wavlm_base_in_full_size() -> None:
    torch.manual_seed(0)
    network = WavLmNetwork(backbone_config(None)).eval()
    frames: list[torch.Size] = []
    network.wavlm.register_forward_hook(lambda _module, _inputs, output: frames.append(output.last_hidden_state.shape))
    with torch.no_grad():
        logits = network(torch.tensor(noise(1)))
    assert frames == [(1, 199, 768)]
    assert logits.shape == (1,)
    assert logits.isfinite().all()
    assert network.linear.weight.shape == (1, 98_304)
    assert sum(parameter.numel() for parameter in network.wavlm.parameters()) == 94_381_936


def test_a_saved_backbone_folder_describes_itself(tmp_path: Path) -> None:
    assert backbone_config(build_tiny_wavlm(tmp_path)).hidden_size == 32
