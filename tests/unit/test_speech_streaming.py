"""A text spoken clause by clause, over a model that says how it was asked."""

# ruff: noqa: RUF001 - Cyrillic letters
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import InputError
from models.speech import MAX_CHARACTERS, EspeakSettings, Reference, SpeechChunk, Voice, build, pause_after, speak

pytestmark = pytest.mark.unit

RATE = 16_000
VOICE = Voice("v", "V", ("en-us", "en", "de", "zh", "ru"), "m", RATE, reads_digits=True)


class FakeModel:
    """Speaks each clause as a constant level, in pieces of 0.1 s, as many as it has words."""

    def __init__(self, level: float = 0.5) -> None:
        self.asked: list[tuple[str, str, float, Reference | None]] = []
        self.pieces = 0
        self.left = False
        self._level = level

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        self.asked.append((clause, language, speed, reference))
        try:
            for _word in clause.split():
                self.pieces += 1
                yield np.full(RATE // 10, self._level, np.float32)
        except GeneratorExit:
            self.left = True
            raise


def spoken(model: FakeModel, text: str, language: str = "en", **options: object) -> list[SpeechChunk]:
    given = {"voice": VOICE, "language": language, **options}
    return list(speak(model, text, **given))  # type: ignore[arg-type]


def joined(chunks: list[SpeechChunk]) -> NDArray[np.float32]:
    return np.concatenate([chunk.samples for chunk in chunks])


def test_each_clause_is_spoken_and_named_once_as_it_was_written() -> None:
    model = FakeModel()
    chunks = spoken(model, "**Hello** there. How are you?", speed=2.0)
    assert [asked[0] for asked in model.asked] == ["Hello there.", "How are you?"]
    assert [chunk.text for chunk in chunks if chunk.text] == ["**Hello** there.", "How are you?"]
    assert {asked[1:] for asked in model.asked} == {("en", 2.0, None)}
    assert {chunk.sample_rate for chunk in chunks} == {RATE}


@pytest.mark.parametrize(
    ("text", "pauses"),
    [
        ("One. Two.", [0.25]),
        ("One! Two? Three.", [0.25, 0.25]),
        ("This is the beginning of it, and this its end.", [0.15]),
        ("# A title\n\nText.", [0.25]),
        ("word " * 16 + "word", [0.0]),
        ("One.", []),
    ],
)
def test_pauses_stand_between_clauses_only(text: str, pauses: list[float]) -> None:
    sound = joined(spoken(FakeModel(), text))
    words = sum(word != "#" for word in text.split())
    assert len(sound) == words * RATE // 10 + round(sum(pauses) * RATE)
    silent = np.flatnonzero(np.diff(np.concatenate([[0], (sound == 0).astype(int), [0]])))
    lengths = [end - start for start, end in silent.reshape(-1, 2) if end - start > 10]
    assert lengths == pytest.approx([pause * RATE for pause in pauses if pause], abs=2)


def test_pauses_follow_the_speed() -> None:
    assert len(joined(spoken(FakeModel(), "One. Two.", speed=0.5))) == 2 * RATE // 10 + RATE // 2


def test_hard_edges_are_faded_and_soft_ones_left_alone() -> None:
    hard = joined(spoken(FakeModel(0.5), "One two."))
    assert hard[0] == hard[-1] == 0
    assert np.abs(np.diff(hard)).max() < 0.02
    assert hard[RATE // 10] == 0.5
    soft = joined(spoken(FakeModel(0.001), "One two."))
    np.testing.assert_array_equal(soft, np.full(RATE // 5, 0.001, np.float32))


def test_the_first_sound_needs_the_first_piece_alone() -> None:
    model = FakeModel()
    chunks = speak(model, "A long clause of many words. Another.", voice=VOICE, language="en")
    first = next(chunks)
    assert 0 < len(first.samples) <= RATE // 10
    assert (model.pieces, len(model.asked)) == (1, 1)


def test_who_leaves_ends_the_synthesis() -> None:
    model = FakeModel()
    chunks = speak(model, "A long clause of many words.", voice=VOICE, language="en")
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert model.left and model.pieces == 1


@pytest.mark.parametrize("text", ["", " \n", "😀", "---", "!?"])
def test_what_can_not_be_spoken_is_silent(text: str) -> None:
    model = FakeModel()
    assert spoken(model, text) == []
    assert model.asked == []


@pytest.mark.parametrize(
    ("language", "spell", "expected"),
    [("de", False, "Es sind 3."), ("de", True, "Es sind drei."), ("en", False, "Es sind three.")],
)
def test_numbers_are_spelled_for_a_model_that_needs_it_and_in_english(
    language: str, spell: bool, expected: str
) -> None:
    model = FakeModel()
    spoken(model, "Es sind 3.", language, voice=replace(VOICE, reads_digits=not spell))
    assert model.asked[0][0] == expected


def test_a_clause_is_named_as_it_was_written_whatever_the_model_is_given() -> None:
    model = FakeModel()
    chunks = spoken(model, "З+амок, 5 км.", "ru")
    assert model.asked[0][0] == "Замок, пять километров."
    assert chunks[0].text == "З+амок, 5 км."
    marked = replace(VOICE, stress_marks=True)
    spoken(model, "За\u0301мок.", "ru", voice=marked)
    assert model.asked[1][0] == "З+амок."


@pytest.mark.parametrize(
    ("text", "language", "speed", "field"),
    [
        ("a" * (MAX_CHARACTERS + 1), "en", 1.0, "text"),
        ("a", "fr", 1.0, "language"),
        ("a", "en", 0.2, "speed"),
        ("a", "en", 4.1, "speed"),
        ("a", "en", float("nan"), "speed"),
    ],
)
def test_what_is_out_of_bounds_is_refused(text: str, language: str, speed: float, field: str) -> None:
    with pytest.raises(InputError) as refused:
        spoken(FakeModel(), text, language, speed=speed)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("clause", "pause"), [("Yes.", 0.25), ('He said "Yes."', 0.25), ("first,", 0.15), ("好。", 0.25), ("- item", 0.25)]
)
def test_the_pause_after_a_clause(clause: str, pause: float) -> None:
    assert pause_after(clause) == pause


def test_a_text_of_pages_is_spoken_whole() -> None:
    engine = build(EspeakSettings())
    voice = next(voice for voice in engine.voices if "en" in voice.languages)
    text = "This is one of many sentences, each of which takes about four seconds to say. " * 20
    chunks = list(speak(engine.load(voice.model), text, voice=voice, language="en"))
    assert sum(bool(chunk.text) for chunk in chunks) >= 20
    assert 60 < sum(len(chunk.samples) for chunk in chunks) / voice.sample_rate < 150
    assert max(len(chunk.samples) for chunk in chunks) < voice.sample_rate
