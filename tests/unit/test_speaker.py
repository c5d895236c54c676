import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from models.audio import decode
from models.errors import InputError, MissingWeights
from models.speaker import CompactSettings, SpeakerEncoder, SpeakerSettings, SpectralSettings, build
from models.speaker.compact import BATCH, SHIPPED
from models.speaker.features import COEFFICIENTS, mfcc
from models.speaker.filterbank import MELS, frame_count, log_mel
from models.speaker.mixture import Mixture
from training.speaker.train_spectral import recordings

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SECOND = 16_000


@pytest.fixture(scope="module", params=[CompactSettings(), SpectralSettings()], ids=lambda settings: settings.engine)
def encoder(request: pytest.FixtureRequest) -> SpeakerEncoder:
    return build(request.param)


def sound(samples: int, seed: int = 0) -> NDArray[np.float32]:
    pcm = np.cumsum(np.random.default_rng(seed).normal(0, 0.01, samples)).astype(np.float32)
    pcm.setflags(write=False)
    return pcm


def test_embeddings_are_unit_vectors_whatever_the_length(encoder: SpeakerEncoder) -> None:
    embeddings = encoder.embed([sound(int(seconds * SECOND)) for seconds in (0.4, 1.5, 10)])
    assert embeddings.shape == (3, encoder.dimension)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_no_windows_give_no_embeddings(encoder: SpeakerEncoder) -> None:
    assert encoder.embed([]).shape == (0, encoder.dimension)


def test_digital_silence_gives_a_finite_embedding(encoder: SpeakerEncoder) -> None:
    assert np.isfinite(encoder.embed([np.zeros(SECOND, dtype=np.float32)])).all()


def test_volume_does_not_matter(encoder: SpeakerEncoder) -> None:
    pcm = sound(SECOND)
    loud, quiet = encoder.embed([pcm, pcm * np.float32(0.01)])
    np.testing.assert_allclose(loud, quiet, atol=1e-3)


def test_an_embedding_does_not_depend_on_its_company(encoder: SpeakerEncoder) -> None:
    one, other = sound(SECOND, 1), sound(2 * SECOND, 2)
    np.testing.assert_allclose(encoder.embed([one, other])[1:], encoder.embed([other]), atol=1e-5)
    again = encoder.embed([other, sound(2 * SECOND, 3), one])[:1]
    np.testing.assert_allclose(again, encoder.embed([other]), atol=1e-5)


def test_embeddings_come_in_the_order_of_the_windows(encoder: SpeakerEncoder) -> None:
    lengths = [SECOND, 2 * SECOND, SECOND, SECOND // 2, 2 * SECOND] * BATCH
    windows = [sound(length, seed) for seed, length in enumerate(lengths)]
    alone = np.concatenate([encoder.embed([window]) for window in windows])
    np.testing.assert_allclose(encoder.embed(windows), alone, atol=1e-5)


@pytest.mark.parametrize("samples", [0, 160, 6399])
def test_too_little_speech_is_refused(encoder: SpeakerEncoder, samples: int) -> None:
    with pytest.raises(InputError, match=r"at least 0\.4 s") as refused:
        encoder.embed([sound(SECOND), sound(samples)])
    assert refused.value.code == "too_short"


def test_the_shipped_network_is_small_and_joined_by_the_spectral_statistics() -> None:
    assert SHIPPED.stat().st_size < 8_000_000
    assert build(CompactSettings()).dimension == 192 + build(SpectralSettings()).dimension


def test_an_encoder_may_be_named_by_its_file() -> None:
    named, shipped = build(CompactSettings(model=SHIPPED, threads=2)), build(CompactSettings())
    np.testing.assert_allclose(named.embed([sound(SECOND)]), shipped.embed([sound(SECOND)]), atol=1e-5)


def test_a_missing_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=re.escape(str(tmp_path / "none.onnx"))):
        build(CompactSettings(model=tmp_path / "none.onnx"))


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.onnx").write_text("not a model")
    with pytest.raises(ValueError, match=r"notes\.onnx isn't an ONNX file"):
        build(CompactSettings(model=tmp_path / "notes.onnx"))


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "other", [value], [])
    graph.output.append(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1]))
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)])
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match=r"other\.onnx is no speaker encoder"):
        build(CompactSettings(model=tmp_path / "other.onnx"))


