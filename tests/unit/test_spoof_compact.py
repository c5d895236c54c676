"""The compact spoof detector at run time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.audio import decode
from models.errors import MissingWeights
from models.spoof import CHUNK_SAMPLES, CompactSettings, SpoofDetector, build, cut, padded
from models.spoof.calibration import Calibration
from models.spoof.checkpoint import metadata, parse
from models.spoof.compact import CompactDetector

pytestmark = [pytest.mark.unit, pytest.mark.slow]

DIALOGUE = Path(__file__).resolve().parents[2] / "models" / "samples" / "dialogue.flac"
FULL = np.array([CHUNK_SAMPLES])


@pytest.fixture(scope="module")
def detector() -> CompactDetector:
    return CompactDetector(CompactSettings(threads=1))


@pytest.fixture(scope="module")
def dialogue() -> np.ndarray:
    """Chunks of synthetic speech, read-only as a handle delivers them."""
    with DIALOGUE.open("rb") as source:
        chunks = np.stack([chunk.window for chunk in cut([decode(source)])][:4])
    chunks.flags.writeable = False
    return chunks


def test_the_settings_name_the_shipped_detector() -> None:
    detector: SpoofDetector = build(CompactSettings(threads=1))
    assert isinstance(detector, CompactDetector)
    assert detector.name == "compact"


def test_synthetic_speech_is_found_out(detector: CompactDetector, dialogue: np.ndarray) -> None:
    p_spoof = detector.score(dialogue, np.full(len(dialogue), CHUNK_SAMPLES))
    assert p_spoof.dtype == np.float32
    assert p_spoof.shape == (len(dialogue),)
    assert np.median(p_spoof) >= CompactSettings().spoof_from


def test_real_speech_is_taken_for_real(detector: CompactDetector, librispeech: Path) -> None:
    recordings = sorted((librispeech / "test-clean").glob("*.flac"))
    windows = []
    for recording in recordings:
        with recording.open("rb") as source:
            windows += [chunk.window for chunk in cut([decode(source)]) if chunk.length == CHUNK_SAMPLES]
    p_spoof = detector.score(np.stack(windows), np.full(len(windows), CHUNK_SAMPLES))
    assert np.median(p_spoof) < CompactSettings().bona_fide_below


def test_a_score_does_not_depend_on_the_rest_of_the_batch(detector: CompactDetector, dialogue: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, (30, CHUNK_SAMPLES)).astype(np.float32)
    together = detector.score(np.concatenate((noise, dialogue)), np.full(30 + len(dialogue), CHUNK_SAMPLES))
    for row, chunk in enumerate(dialogue):
        assert detector.score(chunk[None], FULL)[0] == pytest.approx(together[30 + row], abs=1e-4)


def test_the_gain_makes_no_difference(detector: CompactDetector, dialogue: np.ndarray) -> None:
    lengths = np.full(len(dialogue), CHUNK_SAMPLES)
    quiet = detector.score(dialogue * np.float32(0.05), lengths)
    np.testing.assert_allclose(quiet, detector.score(dialogue, lengths), atol=0.01)


def test_the_padding_of_a_short_chunk_is_not_heard(detector: CompactDetector, dialogue: np.ndarray) -> None:
    length = 30_000
    zeros = padded(dialogue[1, :length])
    rubbish = zeros.copy()
    rubbish[length:] = 0.3
    lengths = np.array([length])
    assert detector.score(zeros[None], lengths) == detector.score(rubbish[None], lengths)
    assert detector.score(zeros[None], lengths) != detector.score(zeros[None], FULL)


@pytest.mark.parametrize("level", [0.0, 1e-8])
@pytest.mark.parametrize("length", [1, 500, CHUNK_SAMPLES])
def test_silence_has_a_finite_score(detector: CompactDetector, level: float, length: int) -> None:
    silence = np.full((1, CHUNK_SAMPLES), level, np.float32)
    (p_spoof,) = detector.score(silence, np.array([length]))
    assert 0 <= p_spoof <= 1


def test_no_chunks_have_no_scores(detector: CompactDetector) -> None:
    p_spoof = detector.score(np.empty((0, CHUNK_SAMPLES), np.float32), np.empty(0, np.int64))
    assert p_spoof.shape == (0,)
    assert p_spoof.dtype == np.float32


def test_threads_may_share_a_detector(detector: CompactDetector, dialogue: np.ndarray) -> None:
    lengths = np.full(len(dialogue), CHUNK_SAMPLES)
    alone = detector.score(dialogue, lengths)
    with ThreadPoolExecutor(4) as pool:
        for scored in pool.map(lambda _: detector.score(dialogue, lengths), range(8)):
            np.testing.assert_allclose(scored, alone, atol=1e-5)


ZERO = np.zeros((2, CHUNK_SAMPLES), np.float32)


@pytest.mark.parametrize(
    ("chunks", "lengths", "said"),
    [
        (ZERO[:, :100], np.array([100, 100]), "shape"),
        (ZERO[0], np.array([CHUNK_SAMPLES]), "shape"),
        (ZERO.astype(np.float64), np.array([1, 1]), "float32"),
        (ZERO, np.array([1]), "lengths"),
        (ZERO, np.array([1.0, 1.0]), "integers"),
        (ZERO, np.array([0, 1]), "between 1 and 64000"),
        (ZERO, np.array([1, CHUNK_SAMPLES + 1]), "between 1 and 64000"),
        (np.full_like(ZERO, np.nan), np.array([1, 1]), "finite"),
    ],
)
def test_arrays_of_another_form_are_refused(
    detector: CompactDetector, chunks: np.ndarray, lengths: np.ndarray, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        detector.score(chunks, lengths)


def test_a_missing_checkpoint_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"python -m training\.spoof\.train"):
        build(CompactSettings(model=tmp_path / "none.onnx"))


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"model\.onnx isn't an ONNX file"):
        build(CompactSettings(model=tmp_path / "model.onnx"))


def test_another_network_is_refused() -> None:
    faster_whisper = pytest.importorskip("faster_whisper.utils")
    silero = Path(faster_whisper.get_assets_path()) / "silero_vad_v6.onnx"
    with pytest.raises(ValueError, match="isn't a checkpoint of the compact spoof detector"):
        build(CompactSettings(model=silero))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda entries: entries.popitem(), "isn't a checkpoint"),
        (lambda entries: entries.update({"voicegraph-spoof.scale": "steep"}), "isn't a checkpoint"),
        (lambda entries: entries.update({"voicegraph-spoof.scale": "-1.0"}), "calibration"),
        (lambda entries: entries.update({"voicegraph-spoof.bias": "nan"}), "calibration"),
        (lambda entries: entries.update({"voicegraph-spoof.features": "mel/0"}), "train it anew"),
    ],
)
def test_metadata_that_cannot_be_used_are_refused(spoil: Callable[[dict[str, str]], object], said: str) -> None:
    entries = metadata(Calibration(1.5, -0.25), "mine")
    assert parse(entries, Path("a.onnx")).calibration == Calibration(1.5, -0.25)
    spoil(entries)
    with pytest.raises(ValueError, match=said):
        parse(entries, Path("a.onnx"))
