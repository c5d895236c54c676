"""The offline responder says what it is and answers by its rules."""

from datetime import UTC, datetime

import pytest

from models.chat import Message, OfflineSettings
from models.chat.connect import COMMAND
from models.chat.offline import OfflineResponder

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

NOON = datetime(2026, 3, 9, 12, 5, tzinfo=UTC)


async def reply(*said: str, language: str = "en") -> str:
    messages = [Message("system", "Be brief.")]
    for text in said[:-1]:
        messages += [Message("user", text), Message("assistant", "...")]
    engine = OfflineResponder(OfflineSettings(), now=lambda: NOON)
    return "".join([piece async for piece in engine.reply([*messages, Message("user", said[-1])], language=language)])


async def test_it_says_first_that_it_is_no_language_model() -> None:
    assert await reply("the cat sat") == (
        "I am the offline responder, not a language model. Ask me for help to connect one. I heard: the cat sat."
    )
    assert "не языковая модель" in await reply("кошка сидит", language="ru")


@pytest.mark.parametrize("text", ["Help!", "who are you", "what can you do?"])
async def test_it_says_so_whenever_it_is_asked(text: str) -> None:
    assert "not a language model" in await reply("hello", text)


@pytest.mark.parametrize(
    ("text", "language"),
    [("help", "en"), ("How do I connect a model?", "en"), ("Помощь", "ru"), ("Как подключить языковую модель?", "ru")],
)
async def test_its_help_has_the_line_that_connects_a_model(text: str, language: str) -> None:
    assert COMMAND in await reply("hello", text, language=language)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("What time is it?", "en", "It is 12:05."),
        ("what is the date", "en", "Today is Monday, March 9, 2026."),
        ("Который час?", "ru", "Сейчас 12:05."),
        ("Какое сегодня число?", "ru", "Сегодня понедельник, 9 марта 2026 года."),
    ],
)
async def test_it_tells_time_and_date(text: str, language: str, expected: str) -> None:
    assert await reply(text, language=language) == expected


async def test_it_tells_what_was_said() -> None:
    told = await reply("the first thing", "the second thing", "what did I say?")
    assert told == "You have said 2 things before this, the last of them: the first thing. the second thing."
    assert await reply("что я говорил?", language="ru") == "До этого вы ничего не говорили."


async def test_a_long_message_is_not_repeated_whole() -> None:
    assert len(await reply("word " * 1000)) < 400
