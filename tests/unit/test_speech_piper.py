"""Piper's files through the real steps, around a network whose output tells what it was given."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints.piper import SAMPLES_PER_ID, build_tiny_piper
from numpy.typing import NDArray
from pinned_weights import pinned_weights

from models.errors import MissingWeights
from models.speech import PiperSettings, build, speak
from models.speech.piper import PiperEngine
from models.speech.piper_voice import read_voice

pytestmark = pytest.mark.unit


def made(folder: Path, name: str = "en_US-tiny", **settings: Any) -> PiperEngine:
    return PiperEngine(PiperSettings(folder=folder, **settings))


def speech(engine: PiperEngine, identifier: str, text: str, speed: float = 1.0) -> NDArray[np.float32]:
    voice = next(voice for voice in engine.voices if voice.id == identifier)
    pieces = engine.load(voice.model).synthesize(
        text, voice=voice, language=voice.languages[-1], speed=speed, reference=None
    )
    return np.concatenate(list(pieces))


def signs(folder: Path, samples: NDArray[np.float32], name: str = "en_US-tiny") -> str:
    """Return the phonemes that the network was given, the pads left in."""
    known = {ids[0]: sign for sign, ids in read_voice(folder / f"{name}.onnx.json").phoneme_id_map.items()}
    return "".join(known[round(float(value) * 1000)] for value in samples[::SAMPLES_PER_ID])


def test_phonemes_reach_the_network_between_pads_and_marks_stay(tmp_path: Path) -> None:
    build_tiny_piper(tmp_path)
    given = signs(tmp_path, speech(made(tmp_path), "en_US-tiny", 'Hello, world! "Is it 3.14?" Yes.'))
    assert given.startswith("^_") and given.endswith("_$")
    assert set(given[1:-1:2]) == {"_"}
    phonemes = given[2:-1:2]
    expected = "həlˈoʊ, wˈɜːld! ɪz ɪt θɹˈiː pɔɪnt wˈʌn fˈɔːɹ? jˈɛs."  # noqa: RUF001
    assert phonemes == unicodedata.normalize("NFD", expected)


def test_a_voice_of_letters_is_given_letters_and_numbers_as_words(tmp_path: Path) -> None:
    build_tiny_piper(tmp_path, phoneme_type="text")
    assert signs(tmp_path, speech(made(tmp_path), "en_US-tiny", "At 2."))[2:-1:2] == "at two."


def test_speed_shortens_the_speech(tmp_path: Path) -> None:
    build_tiny_piper(tmp_path)
    engine = made(tmp_path)
    assert len(speech(engine, "en_US-tiny", "a")) == 2 * len(speech(engine, "en_US-tiny", "a", speed=2.0))


def test_each_speaker_of_a_file_is_a_voice(tmp_path: Path) -> None:
    build_tiny_piper(tmp_path, "en_GB-three", speakers=3, language={"code": "en_GB"})
    engine = made(tmp_path)
    assert [voice.id for voice in engine.voices] == ["en_GB-three-p0", "en_GB-three-p1", "en_GB-three-p2"]
    assert {voice.model for voice in engine.voices} == {"en_GB-three"}
    assert engine.voices[0].languages == ("en-gb", "en")
    first, third = (speech(engine, f"en_GB-three-p{number}", "a") for number in (0, 2))
    np.testing.assert_allclose(third - first, 0.2, atol=1e-6)


def test_defaults_come_first(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        build_tiny_piper(tmp_path, name)
    assert [voice.id for voice in made(tmp_path, defaults=("c",)).voices] == ["c", "a", "b"]
    with pytest.raises(MissingWeights, match="no Piper voice 'd'"):
        made(tmp_path, defaults=("d",))


def test_speech_that_is_too_loud_is_clipped(tmp_path: Path) -> None:
    build_tiny_piper(tmp_path, phoneme_id_map={"_": [0], "^": [1], "$": [2], "a": [5000]}, phoneme_type="text")
    assert np.abs(speech(made(tmp_path), "en_US-tiny", "a")).max() == 1.0


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_voices_says_how_to_get_them(tmp_path: Path, there: bool) -> None:
    with pytest.raises(MissingWeights, match="rhasspy/piper-voices"):
        made(tmp_path if there else tmp_path / "none")


def test_a_model_that_is_gone_says_how_to_get_it(tmp_path: Path) -> None:
    path = build_tiny_piper(tmp_path)
    engine = made(tmp_path)
    path.unlink()
    with pytest.raises(MissingWeights, match="piper-voices"):
        engine.load("en_US-tiny")
    with pytest.raises(MissingWeights, match="piper-voices"):
        engine.load("../elsewhere")


@pytest.mark.parametrize(
    "wrong",
    [
        {"phoneme_id_map": {"a": [1]}},
        {"espeak": {"voice": "../en"}},
        {"audio": {"sample_rate": 1}},
        {"num_speakers": 1, "speaker_id_map": {"p": 5}},
        {"phoneme_type": "pinyin"},
    ],
)
def test_a_description_that_can_not_be_meant_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    build_tiny_piper(tmp_path, **wrong)
    with pytest.raises(ValueError, match="does not describe a Piper voice"):
        made(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = build_tiny_piper(tmp_path)
    path.write_bytes(b"not ONNX")
    with pytest.raises(ValueError, match="isn't an ONNX file"):
        made(tmp_path).load("en_US-tiny")
    build_tiny_piper(tmp_path, speakers=2)
    build_tiny_piper(tmp_path / "one")
    path.write_bytes((tmp_path / "one" / path.name).read_bytes())
    with pytest.raises(ValueError, match="sid"):
        made(tmp_path).load("en_US-tiny")


def test_a_voice_whose_phonemes_can_not_be_made_is_refused(tmp_path: Path) -> None:
    build_tiny_piper(tmp_path, espeak={"voice": "tlh"})
    with pytest.raises(ValueError, match="'tlh'"):
        made(tmp_path).load("en_US-tiny")


def test_the_published_voice_joe_speaks_at_its_rate() -> None:
    engine = build(PiperSettings(folder=pinned_weights("piper-en-us-joe")))
    (voice,) = engine.voices
    assert (voice.id, voice.languages, voice.gender) == ("en_US-joe-medium", ("en-us", "en"), "male")
    chunks = list(speak(engine.load(voice.model), "Good morning, everybody.", voice=voice, language="en"))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    assert 0.8 < len(samples) / voice.sample_rate < 4.0 and voice.sample_rate == 22_050
    assert 0.1 < np.abs(samples).max() <= 1.0
