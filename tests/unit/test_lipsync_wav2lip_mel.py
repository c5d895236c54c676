"""What Wav2Lip hears: the film's mel spectrogram, from shots of it."""

import numpy as np
import pytest
from lipsync_cases import SPEECH, cut, parity, whole
from numpy.typing import NDArray

from models.lipsync.types import Shot
from models.lipsync.wav2lip_mel import mel_columns, speech_windows

pytestmark = pytest.mark.unit


def test_the_spectrogram_is_the_one_that_the_weights_were_trained_on() -> None:
    at = np.arange(32_000) / 16_000
    sound = 0.4 * np.sin(2 * np.pi * (120 + 300 * at) * at) + 0.2 * np.sin(2 * np.pi * 2500 * at * at)
    sound += 0.05 * np.random.default_rng(1).standard_normal(32_000)
    expected = np.load(parity() / "case.npz")["mel_spectrogram"]
    np.testing.assert_allclose(mel_columns(whole(sound.astype(np.float32)), 0, 161), expected, atol=1e-3)


def test_a_frame_is_drawn_from_the_sixteen_columns_after_its_beginning() -> None:
    shot = whole(SPEECH)
    mel = mel_columns(shot, 0, len(SPEECH) // 200 + 1)
    windows = speech_windows(shot)
    for frame in (0, 1, 4, 5, 33):
        start = int(frame * 80 / 25)
        np.testing.assert_array_equal(windows[frame], mel[:, start : start + 16])
    np.testing.assert_array_equal(windows[-1], mel[:, -16:])


@pytest.mark.parametrize("length", [1, 7, 25])
def test_shots_hear_what_the_whole_film_does(length: int) -> None:
    windows = np.concatenate([speech_windows(shot) for shot in cut(SPEECH, length)])
    np.testing.assert_allclose(windows, speech_windows(whole(SPEECH)), atol=1e-5)


def test_what_follows_a_shot_later_changes_nothing() -> None:
    longer = np.concatenate((SPEECH, SPEECH[::-1]))
    first, *_ = cut(SPEECH, 10)
    np.testing.assert_allclose(speech_windows(first), speech_windows(whole(longer))[:10], atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 401, 3000])
def test_the_shortest_sounds_are_followed_by_silence(samples: int) -> None:
    windows = speech_windows(Shot(SPEECH[:samples], 0, True, 0, 8))
    assert windows.shape == (8, 80, 16)
    assert (windows[5:] == -4).all()
    assert (windows[0] > -4).any() == (samples > 1)


def test_digital_silence_is_the_same_everywhere() -> None:
    silence: NDArray[np.float32] = np.zeros(16_000, np.float32)
    assert (speech_windows(Shot(silence, 16_000, False, 50, 20)) == -4).all()
