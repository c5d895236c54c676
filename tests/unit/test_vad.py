import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from models.audio import decode
from models.errors import MissingWeights
from models.spans import Span
from models.vad import SileroVad, VadSettings, silero

pytestmark = pytest.mark.unit

DIALOGUE = Path(__file__).resolve().parents[2] / "models" / "samples" / "dialogue"
FRAME_SECONDS = 512 / 16_000
EXACT = VadSettings(min_speech=0, min_silence=0, speech_pad=0)


@pytest.fixture(scope="module")
def vad() -> SileroVad:
    return SileroVad()


@pytest.fixture(scope="module")
def dialogue() -> NDArray[np.float32]:
    with DIALOGUE.with_suffix(".flac").open("rb") as source:
        pcm = decode(source)
    pcm.setflags(write=False)
    return pcm


def spans_of(*probabilities: float, settings: VadSettings = EXACT) -> list[tuple[float, float]]:
    """Spans in frames."""
    spans = silero.speech_spans(np.float32(probabilities), len(probabilities) * FRAME_SECONDS, settings)
    return [(span.start / FRAME_SECONDS, span.end / FRAME_SECONDS) for span in spans]


def test_speech_is_found_where_the_bundled_dialogue_has_it(vad: SileroVad, dialogue: NDArray[np.float32]) -> None:
    turns = [Span(t["start"], t["end"]) for t in json.loads(DIALOGUE.with_suffix(".json").read_text())["turns"]]
    speech = vad.speech(dialogue)
    found = sum(turn.overlap(span) for turn in turns for span in speech)
    assert found > 0.85 * sum(turn.duration for turn in turns)
    assert sum(span.duration for span in speech) - found < 0.15 * found


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513, 48_000])
def test_silence_of_any_length_has_no_speech(vad: SileroVad, samples: int) -> None:
    silence = np.zeros(samples, dtype=np.float32)
    assert len(vad.probabilities(silence)) == -(-samples // 512)
    assert vad.speech(silence) == []


def test_loud_noise_is_not_speech(vad: SileroVad) -> None:
    assert vad.speech(np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)) == []


def test_blocks_don_t_change_the_result(
    vad: SileroVad, dialogue: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = dialogue[:100_000]
    whole = vad.probabilities(start)
    monkeypatch.setattr(silero, "BLOCK", 7)
    np.testing.assert_allclose(vad.probabilities(start), whole, atol=1e-4)


def test_threads_may_share_a_detector(vad: SileroVad, dialogue: NDArray[np.float32]) -> None:
    parts = [dialogue[i * 40_000 : (i + 3) * 40_000] for i in range(6)]
    expected = [vad.speech(part) for part in parts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(vad.speech, parts)) == expected


def test_speech_starts_at_the_onset_and_ends_well_below_it() -> None:
    assert spans_of(0.4, 0.6, 0.4, 0.4, 0.3, 0.4, 0.0) == [(1, 4)]


def test_speech_goes_on_down_to_the_offset() -> None:
    settings = EXACT.model_copy(update={"offset": 0.1})
    assert spans_of(0.4, 0.6, 0.2, 0.1, 0.05, 0.4, settings=settings) == [(1, 4)]


def far_settings(**changes: float) -> VadSettings:
    return VadSettings(min_speech=0, min_silence=0, speech_pad=0, far_onset=0.1, far_offset=0.05, **changes)


def test_thresholds_go_down_where_the_detector_is_seldom_sure() -> None:
    doubtful = (0.0, 0.2, 0.3, 0.06, 0.0, 0.4, 0.0)
    assert spans_of(*doubtful, settings=EXACT) == []
    assert spans_of(*doubtful, settings=far_settings()) == [(1, 4), (5, 6)]


def test_a_little_doubt_changes_nothing() -> None:
    plain = np.float32([0.99] * 30 + [0.3] * 9 + [0.0] * 20)
    assert silero.thresholds(plain, far_settings()) == (0.5, 0.35)
    half_way = np.float32([0.99] * 25 + [0.3] * 15)
    assert silero.thresholds(half_way, far_settings()) == pytest.approx((0.3, 0.2))
    assert silero.thresholds(np.zeros(4, np.float32), far_settings()) == (0.5, 0.35)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"onset": 0.3, "offset": 0.4}, "offset must not be above onset"),
        ({"far_onset": 0.1, "far_offset": 0.2}, "far_offset must not be above far_onset"),
        ({"far_offset": 0.2}, "without far_onset"),
    ],
)
def test_settings_refuse_thresholds_that_contradict(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VadSettings.model_validate(settings)


def test_speech_at_the_end_ends_with_the_recording() -> None:
    probabilities = np.float32([0.0, 0.9, 0.9])
    assert silero.speech_spans(probabilities, 0.09, EXACT) == [Span(FRAME_SECONDS, 0.09)]


def test_short_silence_does_not_end_speech() -> None:
    probabilities = (0.9, 0.0, 0.9, 0.0, 0.0, 0.0, 0.9)
    settings = EXACT.model_copy(update={"min_silence": 2.5 * FRAME_SECONDS})
    assert spans_of(*probabilities, settings=settings) == [(0, 3), (6, 7)]


def test_short_speech_is_ignored() -> None:
    settings = EXACT.model_copy(update={"min_speech": 1.5 * FRAME_SECONDS})
    assert spans_of(0.9, 0.0, 0.9, 0.9, 0.0, settings=settings) == [(2, 4)]


def test_padding_shares_a_short_pause_and_stays_inside_the_recording() -> None:
    settings = EXACT.model_copy(update={"speech_pad": 2 * FRAME_SECONDS})
    spans = spans_of(0.0, 0.9, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0, settings=settings)
    assert spans == [pytest.approx((0, 3)), pytest.approx((3, 7))]


def test_long_speech_is_cut_where_it_is_least_probable() -> None:
    probabilities = np.full(40, 0.9)
    probabilities[[5, 25]] = 0.4, 0.5
    settings = EXACT.model_copy(update={"max_speech": 30 * FRAME_SECONDS})
    assert spans_of(*probabilities, settings=settings) == [pytest.approx((0, 25)), pytest.approx((25, 40))]


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match="install faster-whisper"):
        SileroVad()


def test_settings_refuse_a_typo() -> None:
    with pytest.raises(ValidationError, match="onsett"):
        VadSettings.model_validate({"onsett": 0.4})
