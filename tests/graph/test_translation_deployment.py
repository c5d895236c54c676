"""The translation deployment over a fake engine, and through a handle in Serve's local testing mode."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest
from pydantic import ValidationError
from ray import serve

from deployments.translation import (
    MAX_SENTENCES_PER_CALL,
    TranslationClient,
    TranslationReplica,
    translation_deployment,
)
from graphs.translation.text import TranslationGraph
from models.errors import InputError
from models.translation import ApertiumSettings, CTranslate2Settings, Sentence, Translation
from models.translation.pairs import require_pair

pytestmark = [pytest.mark.graph, pytest.mark.anyio]


class FakeTranslator:
    """Puts text into upper case, English to Spanish alone. Can be made to wait inside; fails on "fault"."""

    made: ClassVar[list["FakeTranslator"]] = []
    name = "fake"
    beam_size = 4

    def __init__(self, settings: ApertiumSettings) -> None:
        self.pairs = {"en": frozenset({"es"})}
        self.batches: list[list[str]] = []
        self.inside = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        FakeTranslator.made.append(self)

    def check(self, sentence: Sentence) -> None:
        require_pair(self.pairs, sentence.source, sentence.target)

    def translate(self, sentences: Sequence[Sentence]) -> list[Translation]:
        self.batches.append([sentence.text for sentence in sentences])
        self.inside.release()
        assert self.open.wait(10)
        for sentence in sentences:
            self.check(sentence)
            if sentence.text == "fault":
                raise InputError("untranslatable", "one of the sentences", field="text")
        return [Translation(sentence.text.upper()) for sentence in sentences]

    def cost(self, sentence: Sentence) -> float:
        return float(len(sentence.text))

    def close(self) -> None:
        return None


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeTranslator.made = []
    monkeypatch.setattr("deployments.translation.build", FakeTranslator)


def replica(max_batch_tokens: int = 12) -> tuple[TranslationReplica, FakeTranslator]:
    made = TranslationReplica(ApertiumSettings(), max_batch_tokens, 0.0, 1)
    translator = FakeTranslator.made[-1]
    assert translator.inside.acquire(timeout=10)
    translator.batches.clear()
    return made, translator


def english(*texts: str) -> list[Sentence]:
    return [Sentence(text, "en", "es") for text in texts]


async def inside(translator: FakeTranslator) -> None:
    assert await asyncio.to_thread(translator.inside.acquire, timeout=10)


async def test_sentences_of_several_callers_travel_together_up_to_the_cost() -> None:
    made, translator = replica()
    translator.open.clear()
    first = asyncio.create_task(made.translate(english("first"), correlation_id="a"))
    await inside(translator)
    others = [
        asyncio.create_task(made.translate(english(text, text), correlation_id=text)) for text in ("one", "two", "six")
    ]
    while made._batcher._queue.cost < 18:  # noqa: ASYNC110 - the batcher tells nobody
        await asyncio.sleep(0)
    translator.open.set()
    assert [done.text for done in await first] == ["FIRST"]
    assert [[done.text for done in await other] for other in others] == [["ONE"] * 2, ["TWO"] * 2, ["SIX"] * 2]
    assert translator.batches == [["first"], ["one", "one", "two", "two"], ["six", "six"]]


async def test_a_pair_that_is_missing_ends_its_own_call_and_never_reaches_the_engine() -> None:
    made, translator = replica()
    good, bad = await asyncio.gather(
        made.translate(english("one"), correlation_id="a"),
        made.translate([*english("two"), Sentence("three", "en", "ru")], correlation_id="b"),
        return_exceptions=True,
    )
    assert not isinstance(good, BaseException)
    assert [done.text for done in good] == ["ONE"]
    assert isinstance(bad, InputError)
    assert (bad.code, bad.field) == ("unsupported_pair", "target")
    assert translator.batches == [["one"]]


async def test_a_sentence_on_which_the_engine_fails_ends_its_own_call_alone() -> None:
    made, translator = replica()
    translator.open.clear()
    blocker = asyncio.create_task(made.translate(english("block"), correlation_id="x"))
    await inside(translator)
    calls = [asyncio.create_task(made.translate(english(text), correlation_id=text)) for text in ("fault", "fine")]
    while made._batcher._queue.cost < 9:  # noqa: ASYNC110 - the batcher tells nobody
        await asyncio.sleep(0)
    translator.open.set()
    bad, good = await asyncio.gather(*calls, return_exceptions=True)
    await blocker
    assert isinstance(bad, InputError)
    assert not isinstance(good, BaseException)
    assert good[0].text == "FINE"


async def test_a_call_of_too_many_sentences_is_refused() -> None:
    made, _translator = replica()
    with pytest.raises(ValueError, match=str(MAX_SENTENCES_PER_CALL)):
        await made.translate(english(*["x"] * (MAX_SENTENCES_PER_CALL + 1)))


async def test_wait_and_largest_batch_change_without_a_new_engine_and_typos_are_refused() -> None:
    made, translator = replica()
    await made.reconfigure({"batch_wait_ms": 25.0, "max_batch_tokens": 6})
    assert (await made.describe())["batch_wait_ms"] == 25.0
    await made.translate(english("one", "two", "six"))
    assert translator.batches == [["one", "two"], ["six"]]
    assert made.engine is translator
    for wrong in ({"wokers": 3}, {"max_batch_tokens": 0}, {"batch_wait_ms": "soon"}):
        with pytest.raises(ValidationError):
            await made.reconfigure({"max_batch_tokens": 9, **wrong})
    assert (await made.describe())["max_batch_tokens"] == 6


async def test_the_search_changes_without_a_new_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Searching(FakeTranslator):
        def adjust(self, settings: CTranslate2Settings) -> None:
            self.beam_size = settings.beam_size

    monkeypatch.setattr("deployments.translation.build", Searching)
    made = TranslationReplica(CTranslate2Settings(models=("m2m100",)))
    await made.reconfigure({"beam_size": 1})
    assert made.engine is FakeTranslator.made[-1]
    assert FakeTranslator.made[-1].beam_size == (await made.describe())["beam_size"] == 1
    with pytest.raises(ValidationError):
        await made.reconfigure({"beam_size": 0})
    assert (await made.describe())["beam_size"] == 1


async def test_an_engine_without_pairs_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty(FakeTranslator):
        def __init__(self, settings: ApertiumSettings) -> None:
            super().__init__(settings)
            self.pairs = {}

    monkeypatch.setattr("deployments.translation.build", Empty)
    made = TranslationReplica(ApertiumSettings())
    assert await made.pairs() == {}
    with pytest.raises(InputError, match="No pair is installed"):
        await made.translate(english("one"))


@pytest.fixture
def served() -> Iterator[TranslationClient]:
    handle = serve.run(translation_deployment.bind(ApertiumSettings()), _local_testing_mode=True)
    yield TranslationClient(handle)


async def test_the_graph_translates_through_a_handle(served: TranslationClient) -> None:
    graph = TranslationGraph(served)
    done = await graph.translate("One. Two.\n\n- three", "en", "es", "cid")
    assert done.text == "ONE. TWO.\n\n- THREE"
    assert await graph.pairs() == {"en": {"es"}}
    with pytest.raises(InputError, match="Pairs: en-es"):
        await graph.translate("One.", "en", "ru", "cid")
