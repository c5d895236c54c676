"""Texts cut into the clauses that are spoken one after the other."""

# ruff: noqa: RUF001 - the marks of many scripts look alike
import random

import pytest

from models.speech.clauses import MAX_WEIGHT, ClauseSplitter, clauses, weight

pytestmark = pytest.mark.unit

MARKS = "\u0e31\u0e35"
TEXTS = {
    "en": 'Dr. Smith, of Washington, D.C., paid $3.14, i.e. too much. He said "Hi! Come in." Then he left... See '
    "https://example.com/a.b?x=1, ok? At 10:30 a.m. we met — as planned — near the U.S. Embassy, which was closed "
    "because of a long holiday that nobody had told us about, so we left.\n\n1. First item\n2. Second\n- **third**",
    "ru": "Привет, мир! Это г. Москва, ул. Ленина, дом 5. В 2024 г. было 3,5 млн. руб. дохода, т.е. мало. Да?",
    "zh": "你好，世界。今天天气很好！圆周率是3.14，对吗？“好的。”他说，我们走吧，1，000元" + "一直写下去" * 30 + "。",
    "hi": "नमस्ते। आप कैसे हैं? मैं ठीक हूँ।",
    "th": "สวัสดี" * 80,
    "xx": "word " * 200 + "x" * 900,
}


@pytest.mark.parametrize("language", TEXTS)
def test_the_clauses_together_are_the_text(language: str) -> None:
    text = TEXTS[language]
    cut = clauses(text, language)
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert all(clause == clause.strip() != "" for clause in cut)
    assert max(weight(clause.rstrip(MARKS)) for clause in cut) <= MAX_WEIGHT


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("seed", range(5))
def test_clauses_do_not_depend_on_how_the_text_arrives(language: str, seed: int) -> None:
    text, dice = TEXTS[language], random.Random(seed)
    splitter = ClauseSplitter(language)
    arrived: list[str] = []
    at = 0
    while at < len(text):
        size = dice.randint(1, 12)
        arrived += splitter.push(text[at : at + size])
        at += size
    assert arrived + splitter.finish() == clauses(text, language)


def test_a_clause_comes_as_soon_as_the_next_has_begun() -> None:
    splitter = ClauseSplitter("en")
    assert splitter.push("Good morning.") == []
    assert splitter.push(" ") == []
    assert splitter.push("How") == ["Good morning."]
    assert splitter.push(" are you?") == []
    assert splitter.finish() == ["How are you?"]
    assert splitter.finish() == []


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "It cost 3.14, or 1,000.50 at 10:30. Good.", ["It cost 3.14, or 1,000.50 at 10:30.", "Good."]),
        ("en", "See example.com/a.b?c=1. Then go.", ["See example.com/a.b?c=1.", "Then go."]),
        ("en", "Mr. J. Smith met Dr. Brown. They spoke.", ["Mr. J. Smith met Dr. Brown.", "They spoke."]),
        ("en", "Well... maybe not. No.", ["Well... maybe not.", "No."]),
        ("en", "1. One\n2. Two", ["1. One", "2. Two"]),
        ("en", "A line that\ngoes on.\nAnother.", ["A line that\ngoes on.", "Another."]),
        ("en", "# Title\n\nText.", ["# Title", "Text."]),
        ("ru", "Было 3,5 млн. руб. и всё. Да.", ["Было 3,5 млн. руб. и всё.", "Да."]),
        ("zh", "圆周率是3.14。“对。”他说！", ["圆周率是3.14。", "“对。”", "他说！"]),
        ("zh-cn", "好。好", ["好。", "好"]),
        ("ar", "كيف حالك؟ بخير.", ["كيف حالك؟", "بخير."]),
        ("kk", "Сәлем! Қалайсыз? Жақсы.", ["Сәлем!", "Қалайсыз?", "Жақсы."]),
        ("en", "  \n ", []),
        ("en", "", []),
    ],
)
def test_where_clauses_end(language: str, text: str, expected: list[str]) -> None:
    assert clauses(text, language) == expected


def test_the_first_clause_is_short_and_the_others_end_at_a_comma_only_when_long() -> None:
    first = "This is the beginning of it,"
    second = "and here, with a comma, it goes on and on until it has become far too long for one breath of air,"
    assert clauses(f"{first} {second} so it ends.", "en") == [first, second, "so it ends."]


def test_a_long_clause_is_cut_between_words() -> None:
    words = "word " * 100
    cut = clauses(words, "en")
    assert all(set(clause.split()) == {"word"} for clause in cut)
    assert sum(len(clause.split()) for clause in cut) == 100


def test_marks_on_a_letter_stay_with_it() -> None:
    text = "e\u0301" * 300
    assert all(clause[0] == "e" for clause in clauses(text, "en"))


def test_marks_without_end_are_cut_all_the_same() -> None:
    assert max(map(len, clauses("e" + "\u0301" * 5000, "en"))) <= 2 * MAX_WEIGHT
