"""Models for audio classification as detectors: small ones with random weights, saved as on the hub."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints.wavlm import build_tiny_classifier
from numpy.typing import NDArray
from transformers import Wav2Vec2FeatureExtractor, WavLMForSequenceClassification

from models.errors import MissingWeights
from models.spoof import CHUNK_SAMPLES, ClassifierSettings, SpoofDetector, build, padded
from models.spoof.classifier import spoof_labels

pytestmark = [pytest.mark.unit, pytest.mark.slow]


def detector(folder: Path, **settings: Any) -> SpoofDetector:
    return build(ClassifierSettings(model=folder, device="cpu", **settings))


def tones(count: int) -> NDArray[np.float32]:
    """Chunks that sound different from each other and do not repeat."""
    time = np.arange(CHUNK_SAMPLES) / 16_000
    rows = [np.sin(2 * np.pi * (150 * (row + 1) * time + 40 * time**2)) * (0.1 + row) for row in range(count)]
    return np.array(rows, np.float32)


def full(count: int) -> NDArray[np.int64]:
    return np.full(count, CHUNK_SAMPLES, np.int64)


def test_scores_are_the_softmax_of_the_models_own_steps(tmp_path: Path) -> None:
    folder = build_tiny_classifier(tmp_path)
    chunks = tones(2)
    model = WavLMForSequenceClassification.from_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    with torch.no_grad():
        inputs = extractor(list(chunks), sampling_rate=16_000, return_tensors="pt")
        expected = model(inputs.input_values).logits.softmax(dim=1)[:, 1].numpy()
    scores = detector(folder).score(chunks, full(2))
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert scores.dtype == np.float32


def test_the_label_map_says_which_output_is_spoof(tmp_path: Path) -> None:
    chunks = tones(2)
    first = detector(build_tiny_classifier(tmp_path / "a", ("fake", "real"))).score(chunks, full(2))
    second = detector(build_tiny_classifier(tmp_path / "b", ("real", "fake"))).score(chunks, full(2))
    np.testing.assert_allclose(first, 1 - second, atol=1e-6)
    assert np.abs(first - 0.5).max() > 0.01


def test_probabilities_of_several_spoof_labels_add_up(tmp_path: Path) -> None:
    folder = build_tiny_classifier(tmp_path, ("tts", "human", "voice-cloned"))
    chunks = tones(1)
    by_name = detector(folder).score(chunks, full(1))
    parts = [detector(folder, spoof_labels=(label,)).score(chunks, full(1)) for label in ("tts", "voice-cloned")]
    np.testing.assert_allclose(by_name, sum(parts), atol=1e-6)


def test_one_output_is_a_sigmoid_for_or_against_spoof(tmp_path: Path) -> None:
    chunks = tones(2)
    scores = detector(build_tiny_classifier(tmp_path / "a", ("spoof",))).score(chunks, full(2))
    opposite = detector(build_tiny_classifier(tmp_path / "b", ("bonafide",))).score(chunks, full(2))
    np.testing.assert_allclose(scores, 1 - opposite, atol=1e-6)
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("mask", [True, False], ids=["attention mask", "no mask"])
@pytest.mark.parametrize("wav2vec2", [True, False], ids=["wav2vec2", "wavlm"])
def test_a_short_chunk_scores_the_same_alone_and_among_long_ones(tmp_path: Path, wav2vec2: bool, mask: bool) -> None:
    engine = detector(build_tiny_classifier(tmp_path, wav2vec2=wav2vec2, mask=mask))
    chunks, lengths = tones(3), np.array([CHUNK_SAMPLES, 20_000, 9_000])
    for row, length in enumerate(lengths):
        chunks[row] = padded(chunks[row, :length])
    alone = [engine.score(chunks[i : i + 1], lengths[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(engine.score(chunks, lengths), alone, atol=1e-4)


def test_padding_is_not_scored(tmp_path: Path) -> None:
    engine = detector(build_tiny_classifier(tmp_path, mask=False))
    chunk = padded(tones(1)[0, :20_000])[None]
    assert engine.score(chunk, np.array([20_000])) != engine.score(chunk, full(1))


def test_a_chunk_shorter_than_a_frame_is_scored(tmp_path: Path) -> None:
    engine = detector(build_tiny_classifier(tmp_path))
    assert 0 <= engine.score(padded(tones(1)[0, :1])[None], np.array([1]))[0] <= 1


def test_audio_is_resampled_to_what_the_extractor_asks_for(tmp_path: Path) -> None:
    folder = build_tiny_classifier(tmp_path, sample_rate=8_000)
    chunks = tones(1)
    from scipy.signal import resample_poly

    model = WavLMForSequenceClassification.from_pretrained(folder)
    half = resample_poly(chunks[0], 1, 2).astype(np.float32)
    with torch.no_grad():
        normal = (half - half.mean()) / np.sqrt(half.var() + 1e-7)
        expected = model(torch.tensor(normal)[None]).logits.softmax(dim=1)[0, 1].item()
    assert detector(folder).score(chunks, full(1))[0] == pytest.approx(expected, abs=1e-4)


def test_weights_in_a_bin_file_are_taken(tmp_path: Path) -> None:
    folder = build_tiny_classifier(tmp_path)
    chunks = tones(1)
    expected = detector(folder).score(chunks, full(1))
    torch.save(WavLMForSequenceClassification.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    np.testing.assert_array_equal(detector(folder).score(chunks, full(1)), expected)


def test_half_precision_is_nearly_the_same(tmp_path: Path) -> None:
    folder = build_tiny_classifier(tmp_path)
    chunks = tones(2)
    half = detector(folder, precision="bfloat16").score(chunks, full(2))
    np.testing.assert_allclose(half, detector(folder).score(chunks, full(2)), atol=0.05)


@pytest.mark.parametrize(
    ("labels", "spoof"),
    [
        (("bonafide", "spoof"), {"spoof"}),
        (("Bona-Fide", "Spoofed"), {"Spoofed"}),
        (("REAL", "FAKE"), {"FAKE"}),
        (("HumanVoice", "AIVoice"), {"AIVoice"}),
        (("genuine speech", "AI generated speech"), {"AI generated speech"}),
        (("authentic", "deepfake_audio"), {"deepfake_audio"}),
        (("real", "replay", "tts", "voice_conversion_vc"), {"replay", "tts", "voice_conversion_vc"}),
        (("fake",), {"fake"}),
        (("real",), set()),
    ],
)
def test_labels_are_known_by_their_names(labels: tuple[str, ...], spoof: set[str]) -> None:
    assert spoof_labels(dict(enumerate(labels))) == spoof


@pytest.mark.parametrize(
    "labels",
    [
        ("LABEL_0", "LABEL_1"),
        ("spoof", "LABEL_1"),
        ("fake", "not fake"),
        ("real", "genuine"),
        ("real", "human-made ai"),
    ],
)
def test_labels_that_do_not_tell_are_listed(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"{labels[0]!r}, {labels[1]!r}.*spoof_labels"):
        spoof_labels(dict(enumerate(labels)))


def test_settings_may_name_the_labels(tmp_path: Path) -> None:
    assert spoof_labels({0: "LABEL_0", 1: "LABEL_1"}, ("LABEL_1",)) == {"LABEL_1"}
    with pytest.raises(ValueError, match=r"'spoof'.*'LABEL_0', 'LABEL_1'"):
        spoof_labels({0: "LABEL_0", 1: "LABEL_1"}, ("spoof",))
    with pytest.raises(ValueError, match="some not"):
        spoof_labels({0: "LABEL_0", 1: "LABEL_1"}, ("LABEL_0", "LABEL_1"))


def test_a_missing_or_incomplete_folder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="hf download"):
        detector(tmp_path / "none")
    folder = build_tiny_classifier(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(MissingWeights, match=r"no preprocessor_config\.json;"):
        detector(folder)


def test_weights_without_a_trained_head_are_refused(tmp_path: Path) -> None:
    folder = build_tiny_classifier(tmp_path)
    model = WavLMForSequenceClassification.from_pretrained(folder)
    model.wavlm.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "real", "1": "fake"}}))
    with pytest.raises(ValueError, match=r"classifier\.(bias|weight)"):
        detector(folder)


def test_batches_of_another_shape_are_refused(tmp_path: Path) -> None:
    engine = detector(build_tiny_classifier(tmp_path))
    with pytest.raises(ValueError, match="chunks must be"):
        engine.score(tones(1)[:, :100], full(1))
    with pytest.raises(ValueError, match="lengths must be"):
        engine.score(tones(1), full(2))
    assert engine.score(tones(1)[:0], full(0)).shape == (0,)
