"""The mouth follows the voice: in step, shut in pauses, wide and round with the vowels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from models.lipsync import Shot
from models.lipsync.mouth_track import MouthTrack, mouth_track
from models.speech import EspeakSettings, build

pytestmark = [pytest.mark.unit, pytest.mark.slow]

RATE = 16_000


def say(text: str, language: str = "en-us") -> NDArray[np.float32]:
    engine = build(EspeakSettings())
    voice = next(voice for voice in engine.voices if voice.id == language)
    pieces = engine.load(voice.model).synthesize(
        text, voice=voice, language=voice.languages[0], speed=1.0, reference=None
    )
    sound = resample_poly(np.concatenate(list(pieces)).astype(np.float64), RATE, voice.sample_rate)
    return sound.astype(np.float32)


def envelope(pcm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the RMS of each frame."""
    whole = pcm[: len(pcm) // 640 * 640].reshape(-1, 640).astype(np.float64)
    return np.asarray(np.sqrt((whole**2).mean(axis=1)))


def track_of(pcm: NDArray[np.float32], gain: float = 0.0) -> MouthTrack:
    loudness = 20 * float(np.log10(np.percentile(envelope(pcm), 90)))
    louder = (pcm * 10 ** (gain / 20)).astype(np.float32)
    return mouth_track(Shot(louder, 0, True, 0, len(pcm) // 640, loudness + gain))


@pytest.fixture(scope="module")
def sentence() -> NDArray[np.float32]:
    parts = [say("The quick brown fox jumps over the lazy dog."), say("Papa has a big map of Panama.")]
    gap = np.zeros(RATE // 2, np.float32)
    return np.concatenate([gap, parts[0], gap, parts[1], gap])


def test_the_opening_follows_the_voice_without_lag(sentence: NDArray[np.float32]) -> None:
    opening, loud = track_of(sentence).opening, np.sqrt(envelope(sentence))
    scores = {lag: float(np.corrcoef(np.roll(opening, -lag)[8:-8], loud[8:-8])[0, 1]) for lag in range(-6, 7)}
    best = max(scores, key=lambda lag: scores[lag])
    assert abs(best) <= 1
    assert scores[best] > 0.75


def test_the_mouth_is_shut_in_pauses_and_before_and_after(sentence: NDArray[np.float32]) -> None:
    track = track_of(sentence)
    silent = envelope(sentence) < 1e-4
    # All of the pauses but for the 80 ms in which the mouth opens and shuts.
    inner = np.convolve(~silent, np.ones(5), mode="same") == 0
    assert inner.sum() > 20
    assert not track.opening[inner].any() and not track.width[inner].any()


def test_the_mouth_opens_wide_and_nearly_shuts_within_words(sentence: NDArray[np.float32]) -> None:
    opening = track_of(sentence).opening
    speaking = opening[opening > 0]
    assert opening.max() > 0.8 and opening.min() == 0.0 and opening.max() <= 1.0
    assert np.percentile(speaking, 25) < 0.45
    lowest = (opening[1:-1] < opening[:-2] - 0.05) & (opening[1:-1] <= opening[2:] - 0.05)
    assert lowest.sum() >= 8


def test_a_quiet_voice_moves_the_mouth_as_a_loud_one_does(sentence: NDArray[np.float32]) -> None:
    loud, quiet = track_of(sentence), track_of(sentence, gain=-20.0)
    np.testing.assert_allclose(loud.opening, quiet.opening, atol=0.02)


def test_noise_far_below_the_voice_moves_nothing() -> None:
    noise = (0.1 * 10 ** (-32 / 20) * np.random.default_rng(2).standard_normal(RATE)).astype(np.float32)
    track = mouth_track(Shot(noise, 0, True, 0, 25, loudness=-20.0))
    assert not track.opening.any()


def test_lips_are_wide_for_i_and_round_for_u() -> None:
    # Spanish has pure vowels.
    widths = {}
    for vowel in ("i", "a", "u"):
        track = track_of(say(f"{vowel}, {vowel}, {vowel}", "es"))
        widths[vowel] = float(track.width[track.opening > 0.3].mean())
    assert widths["i"] > 0.4
    assert widths["u"] < -0.3
    assert abs(widths["a"]) < 0.3


def test_frames_beyond_the_sound_are_shut(sentence: NDArray[np.float32]) -> None:
    count = len(sentence) // 640 + 20
    assert not mouth_track(Shot(sentence, 0, True, 0, count)).opening[-20:].any()


def test_a_shot_within_a_film_has_the_films_frames(sentence: NDArray[np.float32]) -> None:
    count = len(sentence) // 640
    film = mouth_track(Shot(sentence, 0, True, 0, count))
    for first, end in ((0, 3), (30, 31), (25, 77), (count - 5, count)):
        begin, stop = max(0, first * 640 - RATE), min(len(sentence), end * 640 + 4800)
        shot = mouth_track(Shot(sentence[begin:stop], begin, stop == len(sentence), first, end - first))
        np.testing.assert_array_equal(shot.opening, film.opening[first:end])
        np.testing.assert_array_equal(shot.width, film.width[first:end])
