"""Training of the compact network, and its way from PyTorch to ONNX and back."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import MissingWeights
from models.spoof import CHUNK_SAMPLES, CompactSettings
from models.spoof.calibration import Calibration
from models.spoof.checkpoint import SHIPPED
from models.spoof.compact import CompactDetector
from models.spoof.features import WIDTH, features

pytestmark = [pytest.mark.unit, pytest.mark.slow]

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from training.spoof.network import CompactNetwork, export, load_network, logits_of  # noqa: E402 - behind the skip
from training.spoof.training import Example, FeatureBank, FitSettings, Progress, batches, fit  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def noise(seed: int, *, beating: bool) -> np.ndarray:
    pcm = np.random.default_rng(seed).standard_normal(24_000)
    loudness = 1 + 0.9 * np.sin(np.arange(24_000) / 300) if beating else 1.0
    return (0.1 * loudness * pcm).astype(np.float32)


@pytest.fixture(scope="module")
def bank() -> FeatureBank:
    """A class that beats and one that doesn't."""
    return FeatureBank.of(
        Example(noise(seed, beating=bool(seed % 2)), seed % 2, f"group {seed % 4}") for seed in range(8)
    )


def test_a_checkpoint_scores_like_the_network_it_was_made_of(tmp_path: Path) -> None:
    torch.manual_seed(4)
    network = CompactNetwork()
    with torch.no_grad():
        # Untouched statistics would hide a batch normalisation that got lost on the way.
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.add_(0.5 * torch.rand_like(buffer))
    path = tmp_path / "mine.onnx"
    export(network, Calibration(2.0, -0.5), path, name="mine")
    detector = CompactDetector(CompactSettings(model=path, threads=1))
    chunks = np.stack([np.resize(noise(seed, beating=True), CHUNK_SAMPLES) for seed in range(3)])
    lengths = np.full(3, CHUNK_SAMPLES)
    expected = logits_of(network, features(chunks, lengths))
    np.testing.assert_allclose(detector.logits(chunks, lengths), expected, atol=1e-4)
    np.testing.assert_allclose(detector.score(chunks, lengths), 1 / (1 + np.exp(0.5 - 2 * expected)), atol=1e-4)
    assert detector.name == "mine"
    assert path.stat().st_size < 2_000_000

    loaded = load_network(path)
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(loaded.state_dict()[name], tensor)


def test_the_shipped_checkpoint_can_be_trained_on() -> None:
    network = load_network(SHIPPED)
    chunks = noise(1, beating=True)[None, :24_000]
    chunk = np.zeros((1, CHUNK_SAMPLES), np.float32)
    chunk[:, :24_000] = chunks
    lengths = np.array([24_000])
    logits = CompactDetector(CompactSettings(threads=1)).logits(chunk, lengths)
    np.testing.assert_allclose(logits_of(network, features(chunk, lengths)), logits, atol=1e-3)


def test_loading_what_is_missing_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"python -m training\.spoof\.train"):
        load_network(tmp_path / "none.onnx")


def test_a_file_that_is_no_checkpoint_is_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"model\.onnx isn't an ONNX file"):
        load_network(tmp_path / "model.onnx")


def test_training_tells_the_classes_apart_and_says_how_far_it_is(bank: FeatureBank) -> None:
    said: list[Progress] = []
    settings = FitSettings(steps=24, batch=8, shortest=60, longest=100, averaging=0.8)
    network = fit(CompactNetwork(), bank, settings, said.append, report_every=10)
    assert [progress.step for progress in said] == [10, 20, 24]
    assert said[-1].loss < said[0].loss
    chunks = np.stack([np.resize(noise(seed, beating=bool(seed % 2)), CHUNK_SAMPLES) for seed in range(20, 28)])
    logits = logits_of(network, features(chunks, np.full(8, CHUNK_SAMPLES)))
    assert logits[1::2].min() > logits[::2].max()


def test_training_is_repeatable(bank: FeatureBank) -> None:
    settings = FitSettings(steps=2, batch=4, shortest=40, longest=60)

    def trained() -> np.ndarray:
        torch.manual_seed(0)
        network = fit(CompactNetwork(), bank, settings)
        return network.classify.weight.detach().numpy()

    np.testing.assert_array_equal(trained(), trained())


def test_batches_hold_half_of_each_class_and_every_group(bank: FeatureBank) -> None:
    seen: set[int] = set()
    stretches = batches(bank, FitSettings(steps=1, batch=6, shortest=30, longest=50), np.random.default_rng(0))
    for _ in range(5):
        heard, labels = next(stretches)
        assert heard.dtype == labels.dtype == np.float32
        assert heard.shape[0] == 6
        assert 30 <= heard.shape[1] <= 50
        assert heard.shape[2] == WIDTH
        assert labels.sum() == 3
        assert np.isfinite(heard).all()
        seen.add(heard.shape[1])
    assert len(seen) > 1


def test_one_class_alone_is_refused(bank: FeatureBank) -> None:
    spoof = FeatureBank.of([Example(noise(1, beating=True), 1, "only")])
    with pytest.raises(ValueError, match="both classes"):
        next(batches(spoof, FitSettings(steps=1), np.random.default_rng(0)))
    joined = spoof.joined(FeatureBank.of([Example(noise(2, beating=False), 0, "real")]))
    assert len(joined) == 2
    np.testing.assert_array_equal(joined.bands[joined.starts[1] : joined.ends[1]], joined.bands[-len(spoof.bands) :])
    next(batches(joined, FitSettings(steps=1, batch=2), np.random.default_rng(0)))
