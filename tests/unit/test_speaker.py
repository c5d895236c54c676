from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio import decode
from models.speaker import SpeakerEncoder, SpectralSettings, build
from models.speaker.features import COEFFICIENTS, mfcc
from models.speaker.mixture import Mixture
from models.speaker.train_spectral import recordings

pytestmark = pytest.mark.unit

SECOND = 16_000


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return build(SpectralSettings())


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
    np.testing.assert_array_equal(encoder.embed([one, other])[1:], encoder.embed([other]))


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