def test_settings_are_told_apart_by_their_engine() -> None:
    adapter: TypeAdapter[SpeakerSettings] = TypeAdapter(SpeakerSettings)
    assert adapter.validate_python({"engine": "spectral"}) == SpectralSettings()
    assert adapter.validate_python({"engine": "compact", "threads": 2}) == CompactSettings(threads=2)
    for wrong in ({"engine": "other"}, {"engine": "spectral", "threads": 2}, {"engine": "compact", "threads": 0}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


@pytest.mark.parametrize("samples", [6400, 6401, 24_000, 24_079, 24_080])
def test_there_is_one_spectrum_for_every_10_ms(samples: int) -> None:
    assert log_mel(sound(samples)).shape == (frame_count(samples), MELS)


def test_a_tone_lies_in_the_bands_around_it() -> None:
    time = np.arange(SECOND, dtype=np.float32) / SECOND
    low, high = (log_mel(np.sin(2 * np.pi * f * time).astype(np.float32)).mean(axis=0) for f in (300, 3000))
    assert 0 < low.argmax() < high.argmax() < MELS - 1
    assert high.max() - high[low.argmax()] > 5


def test_there_is_one_row_of_coefficients_for_every_10_ms() -> None:
    assert mfcc(sound(SECOND)).shape == ((SECOND - 400) // 160 + 1, COEFFICIENTS)


def test_a_frame_belongs_to_the_component_that_it_lies_in() -> None:
    mixture = Mixture(np.float32([0.5, 0.5]), np.float32([[0, 0], [10, 0]]), np.ones((2, 2), np.float32))
    posteriors = mixture.posteriors(np.float32([[0, 1], [10, 1], [5, 1]]))
    np.testing.assert_allclose(posteriors, [[1, 0], [0, 1], [0.5, 0.5]], atol=1e-6)


def test_deviation_counts_in_standard_deviations_and_trusts_many_frames_more_than_few() -> None:
    mixture = Mixture(np.float32([1]), np.float32([[2]]), np.float32([[9]]))
    few, many = (mixture.deviation(np.full((n, 1), 5, np.float32)) for n in (4, 4000))
    np.testing.assert_allclose(few, [0.5])
    np.testing.assert_allclose(many, [1.0], atol=0.01)


def test_voices_never_heard_in_training_are_told_apart(encoder: SpeakerEncoder, librispeech: Path) -> None:
    halves = []
    for file in recordings(librispeech / "train-clean-100", held_out=True):
        with file.open("rb") as source:
            pcm = decode(source)
        if len(pcm) > 8 * SECOND:
            halves += [pcm[SECOND : 4 * SECOND], pcm[-4 * SECOND : -SECOND]]
    embeddings = encoder.embed(halves).reshape(-1, 2, encoder.dimension)
    similarities = embeddings[:, 0] @ embeddings[:, 1].T
    right = similarities.argmax(axis=1) == np.arange(len(similarities))
    assert len(right) > 30
    # Among so many voices chance finds 2 in 100.
    assert right.mean() > 0.7


def test_held_out_recordings_are_not_trained_on(tmp_path: Path) -> None:
    for number in range(11):
        (tmp_path / f"{number:02d}-0.flac").touch()
    trained = set(recordings(tmp_path, held_out=False))
    held_out = set(recordings(tmp_path, held_out=True))
    assert len(held_out) == 3
    assert not trained & held_out
    assert len(trained | held_out) == 11
