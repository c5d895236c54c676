"""The speech deployment over a fake engine, and eSpeak NG through a handle in Serve's local testing mode."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from checkpoints.piper import build_tiny_piper
from numpy.typing import NDArray
from pydantic import ValidationError
from ray import serve

from deployments.speech import SpeechClient, SpeechReplica, speech_deployment
from models.errors import InputError, MissingWeights
from models.speech import CombinedSettings, EspeakSettings, HibariSettings, PiperSettings, Reference, SpeechChunk, Voice

pytestmark = [pytest.mark.graph, pytest.mark.anyio]

RATE = 16_000


class FakeModel:
    """Says each word as 0.1 s of a constant; can be made to wait before each, and to say nothing."""

    def __init__(self, engine: "FakeEngine", name: str) -> None:
        self._engine = engine
        self.name = name
        self.said: list[str] = []
        self.left = threading.Event()
        self.inside = threading.Semaphore(0)
        self.go = threading.Semaphore(1_000)

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        self.said.append(clause)
        try:
            for _word in clause.split():
                self.inside.release()
                assert self.go.acquire(timeout=10)
                yield np.full(RATE // 10, self._engine.level, np.float32)
        finally:
            self.left.set()


class FakeEngine:
    """Has three models; the last is not on this machine."""

    made: ClassVar[list["FakeEngine"]] = []
    next_level: ClassVar[float] = 0.25

    def __init__(self, settings: EspeakSettings) -> None:
        self.level = self.next_level
        self.loads: list[str] = []
        self.models: dict[str, FakeModel] = {}
        self.voices = tuple(Voice(f"voice-{name}", name, ("en",), name, RATE) for name in ("a", "b", "c", "gone"))
        FakeEngine.made.append(self)

    def load(self, model: str) -> FakeModel:
        self.loads.append(model)
        if model == "gone":
            raise MissingWeights("The model is not here; fetch it.")
        self.models[model] = FakeModel(self, model)
        return self.models[model]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeEngine.made = []
    monkeypatch.setattr(FakeEngine, "next_level", 0.25)
    monkeypatch.setattr("deployments.speech.build", FakeEngine)


def replica(max_models: int = 2, concurrency: int = 2) -> tuple[SpeechReplica, FakeEngine]:
    made = SpeechReplica(EspeakSettings(), concurrency, max_models)
    return made, FakeEngine.made[-1]


async def voice(made: SpeechReplica, name: str) -> Voice:
    return next(voice for voice in await made.voices() if voice.model == name)


def chunks_of(made: SpeechReplica, text: str, by: Voice, **options: float) -> AsyncIterator[SpeechChunk]:
    return made.synthesize(text, voice=by, language="en", correlation_id="cid", **options)


async def said(made: SpeechReplica, text: str, name: str = "a") -> list[SpeechChunk]:
    return [chunk async for chunk in chunks_of(made, text, await voice(made, name))]


async def test_a_text_is_spoken_clause_by_clause_with_its_numbers_as_words(fake: None) -> None:
    made, engine = replica()
    chunks = await said(made, "It is 3. Yes.")
    assert engine.models["a"].said[1:] == ["It is three.", "Yes."]
    assert [chunk.text for chunk in chunks if chunk.text] == ["It is 3.", "Yes."]
    assert sum(len(chunk.samples) for chunk in chunks) == 4 * RATE // 10 + RATE // 4


async def test_the_model_that_warmed_the_engine_is_not_loaded_again(fake: None) -> None:
    made, engine = replica()
    assert engine.loads == ["a"]
    assert engine.models["a"].said == ["Good morning."]
    await said(made, "Yes.")
    assert engine.loads == ["a"]


@pytest.mark.slow
async def test_the_least_recently_used_model_goes(fake: None) -> None:
    made, engine = replica(max_models=2)
    for name in ("a", "b", "a", "c", "a"):
        await said(made, "Yes.", name)
    assert engine.loads == ["a", "b", "c"]
    gc.collect()
    assert (await made.describe())["models"] == ["a", "c"]
    await said(made, "Yes.", "b")
    assert engine.loads == ["a", "b", "c", "b"]


async def test_callers_who_need_the_same_model_at_once_load_it_once(fake: None) -> None:
    made, engine = replica()
    await asyncio.gather(*(said(made, "Yes.", "b") for _caller in range(8)))
    assert engine.loads == ["a", "b"]


async def test_a_model_that_goes_while_it_speaks_speaks_to_the_end(fake: None) -> None:
    made, engine = replica(max_models=1)
    chunks = chunks_of(made, "One two. Three.", await voice(made, "a"))
    first = await anext(chunks)
    await said(made, "Yes.", "b")
    rest = [chunk async for chunk in chunks]
    assert sum(len(chunk.samples) for chunk in [first, *rest]) == 3 * RATE // 10 + RATE // 4
    assert engine.loads == ["a", "b"]


async def test_the_first_chunk_comes_before_the_next_is_made(fake: None) -> None:
    made, engine = replica()
    model = engine.models["a"]
    model.go = threading.Semaphore(1)
    chunks = chunks_of(made, "One two three.", await voice(made, "a"))
    first = await anext(chunks)
    assert len(first.samples) > 0 and first.text == "One two three."
    model.go.release(10)
    assert sum([len(chunk.samples) async for chunk in chunks]) + len(first.samples) == 3 * RATE // 10


async def test_callers_speak_at_once(fake: None) -> None:
    made, engine = replica(concurrency=2)
    model = engine.models["a"]
    assert model.inside.acquire(timeout=10) and model.inside.acquire(timeout=10)
    model.go = threading.Semaphore(0)
    calls = [asyncio.create_task(said(made, "Yes.")) for _caller in range(2)]
    for _caller in calls:
        assert await asyncio.to_thread(model.inside.acquire, timeout=10)
    model.go.release(10)
    assert [len(await call) for call in calls] == [2, 2]


async def test_a_caller_who_leaves_ends_the_synthesis(fake: None) -> None:
    made, engine = replica()
    model = engine.models["a"]
    model.left.clear()
    async with aclosing(chunks_of(made, "One two three four.", await voice(made, "a"))) as chunks:  # type: ignore[type-var]
        await anext(chunks)
    assert await asyncio.to_thread(model.left.wait, 10)


async def test_voices_languages_and_speeds_that_are_not_there_are_refused(fake: None) -> None:
    made, engine = replica()
    stranger = Voice("stranger", "S", ("en",), "../secret", RATE)
    with pytest.raises(InputError, match="stranger") as refused:
        await anext(chunks_of(made, "Yes.", stranger))
    assert refused.value.field == "voice"
    with pytest.raises(InputError) as refused:
        await anext(chunks_of(made, "Yes.", await voice(made, "a"), speed=9.0))
    assert refused.value.field == "speed"
    assert engine.loads == ["a"]


async def test_a_missing_model_fails_its_own_callers_alone(fake: None) -> None:
    made, _engine = replica()
    with pytest.raises(MissingWeights, match="fetch it"):
        await said(made, "Yes.", "gone")
    assert await said(made, "Yes.")


async def test_new_settings_make_a_new_engine_whose_models_speak_from_then_on(
    fake: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SpeechReplica(PiperSettings(folder="voices"), 2, 2)
    engine = FakeEngine.made[-1]
    await said(made, "Yes.")
    monkeypatch.setattr(FakeEngine, "next_level", 0.75)
    await made.reconfigure({"threads": 2})
    assert made.engine is FakeEngine.made[-1] is not engine
    assert max(chunk.samples.max() for chunk in await said(made, "Yes.")) == 0.75
    with pytest.raises(ValidationError):
        await made.reconfigure({"threads": 0})


async def test_default_voices_change_without_a_new_engine(tmp_path: Path) -> None:
    for name in ("en_US-a", "en_US-b"):
        build_tiny_piper(tmp_path, name)
    made = SpeechReplica(PiperSettings(folder=tmp_path), 1, 2)
    engine = made.engine
    assert [voice.id for voice in await made.voices()] == ["en_US-a", "en_US-b"]
    await made.reconfigure({"defaults": ["en_US-b"]})
    assert [voice.id for voice in await made.voices()] == ["en_US-b", "en_US-a"]
    with pytest.raises(MissingWeights, match="nobody"):
        await made.reconfigure({"defaults": ["nobody"]})
    assert [voice.id for voice in await made.voices()] == ["en_US-b", "en_US-a"]
    await made.reconfigure({})
    assert [voice.id for voice in await made.voices()] == ["en_US-a", "en_US-b"]
    assert made.engine is engine


async def test_espeaks_voices_and_pace_change_without_a_new_engine() -> None:
    made = SpeechReplica(EspeakSettings(variants=()), 1, 2)
    engine = made.engine
    english = next(voice for voice in await made.voices() if voice.id == "en-us")

    async def seconds() -> float:
        spoken = [chunk async for chunk in chunks_of(made, "One two three four five six.", english)]
        return sum(len(chunk.samples) / chunk.sample_rate for chunk in spoken)

    slow = await seconds()
    await made.reconfigure({"variants": ["f3"], "words_per_minute": 300})
    assert await seconds() < 0.8 * slow
    assert {"en-us", "en-us-f3"} <= {voice.id for voice in await made.voices()}
    with pytest.raises(ValueError, match="no variant"):
        await made.reconfigure({"variants": ["nobody"]})
    assert (await made.describe())["variants"] == ["f3"]
    assert made.engine is engine


async def test_health_is_a_loaded_models_own_speech(fake: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made, engine = replica()
    made._last_success -= 3600
    await made.check_health()
    assert engine.models["a"].said == ["Good morning."] * 2
    await said(made, "Yes.", "b")
    made._last_success -= 3600
    await made.check_health()
    assert "Good morning." in engine.models["b"].said
    engine.level = 0.0
    made._last_success -= 3600
    with pytest.raises(RuntimeError, match="says nothing"):
        await made.check_health()


async def test_an_engine_that_says_nothing_does_not_start(fake: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "next_level", 0.0)
    with pytest.raises(RuntimeError, match="says nothing"):
        replica()


async def test_describe_tells_voices_and_models(fake: None) -> None:
    made, _engine = replica()
    await said(made, "Yes.", "b")
    description = await made.describe()
    assert (description["engine"], description["voices"], description["max_models"]) == ("espeak", 4, 2)
    assert "b" in description["models"]


@pytest.fixture
def served() -> Iterator[SpeechClient]:
    handle = serve.run(
        speech_deployment.bind(EspeakSettings(variants=()), 2, 2, "INFO"),
        name="speech",
        route_prefix=None,
        _local_testing_mode=True,
    )
    yield SpeechClient(handle)


async def test_the_role_behind_its_handle_speaks(served: SpeechClient) -> None:
    voices = {language: voice for voice in reversed(await served.voices()) for language in voice.languages}
    text = {"en": "Good morning. How are you?", "ru": "Доброе утро.", "zh": "早上好。3.14。"}
    for language, words in text.items():
        heard = served.synthesize(words, voice=voices[language], language=language, speed=2.0, correlation_id="cid")
        chunks = [chunk async for chunk in heard]
        assert chunks[0].text
        assert {chunk.sample_rate for chunk in chunks} == {voices[language].sample_rate}
        assert max(np.abs(chunk.samples).max() for chunk in chunks) > 0.1


async def test_a_refusal_comes_through_the_handle(served: SpeechClient) -> None:
    by = (await served.voices())[0]
    with pytest.raises(InputError) as refused:
        await anext(served.synthesize("Yes.", voice=by, language="fr", correlation_id="cid"))
    assert refused.value.field == "language"


async def test_engines_side_by_side_are_all_warm_and_each_voice_is_spoken_by_its_own() -> None:
    made = SpeechReplica(CombinedSettings(engines=(EspeakSettings(variants=()), HibariSettings())), 2, 2)
    engine = made.engine
    assert made._warmed is not None and set(made._warmed[1]) == {"heart", "espeak"}
    voices = await made.voices()
    assert (voices[0].id, voices[0].engine, len({voice.engine for voice in voices})) == ("heart", "hibari", 2)
    russian = next(voice for voice in voices if "ru" in voice.languages)
    for by, language in ((voices[0], "en"), (russian, "ru")):
        spoken = [chunk async for chunk in made.synthesize("3, 2, 1.", voice=by, language=language)]
        assert max(np.abs(chunk.samples).max() for chunk in spoken) > 0.1
    assert (await made.describe())["models"] == ["espeak", "heart"]
    await made.reconfigure({"engines": [{"engine": "espeak", "variants": ["f3"]}, {"engine": "hibari", "seed": 1}]})
    assert made.engine is engine
    assert "en-us-f3" in {voice.id for voice in await made.voices()}
