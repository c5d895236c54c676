"""Long texts in sentences and back, and what is tidied after the engine."""

# ruff: noqa: RUF001 - punctuation of many languages
import pytest

from models.translation.postprocessing import clean
from models.translation.sentences import join, split

pytestmark = pytest.mark.unit

LAID_OUT = (
    "# A title\n\n  - First item. Second  one!\n\t1. Do this.   \r\n\r\n-----\n12.5 %\n😀\n"
    "> Quoted text\u2028Dr. Smith slept, at 5 p.m. He woke.  \n\n"
)


def sentences(text: str, language: str = "en", **options: int) -> list[str]:
    return [piece.text for piece in split(text, language, **options) if piece.translatable]


def test_sentences_are_found_inside_their_layout() -> None:
    assert sentences(LAID_OUT) == [
        "A title",
        "First item.",
        "Second  one!",
        "Do this.",
        "Quoted text",
        "Dr. Smith slept, at 5 p.m.",
        "He woke.",
    ]


@pytest.mark.parametrize(
    "text", [LAID_OUT, "", " \n ", "你好。我很好！", "one\n\ttwo  three", "\x00\ufeff a", "1. 2. 3."]
)
def test_pieces_put_together_are_the_text(text: str) -> None:
    pieces = split(text, "en")
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)


def test_translations_take_the_places_of_their_sentences() -> None:
    text = "  - One.\n\n  - Two.  One."
    translated = join(split(text, "en"), {"One.": "Uno.", "Two.": "Dos."})
    assert translated == "  - Uno.\n\n  - Dos.  Uno."


@pytest.mark.parametrize("text", ["12.5 %", "-----", "😀😀", "1. 2. 3.", "?!", "$ 1,000.00"])
def test_what_has_no_letters_is_not_translated(text: str) -> None:
    assert sentences(text) == []


def test_sentences_of_chinese_are_told_apart_without_spaces() -> None:
    assert sentences("你好。我很好！", "zh") == ["你好。", "我很好！"]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    clause = "and then the dog, which was tired, slept for a while"
    text = "; ".join([clause] * 30) + "."
    parts = sentences(text, max_bytes=200)
    assert len(parts) > 5
    assert all(part.endswith((",", ";", ".")) for part in parts)
    assert all(len(part.encode()) <= 200 for part in parts)
    assert "".join(piece.text for piece in split(text, "en", max_bytes=200)) == text


@pytest.mark.parametrize("text", ["x" * 5000, "中" * 5000, "a " * 3000, "э" * 5001])
def test_no_sentence_is_longer_than_the_limit(text: str) -> None:
    pieces = split(text, "zh")
    assert "".join(piece.text for piece in pieces) == text
    assert max(len(piece.text.encode()) for piece in pieces) <= 600


@pytest.mark.parametrize(
    ("source", "translation", "target", "expected"),
    [
        ("The cat.", "el gato gato gato gato", "es", "el gato."),
        ("No, no, no!", "¡No, no, no!", "es", "¡No, no, no!"),
        ("bye bye", "adiós adiós", "es", "adiós adiós"),
        ("Well, yes.", "Bueno , sí .", "es", "Bueno, sí."),
        ("Hello!", "Bonjour !", "fr", "Bonjour !"),
        ("Stop!", "¡Alto!!!!", "es", "¡Alto!"),
        ("Stop!!!", "¡Alto!!!", "es", "¡Alto!!!"),
        ("Wait...", "Espera...", "es", "Espera..."),
        ("Good day.", "你好", "zh", "你好。"),
        ("Good day", "Buenos días", "es", "Buenos días"),
        ("It is 3.5 m.", "Son  3.5 m.", "es", "Son 3.5 m."),
    ],
)
def test_a_translation_is_tidied_where_its_source_gives_no_reason_for_it(
    source: str, translation: str, target: str, expected: str
) -> None:
    assert clean(source, translation, target).text == expected


@pytest.mark.parametrize(
    ("source", "translation", "target", "suspect"),
    [
        ("The house is red.", "La casa es roja.", "es", None),
        ("The house is red.", "", "es", "empty"),
        ("The house is red and big.", "La", "es", "too short"),
        ("The house is red.", "#### 12 ....", "es", "hardly any letters"),
        ("a = 1 + 2 + 3 + 4", "a = 1 + 2 + 3 + 4", "es", None),
        ("The house is red and very big.", "The house is red.", "zh", "not in the target's script"),
        ("The house is red.", "roja roja roja roja", "es", "repeated words"),
        ("Good day.", "नमस्ते।", "hi", None),
    ],
)
def test_a_suspect_translation_is_reported_and_never_emptied(
    source: str, translation: str, target: str, suspect: str | None
) -> None:
    cleaned = clean(source, translation, target)
    assert cleaned.suspect == suspect
    assert bool(cleaned.text) == bool(translation)
