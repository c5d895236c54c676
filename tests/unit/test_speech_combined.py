"""Several synthesisers side by side."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints.piper import build_tiny_piper
from numpy.typing import NDArray
from pydantic import ValidationError

from deployments.planning.gpu_memory_needs import GIBIBYTE, Work, gpu_memory_need, runs_on_gpu
from deployments.user_config import fields_that_need_a_new_engine
from graphs.common.voices import choose_voice
from models.speech import CombinedSettings, EspeakSettings, HibariSettings, PiperSettings, VitsSettings, Voice, build
from models.speech.combined import CombinedEngine
from models.speech.types import Quality, Reference
from models.weights.references import references

pytestmark = pytest.mark.unit

RATE = 16_000


class FakeModel:
    """Says how many characters its voice's id has."""

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        yield np.full(len(voice.id), 0.5, np.float32)


class FakeEngine:
    """Has voices named by its settings' variants; a variant ``bad`` can't be taken."""

    def __init__(self, name: str, quality: Quality, languages: tuple[str, ...], *ids: str) -> None:
        self.name = name
        self.voices = tuple(
            Voice(i, i, languages, f"model-{i}", RATE, engine=name, quality=quality, reads_digits=name == "one")
            for i in ids
        )
        self.pace = 175
        self.loads: list[str] = []

    def adjust(self, settings: Any) -> None:
        if settings.words_per_minute == 200:
            raise ValueError("200 can't be taken")
        self.pace = settings.words_per_minute

    def load(self, model: str) -> FakeModel:
        self.loads.append(model)
        return FakeModel()


def combined(*engines: FakeEngine) -> CombinedEngine:
    rest = iter(engines)
    settings = CombinedSettings(engines=tuple(EspeakSettings() for _engine in engines))
    return CombinedEngine(settings, lambda _settings: next(rest))


def test_a_languages_default_is_its_best_voice_and_of_equals_that_of_the_first_engine() -> None:
    engine = combined(
        FakeEngine("one", "robotic", ("en", "ru", "es"), "a"),
        FakeEngine("two", "good", ("ru", "en"), "b", "c"),
        FakeEngine("three", "natural", ("en",), "d"),
        FakeEngine("four", "good", ("ru",), "e"),
    )
    assert [voice.id for voice in engine.voices] == ["d", "b", "c", "e", "a"]
    defaults = {language: choose_voice(engine.voices, language)[0].id for language in ("en", "ru", "es")}
    assert defaults == {"en": "d", "ru": "b", "es": "a"}
    assert [voice.reads_digits for voice in engine.voices] == [False] * 4 + [True]


def test_a_voice_is_spoken_by_its_engine_whatever_it_is_called_in_the_whole() -> None:
    one, two = FakeEngine("one", "good", ("en",), "a", "b"), FakeEngine("two", "good", ("en",), "a", "ccc")
    engine = combined(one, two)
    voices = {voice.id: voice for voice in engine.voices}
    assert list(voices) == ["a", "b", "two:a", "ccc"]
    assert len({voice.model for voice in voices.values()}) == 4
    lengths = {}
    for identifier, voice in voices.items():
        model = engine.load(voice.model)
        pieces = model.synthesize("x", voice=voice, language="en", speed=1.0, reference=None)
        lengths[identifier] = sum(map(len, pieces))
    assert lengths == {"a": 1, "b": 1, "two:a": 1, "ccc": 3}
    assert one.loads == ["model-a", "model-b"] and two.loads == ["model-a", "model-ccc"]
    with pytest.raises(ValueError, match="no engine has a model"):
        engine.load("nobody")


def test_two_engines_of_a_kind_with_the_same_voice_are_refused() -> None:
    third = FakeEngine("one", "good", ("en",), "a")
    with pytest.raises(ValueError, match="two engines 'one' have"):
        combined(FakeEngine("one", "good", ("en",), "a"), third, FakeEngine("one", "good", ("en",), "a"))


def test_new_settings_go_to_the_engines_that_they_are_of_or_to_none() -> None:
    engines = [FakeEngine(name, "good", ("en",), name) for name in ("one", "two", "three")]
    engine = combined(*engines)

    def paced(*paces: int) -> CombinedSettings:
        return CombinedSettings(engines=tuple(EspeakSettings(words_per_minute=pace) for pace in paces))

    engine.adjust(paced(175, 150, 160))
    assert [member.pace for member in engines] == [175, 150, 160]
    with pytest.raises(ValueError, match="200"):
        engine.adjust(paced(300, 301, 200))
    engines[2].pace = 160
    assert [member.pace for member in engines] == [175, 150, 160]


def test_only_fields_that_no_engine_takes_as_it_works_need_a_new_one() -> None:
    before = CombinedSettings(engines=(HibariSettings(), EspeakSettings()))
    live = CombinedSettings(engines=(HibariSettings(seed=3), EspeakSettings(variants=())))
    fixed = CombinedSettings(engines=(HibariSettings(threads=2), EspeakSettings()))
    assert fields_that_need_a_new_engine(before, live) == []
    assert fields_that_need_a_new_engine(before, fixed) == ["engines"]
    assert fields_that_need_a_new_engine(before, CombinedSettings(engines=(HibariSettings(),))) == ["engines"]


def test_engines_are_named_and_not_combined_again() -> None:
    with pytest.raises(ValidationError):
        CombinedSettings.model_validate({"engines": []})
    with pytest.raises(ValidationError):
        CombinedSettings.model_validate({"engines": [{"engine": "combined", "engines": [{"engine": "espeak"}]}]})


def test_plans_add_up_what_the_engines_on_the_gpu_need() -> None:
    piper, vits = PiperSettings(folder="voices", device="cuda"), VitsSettings(models={"ru": "a/b"}, device="cuda")
    both = CombinedSettings(engines=(HibariSettings(), piper, vits))
    need, alone = gpu_memory_need(both, Work()), gpu_memory_need(piper, Work())
    assert need is not None and alone is not None
    assert alone.bytes < need.bytes < alone.bytes + 2 * GIBIBYTE
    assert runs_on_gpu(both, given=False)
    assert not runs_on_gpu(CombinedSettings(engines=(HibariSettings(), EspeakSettings())), given=True)


def test_weights_of_all_engines_are_found() -> None:
    settings = CombinedSettings(engines=(EspeakSettings(), PiperSettings(folder="voices")))
    assert [(found.setting, found.name) for found in references(settings)] == [("engines.1.folder", "voices")]


def test_engines_of_all_kinds_speak_side_by_side(tmp_path: Path) -> None:
    build_tiny_piper(tmp_path, "en_US-a")
    members = (EspeakSettings(variants=()), PiperSettings(folder=tmp_path), HibariSettings())
    engine = build(CombinedSettings(engines=members))
    chosen = {language: choose_voice(engine.voices, language)[0] for language in ("en", "ru")}
    assert {language: voice.engine for language, voice in chosen.items()} == {"en": "hibari", "ru": "espeak"}
    piper = next(voice for voice in engine.voices if voice.engine == "piper")
    for language, voice in (*chosen.items(), ("en", piper)):
        pieces = engine.load(voice.model).synthesize("a", voice=voice, language=language, speed=1.0, reference=None)
        assert sum(map(len, pieces)) > 0
