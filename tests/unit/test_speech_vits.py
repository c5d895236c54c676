"""The VITS engine, on small checkpoints with random weights."""

# ruff: noqa: RUF001 - phonemes look like letters

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from checkpoints.vits import SAMPLES_PER_FRAME, build_tiny_vits
from numpy.typing import NDArray
from pydantic import ValidationError
from weights_caches import WeightsCaches

from models.errors import InputError, MissingWeights
from models.speech import SpeechEngine, VitsSettings, build
from models.speech.vits import LONGEST_TOKEN_S

pytestmark = [pytest.mark.unit, pytest.mark.slow]

TEXT = "Hello, big world!"
SPOKEN = "hello big world"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_vits(tmp_path_factory.mktemp("vits"))


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> SpeechEngine:
    return build(VitsSettings(models={"en": str(checkpoint)}, device="cpu"))


def speak(engine: SpeechEngine, text: str, *, voice: int = 0, speed: float = 1.0) -> NDArray[np.float32]:
    chosen = engine.voices[voice]
    model = engine.load(chosen.model)
    language = chosen.languages[0]
    pieces = list(model.synthesize(text, voice=chosen, language=language, speed=speed, reference=None))
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def test_speech_is_what_transformers_makes_of_the_same_seed(engine: SpeechEngine, checkpoint: Path) -> None:
    import torch
    from transformers import VitsModel, VitsTokenizer

    model = VitsModel.from_pretrained(str(checkpoint), local_files_only=True).eval()
    tokens = VitsTokenizer.from_pretrained(str(checkpoint), local_files_only=True)(TEXT, return_tensors="pt")
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        expected = model(**tokens).waveform[0].numpy()
    samples = speak(engine, TEXT)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1
    np.testing.assert_allclose(samples, expected, atol=1e-5)


def test_a_clause_sounds_the_same_every_time_also_in_several_threads(engine: SpeechEngine) -> None:
    import torch

    model, voice = engine.load("en"), engine.voices[0]

    def spoken(text: str) -> NDArray[np.float32]:
        return next(model.synthesize(text, voice=voice, language="en", speed=1.0, reference=None))

    texts = [f"{letter}bc" for letter in "defghijk"]
    expected = [spoken(text) for text in texts]
    state = torch.get_rng_state()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(spoken, texts))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_seed_and_the_noise_scales_change_the_speech(checkpoint: Path) -> None:
    made = [
        speak(build(VitsSettings(models={"en": str(checkpoint)}, device="cpu", noise_scale=noise, seed=seed)), TEXT)
        for noise, seed in ((None, 0), (None, 1), (0.0, 0))
    ]
    lengths = [len(samples) for samples in made]
    assert not np.array_equal(made[0][: min(lengths)], made[1][: min(lengths)])
    assert not np.array_equal(made[0][: min(lengths)], made[2][: min(lengths)])


def test_speed_shortens_and_lengthens(engine: SpeechEngine) -> None:
    normal, fast, slow = (len(speak(engine, TEXT, speed=speed)) for speed in (1.0, 2.0, 0.5))
    assert 0.4 * normal < fast < 0.7 * normal
    assert 1.6 * normal < slow < 2.2 * normal


def test_no_letter_lasts_for_ever(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = build_tiny_vits(tmp_path)
    weights = load_file(folder / "model.safetensors")
    (shift,) = (name for name in weights if name.startswith("duration_predictor.flows.0.") and "translate" in name)
    weights[shift] = torch.full_like(weights[shift], -50.0)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    samples = speak(build(VitsSettings(models={"en": str(folder)}, device="cpu")), "a")
    # One letter between two blanks.
    assert len(samples) == pytest.approx(3 * LONGEST_TOKEN_S * 16_000, abs=3 * SAMPLES_PER_FRAME)


@pytest.mark.parametrize("text", ["...", "?!", "—"])
def test_marks_alone_are_silent(engine: SpeechEngine, text: str) -> None:
    assert len(speak(engine, text)) == 0


@pytest.mark.parametrize("text", ["Привет", "123"])
def test_letters_that_the_model_does_not_know_are_refused(engine: SpeechEngine, text: str) -> None:
    with pytest.raises(InputError, match=text) as refused:
        speak(engine, text)
    assert (refused.value.code, refused.value.field) == ("unspeakable", "text")


def test_each_language_has_its_model_and_each_speaker_a_voice(tmp_path: Path, checkpoint: Path) -> None:
    many = build_tiny_vits(tmp_path, letters="абвгд", speakers=3, sample_rate=22_050)
    engine = build(VitsSettings(models={"en": str(checkpoint), "ru": str(many)}, device="cpu"))
    assert [(voice.id, voice.languages, voice.model, voice.sample_rate) for voice in engine.voices] == [
        ("vits-en", ("en",), "en", 16_000),
        *((f"vits-ru-{speaker}", ("ru",), "ru", 22_050) for speaker in range(3)),
    ]
    first, second = (speak(engine, "абв", voice=voice) for voice in (1, 2))
    assert not np.array_equal(first[:100], second[:100])


def test_numbers_come_as_words(engine: SpeechEngine) -> None:
    assert not any(voice.reads_digits for voice in engine.voices)


def test_half_precision_speaks(checkpoint: Path) -> None:
    settings = VitsSettings(models={"en": str(checkpoint)}, device="cpu", precision="bfloat16")
    assert np.isfinite(speak(build(settings), TEXT)).all()


def test_a_language_that_is_romanised_needs_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_tiny_vits(tmp_path, tokenizer={"is_uroman": True})
    monkeypatch.setitem(sys.modules, "uroman", None)
    with pytest.raises(MissingWeights, match="pip install uroman"):
        build(VitsSettings(models={"ko": str(folder)}, device="cpu"))


def test_a_romanised_text_is_spoken_as_its_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: SpeechEngine
) -> None:
    folder = build_tiny_vits(tmp_path, tokenizer={"is_uroman": True})
    romanised: list[str] = []

    class Uroman:
        def romanize_string(self, text: str) -> str:
            romanised.append(text)
            return SPOKEN

    monkeypatch.setitem(sys.modules, "uroman", SimpleNamespace(Uroman=Uroman))
    korean = build(VitsSettings(models={"ko": str(folder)}, device="cpu"))
    np.testing.assert_array_equal(speak(korean, "안녕 A"), speak(engine, SPOKEN))
    assert romanised == ["안녕 a"]


