"""Whisper base with its published weights: silent about sounds that are no speech, in words where there is speech."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pinned_weights import pinned_weights
from recordings import beginning

from models.asr import Asr, FasterWhisperSettings, build

pytestmark = [pytest.mark.unit, pytest.mark.slow]

Sound = Callable[[np.random.Generator, NDArray[np.float64]], NDArray[np.float64]]

RATE = 16_000
SECONDS = 10


@pytest.fixture(scope="module")
def asr() -> Asr:
    return build(FasterWhisperSettings(model=pinned_weights("whisper-base"), device="cpu", compute_type="int8"))


def white_noise(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.1 * rng.standard_normal(len(time))


def hum(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    partials = np.stack([0.1 / n * np.sin(2 * np.pi * 50 * n * time) for n in (1, 2, 3, 5)])
    return partials.sum(axis=0) + 0.003 * rng.standard_normal(len(time))


def clicks(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(rng.random(len(time)) < 2 / RATE, 0.8, 0.0)


def chord(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    tones = (261.6, 329.6, 392.0)
    return np.stack([0.1 * np.sin(2 * np.pi * tone * time) for tone in tones]).sum(axis=0) * np.exp(-(time % 1.0))


def silence(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.zeros(len(time))


@pytest.mark.parametrize("sound", [silence, white_noise, hum, clicks, chord])
def test_nothing_is_heard_where_nobody_speaks(asr: Asr, sound: Sound) -> None:
    pcm = sound(np.random.default_rng(1), np.arange(SECONDS * RATE) / RATE).astype(np.float32)

    assert [segment.text for segment in asr.transcribe(pcm).segments] == []


def test_speech_is_heard_in_its_language_with_probable_words(asr: Asr) -> None:
    heard = asr.transcribe(beginning(4.0))
    words = [word for segment in heard.segments for word in segment.words]

    assert heard.language == "en"
    assert [word.text.lower().strip(".,!?") for word in words[:2]] == ["excuse", "me"]
    assert all(word.probability is not None and 0.0 <= word.probability <= 1.0 and word.end <= 4.0 for word in words)
