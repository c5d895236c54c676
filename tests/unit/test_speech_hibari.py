"""The synthesiser hibari with the voice that its wheel carries."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import MissingWeights
from models.speech import HibariSettings, SpeechEngine, SpeechModel, Voice, build, speak

pytestmark = pytest.mark.unit

TEXT = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def engine() -> SpeechEngine:
    return build(HibariSettings())


@pytest.fixture(scope="module")
def voice(engine: SpeechEngine) -> Voice:
    return engine.voices[0]


@pytest.fixture(scope="module")
def model(engine: SpeechEngine, voice: Voice) -> SpeechModel:
    return engine.load(voice.model)


def said(model: SpeechModel, voice: Voice, text: str, speed: float = 1.0) -> NDArray[np.float32]:
    pieces = model.synthesize(text, voice=voice, language="en", speed=speed, reference=None)
    return np.concatenate([np.empty(0, np.float32), *pieces])


def test_the_voice_of_the_wheel_is_there_and_described(voice: Voice) -> None:
    assert (voice.id, voice.languages, voice.gender) == ("heart", ("en-us", "en"), "female")
    assert (voice.engine, voice.quality, voice.sample_rate) == ("hibari", "natural", 24_000)


def test_a_sentence_sounds_within_the_range_and_without_silence_around_it(model: SpeechModel, voice: Voice) -> None:
    samples = said(model, voice, TEXT)
    assert 2.0 < len(samples) / voice.sample_rate < 4.0
    assert 0.1 < np.abs(samples).max() < 1.0
    heard = np.flatnonzero(np.abs(samples) > 0.01)
    assert heard[0] < 0.1 * voice.sample_rate and len(samples) - heard[-1] < 0.2 * voice.sample_rate


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speeds_beyond_the_networks_range_are_kept_too(model: SpeechModel, voice: Voice, speed: float) -> None:
    normal = len(said(model, voice, TEXT))
    assert len(said(model, voice, TEXT, speed)) == pytest.approx(normal / speed, rel=0.12)


def test_the_same_text_is_the_same_speech_from_several_threads_at_once(model: SpeechModel, voice: Voice) -> None:
    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(lambda _caller: said(model, voice, TEXT), range(4)))
    for samples in several:
        np.testing.assert_array_equal(samples, several[0])
    other = build(HibariSettings(seed=1)).load("heart")
    assert not np.array_equal(said(other, voice, TEXT), several[0])


@pytest.mark.parametrize("text", ["日本語", "☃", "...", "\x00"])
def test_what_it_can_not_say_is_silence(model: SpeechModel, voice: Voice, text: str) -> None:
    assert not np.abs(said(model, voice, text)).max(initial=0.0) > 0.3


@pytest.mark.parametrize("text", ["9" * 300, "a" * 300, "[evil](/hello/)", "3.14 € & 50%", "Привет, world"])
def test_texts_of_all_kinds_are_spoken(model: SpeechModel, voice: Voice, text: str) -> None:
    chunks = list(speak(model, text, voice=voice, language="en"))
    assert max(np.abs(chunk.samples).max() for chunk in chunks) > 0.1


def test_phonemes_in_a_text_are_text(model: SpeechModel, voice: Voice) -> None:
    assert len(said(model, voice, "[dog](/a/)")) > 1.5 * len(said(model, voice, "dog"))


def test_voices_of_its_cache_are_offered_and_none_is_ever_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hibari

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a voice was fetched")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    assert [voice.id for voice in build(HibariSettings()).voices] == ["heart"]
    with pytest.raises(MissingWeights, match="emma"):
        build(HibariSettings()).load("emma")
    wheel = Path(hibari.voices.voice_path("heart")).read_bytes()
    (tmp_path / hibari.voices.VOICES["emma"]["file"]).write_bytes(wheel)
    found = build(HibariSettings(threads=2))
    emma = next(voice for voice in found.voices if voice.id == "emma")
    assert (emma.languages, emma.gender) == (("en-gb", "en"), "female")
    assert np.abs(said(found.load("emma"), emma, TEXT)).max() > 0.1