def test_a_checkpoint_that_takes_phonemes_gets_them_with_the_marks_between(tmp_path: Path) -> None:
    letters = "həlˈoʊwɜːdbɪɡ ,!"
    spelt = build_tiny_vits(tmp_path / "spelt", letters=letters)
    phonemes = build_tiny_vits(tmp_path / "phonemes", letters=letters, tokenizer={"phonemize": True})
    engines = [build(VitsSettings(models={"en": str(folder)}, device="cpu")) for folder in (spelt, phonemes)]
    np.testing.assert_array_equal(speak(engines[1], TEXT), speak(engines[0], "həlˈoʊ, bˈɪɡ wˈɜːld!"))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = build_tiny_vits(tmp_path)
    build_tiny_vits(tmp_path / "other", letters="abc")
    shutil.copy(tmp_path / "other" / "model.safetensors", folder)
    with pytest.raises(ValueError, match=r"don't fit its config\.json.*embed_tokens"):
        build(VitsSettings(models={"en": str(folder)}, device="cpu")).load("en")


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_checkpoints_of_older_libraries_speak_the_same(tmp_path: Path, engine: SpeechEngine, name: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = build_tiny_vits(tmp_path)
    weights = load_file(folder / "model.safetensors")
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        weights = {key.replace(f"parametrizations.weight.{new}", old): value for key, value in weights.items()}
    assert any(key.endswith("weight_g") for key in weights)
    if name == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
        torch.save(weights, folder / name)
    else:
        save_file(weights, folder / name, metadata={"format": "pt"})
    older = build(VitsSettings(models={"en": str(folder)}, device="cpu"))
    np.testing.assert_array_equal(speak(older, TEXT), speak(engine, TEXT))


def test_a_missing_model_is_named_with_the_way_to_get_it(tmp_path: Path, weights_caches: WeightsCaches) -> None:
    with pytest.raises(MissingWeights, match=f"no folder {tmp_path}/none; fetch it with: hf download"):
        build(VitsSettings(models={"en": f"{tmp_path}/none"}))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingWeights, match=r"no vocab\.json, no model\.safetensors or pytorch_model\.bin"):
        build(VitsSettings(models={"en": str(tmp_path)}))
    with pytest.raises(MissingWeights, match=r"facebook/mms-tts-kaz are missing.*python -m models\.weights pull"):
        build(VitsSettings(models={"kk": "facebook/mms-tts-kaz"}))
    with pytest.raises(MissingWeights, match=r"such as `en: facebook/mms-tts-eng`.*python -m models\.weights pull"):
        build(VitsSettings())


def test_without_models_those_of_mms_on_this_machine_are_served(
    weights_caches: WeightsCaches, checkpoint: Path
) -> None:
    for name in ("kaz", "eng"):
        weights_caches.put_from_hub(f"facebook/mms-tts-{name}", checkpoint)
    engine = build(VitsSettings(device="cpu"))
    assert [voice.languages for voice in engine.voices] == [("en",), ("kk",)]
    assert len(speak(engine, TEXT, voice=1)) > 0


@pytest.mark.parametrize(
    "fields", [{"models": {"English": "x"}}, {"noise_scale": -1}, {"seed": -1}, {"language": "en"}, {"device": "tpu"}]
)
def test_settings_out_of_range_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        VitsSettings.model_validate(fields)
