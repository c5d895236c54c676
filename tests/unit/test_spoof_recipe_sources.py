"""Vocoders and synthesisers: each makes speech of the right length, at the right time, with the right words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import models.samples
from models.audio import decode
from training.spoof.recipe import synthesisers as s
from training.spoof.recipe.codecs import Pcm
from training.spoof.recipe.degrade import level_dbfs
from training.spoof.recipe.stft import Stft, mel_filters
from training.spoof.recipe.texts import languages, sentences

pytestmark = [pytest.mark.unit, pytest.mark.slow]

RATE = 16_000


@pytest.fixture(scope="module")
def speech() -> Pcm:
    with (Path(models.samples.__file__).parent / "dialogue.flac").open("rb") as source:
        return decode(source)[RATE // 2 : RATE // 2 + 2 * RATE]


def loudness(pcm: Pcm) -> np.ndarray:
    return 10 * np.log10(np.square(pcm[: len(pcm) // 320 * 320].reshape(-1, 320)).mean(axis=1) + 1e-8)


@pytest.mark.parametrize(("size", "hop"), [(512, 128), (800, 160), (1024, 256)])
def test_the_inverse_transform_gives_back_the_samples(size: int, hop: int, speech: Pcm) -> None:
    stft = Stft(size, hop)
    assert np.abs(stft.inverse(stft.forward(speech), len(speech)) - speech).max() < 1e-5


def test_mel_filters_have_area_one_and_rise_in_frequency() -> None:
    filters = mel_filters(80, 1024)
    assert filters.shape == (80, 513)
    assert filters.sum(axis=1) == pytest.approx(np.ones(80), rel=1e-5)
    assert (np.diff(filters @ np.arange(513)) > 0).all()


@pytest.mark.parametrize(
    "name",
    ["griffin_lim_linear", "griffin_lim_mel", "stft_phase", "lpc", "harmonic_noise", "world_full", "world_coded"],
)
def test_a_vocoder_keeps_time_and_words_but_not_the_waveform(name: str, speech: Pcm) -> None:
    if name not in ("griffin_lim_linear", "griffin_lim_mel", "stft_phase"):
        pytest.importorskip("pyworld", reason="this vocoder takes its pitch from pyworld")
    from training.spoof.recipe import resynthesis

    vocoder: Callable[[Pcm, np.random.Generator], Pcm] = getattr(resynthesis, name)
    made = vocoder(speech, np.random.default_rng(1))
    assert made.dtype == np.float32 and made.shape == speech.shape and np.isfinite(made).all()
    assert np.corrcoef(loudness(made), loudness(speech))[0, 1] > 0.75
    assert abs(np.corrcoef(made, speech)[0, 1]) < 0.9
    assert np.array_equal(made, vocoder(speech, np.random.default_rng(1)))


@pytest.mark.parametrize("name", ["griffin_lim_mel", "stft_phase", "lpc", "harmonic_noise", "world_full"])
def test_a_vocoder_survives_digital_silence(name: str) -> None:
    pytest.importorskip("pyworld", reason="these vocoders take their pitch from pyworld")
    from training.spoof.recipe import resynthesis

    made = getattr(resynthesis, name)(np.zeros(RATE, np.float32), np.random.default_rng(1))
    assert np.isfinite(made).all() and np.abs(made).max() < 1e-2


def test_the_mel_cepstral_vocoder_keeps_time(speech: Pcm) -> None:
    pytest.importorskip("pyworld", reason="this vocoder takes its pitch from pyworld")
    from training.spoof.recipe import resynthesis

    if not resynthesis.has_sptk():
        pytest.skip("SPTK is not installed")
    made = resynthesis.mel_cepstral(speech, np.random.default_rng(1))
    assert made.shape == speech.shape and np.isfinite(made).all()
    assert np.corrcoef(loudness(made), loudness(speech))[0, 1] > 0.75


@pytest.mark.parametrize(
    "synthesiser",
    [
        s.EspeakNg(klatt=False),
        s.EspeakNg(klatt=True),
        s.Flite(),
        s.Festival(s.FESTIVAL_DIPHONE),
        s.Festival(s.FESTIVAL_HTS),
        s.Sam(),
    ],
    ids=["espeak", "espeak_klatt", "flite", "festival_diphone", "festival_hts", "sam"],
)
def test_a_synthesiser_speaks(synthesiser: s.Synthesiser) -> None:
    if (reason := synthesiser.missing()) is not None:
        pytest.skip(reason)
    voice = synthesiser.voices()[0]
    spoken = synthesiser.speak(voice, np.random.default_rng(3))
    assert spoken.dtype == np.float32 and np.isfinite(spoken).all()
    assert len(spoken) > RATE
    assert level_dbfs(spoken) > -40


def test_both_kinds_of_espeak_voices_are_told_apart() -> None:
    if (reason := s.EspeakNg(klatt=True).missing()) is not None:
        pytest.skip(reason)
    variants = [{voice.name.split("+")[1] for voice in s.EspeakNg(klatt=klatt).voices()} for klatt in (False, True)]
    assert not variants[0] & variants[1]
    assert "klatt" in variants[1] and "edward" in variants[1] and "f5" in variants[0]


def test_a_missing_synthesiser_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert s.Flite().missing() == "Flite is left out: apt install flite."
    assert "apt install festival" in str(s.Festival(s.FESTIVAL_HTS).missing())


@pytest.mark.parametrize("language", languages())
def test_texts_are_filled_in_and_varied(language: s.Language) -> None:
    texts = {sentences(language, 2, np.random.default_rng(seed)) for seed in range(40)}
    assert len(texts) > 30
    assert not any("{" in text or "}" in text for text in texts)


def test_english_has_hundreds_of_sentences() -> None:
    assert len({sentences("en", 1, np.random.default_rng(seed)) for seed in range(500)}) > 480
