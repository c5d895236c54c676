"""Kokoro's reader on a small checkpoint of the real one's form, and with the real weights where they are."""

# ruff: noqa: RUF001 - phonemes
import shutil
from pathlib import Path

import numpy as np
import pytest
from checkpoints.kokoro import SAMPLES_PER_TOKEN, build_tiny_kokoro
from numpy.typing import NDArray
from pinned_weights import pinned_weights

from graphs.common.voices import choose_voice
from models.errors import MissingWeights
from models.speech import KokoroSettings, SpeechEngine, build, speak
from models.speech.kokoro import _parts, _phonemes

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("af_heart", "em_alex", "bm_lewis", "jf_alpha", "zm_yunxi", "pf_dora")
    return build_tiny_kokoro(tmp_path_factory.mktemp("kokoro"), names)


@pytest.fixture(scope="module")
def engine(folder: Path) -> SpeechEngine:
    return build(KokoroSettings(model=folder))


def said(engine: SpeechEngine, text: str, voice: str, speed: float = 1.0) -> NDArray[np.float32]:
    by = next(one for one in engine.voices if one.id == voice)
    pieces = engine.load(by.model).synthesize(text, voice=by, language=by.languages[0], speed=speed, reference=None)
    return np.concatenate([np.empty(0, np.float32), *pieces])


def test_voices_are_described_by_their_names_and_unread_languages_left_out(engine: SpeechEngine) -> None:
    assert [(voice.id, voice.name, voice.languages[0], voice.gender) for voice in engine.voices] == [
        ("af_heart", "Heart", "en-us", "female"),
        ("bm_lewis", "Lewis", "en-gb", "male"),
        ("em_alex", "Alex", "es", "male"),
        ("pf_dora", "Dora", "pt-br", "female"),
    ]
    assert {voice.engine for voice in engine.voices} == {"kokoro"}
    assert [voice.reads_digits for voice in engine.voices] == [False, False, True, True]


def test_each_phoneme_is_a_token_and_the_style_is_that_of_their_number(engine: SpeechEngine) -> None:
    phonemes = len(_phonemes("Good morning.", "af_heart"))
    samples = said(engine, "Good morning.", "af_heart")
    assert len(samples) == (phonemes + 2) * SAMPLES_PER_TOKEN
    np.testing.assert_allclose(samples, phonemes / 1000, atol=1e-6)
    assert said(engine, "Buenos días.", "em_alex")[0] > 0.1


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed_is_the_networks_own_as_far_as_it_goes(engine: SpeechEngine, speed: float) -> None:
    normal = len(said(engine, "Good morning, everybody, how are you?", "af_heart"))
    assert len(said(engine, "Good morning, everybody, how are you?", "af_heart", speed)) == pytest.approx(
        normal / speed, rel=0.1
    )


def test_phonemes_are_in_the_models_alphabet_with_marks_in_their_places() -> None:
    assert _phonemes("Hello there.", "af_heart") == "həlˈO ðˈɛɹ."
    assert _phonemes("Hello there.", "bm_lewis") == "həlˈQ ðˈɛː."
    assert _phonemes("Chico, ¿hay ocho?", "em_alex") == "ʧˈiko, ˈI ˈoʧo?"


def test_long_clauses_are_cut_where_the_network_ends(engine: SpeechEngine) -> None:
    assert list(_parts("a b, " * 200)) != []
    for phonemes in ("ab, " * 300, "ab " * 400, "a" * 1200):
        parts = list(_parts(phonemes))
        assert max(map(len, parts)) <= 508
        assert "".join(parts).replace(" ", "") == phonemes.replace(" ", "")
    assert len(said(engine, "word " * 200, "af_heart")) > 600 * SAMPLES_PER_TOKEN


@pytest.mark.parametrize("text", ["☃", "日本語", "..."])
def test_what_has_no_phonemes_is_no_fault(engine: SpeechEngine, text: str) -> None:
    said(engine, text, "af_heart")


def test_folders_that_are_no_kokoro_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"set://kokoro-82m"):
        build(KokoroSettings(model=tmp_path))
    shutil.copytree(folder, tmp_path / "short")
    (tmp_path / "short/voices/af_heart.bin").write_bytes(b"\0" * 100)
    with pytest.raises(ValueError, match=r"af_heart.*no voice"):
        build(KokoroSettings(model=tmp_path / "short"))
    shutil.copytree(folder, tmp_path / "odd")
    (tmp_path / "odd/vocab.json").write_text("[]")
    with pytest.raises(ValueError, match="list of phonemes"):
        build(KokoroSettings(model=tmp_path / "odd"))


def test_the_real_voices_speak_within_the_range_and_without_silence_around_it() -> None:
    engine = build(KokoroSettings(model=pinned_weights("kokoro-82m"), threads=2))
    assert len(engine.voices) == 41
    voice, code = choose_voice(engine.voices, "es")
    chunks = list(speak(engine.load(voice.model), "Buenos días.", voice=voice, language=code))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    assert 0.5 < len(samples) / voice.sample_rate < 2.0
    assert 0.1 < np.abs(samples).max() <= 1.0
    heard = np.flatnonzero(np.abs(samples) > 0.02)
    assert heard[0] < 0.1 * voice.sample_rate and len(samples) - heard[-1] < 0.2 * voice.sample_rate
