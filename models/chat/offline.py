"""Offline responder: rule-based answers in English and Russian; it states that it is no language model."""

# ruff: noqa: RUF001 - Russian texts
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.chat.connect import COMMAND
from models.chat.settings import OfflineSettings
from models.chat.types import Message

_MAX_QUOTED = 200
_REMEMBERED = 5


@dataclass(frozen=True)
class _Phrases:
    """Replies in one language, with ``{}`` to fill in, and the patterns of lower-case messages that choose them."""

    introduction: str
    advice: str
    heard: str
    help: str
    connect: str
    time: str
    date: str
    nothing: str
    said: str
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    asks_help: str
    asks_time: str
    asks_date: str
    asks_history: str


_ENGLISH = _Phrases(
    introduction="I am the offline responder, not a language model.",
    advice="Ask me for help to connect one.",
    heard="I heard: {text}",
    help="I answer by rules. Ask me for the time, for the date, or what you have said; anything else I only repeat.",
    connect="To connect a language model of Ollama, or of any other server with OpenAI's protocol, start the service "
    "with one line, with your address and model in it: {command} (docs/assistant.md has the same as a setting).",
    time="It is {time}.",
    date="Today is {weekday}, {month} {day}, {year}.",
    nothing="You have said nothing before this.",
    said="You have said {count} things before this, the last of them: {texts}",
    months=(
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    asks_help=r"\bhelp\b|what can you do|who are you|what are you|connect.*\bmodel\b|\bollama\b|\bopenai\b",
    asks_time=r"what(?:'s| is)? (?:the )?time|what time|tell me the time|current time",
    asks_date=r"what(?:'s| is)? (?:the |today's )?date|what day|today's date|which day",
    asks_history=r"what (?:did|have) i (?:say|said)|what i said|\bsumm?ary\b|\brepeat\b",
)

_RUSSIAN = _Phrases(
    introduction="Я автономный ответчик, а не языковая модель.",
    advice="Скажите «помощь», чтобы узнать, как её подключить.",
    heard="Я услышал: {text}",
    help="Я отвечаю по правилам. Спросите, который час, какое сегодня число или что вы говорили; остальное я повторю.",
    connect="Чтобы подключить языковую модель Ollama или другого сервера с протоколом OpenAI, запустите сервис одной "
    "строкой со своим адресом и моделью: {command} (в docs/assistant.md то же самое как настройка).",
    time="Сейчас {time}.",
    date="Сегодня {weekday}, {day} {month} {year} года.",
    nothing="До этого вы ничего не говорили.",
    said="Сообщений до этого: {count}. Последние: {texts}",
    months=(
        *("января", "февраля", "марта", "апреля", "мая", "июня"),
        *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
    ),
    weekdays=("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
    asks_help=r"помощь|помоги|что ты умеешь|что вы умеете|кто ты|кто вы|подключ\w+ .*модел|ollama|openai",
    asks_time=r"котор\w+ час|сколько времени|сколько время|текущее время",
    asks_date=r"како\w+ (?:сегодня )?(?:число|дата|день)|сегодняшн\w+ (?:число|дата)",
    asks_history=r"что я (?:говорил|сказал)|что мы обсуждали|повтори",
)


class OfflineResponder:
    """Answers by rules: help, with how to connect a model, time, date, what was said; repeats anything else.

    Args:
        settings: There are none besides the name.
        now: Tells the local time.
    """

    def __init__(self, settings: OfflineSettings, now: Callable[[], datetime] | None = None) -> None:
        self.settings = settings
        self._now = now or (lambda: datetime.now().astimezone())

    async def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        """Stream the answer word by word: in Russian where that is the language, else in English."""
        answer = self._answer(messages, _RUSSIAN if language.split("-")[0] == "ru" else _ENGLISH)
        for word in re.findall(r"\s*\S+", answer):
            yield word

    async def check(self) -> None:
        """Do nothing: it is always ready."""

    async def aclose(self) -> None:
        """Do nothing: it holds no connection."""

    def _answer(self, messages: Sequence[Message], phrases: _Phrases) -> str:
        *before, last = [message.content for message in messages if message.role == "user"]
        asked = last.lower()
        if re.search(phrases.asks_help, asked):
            return f"{phrases.introduction} {phrases.help} {phrases.connect.format(command=COMMAND)}"
        if re.search(phrases.asks_time, asked):
            return phrases.time.format(time=f"{self._now():%H:%M}")
        if re.search(phrases.asks_date, asked):
            return self._date(phrases)
        if re.search(phrases.asks_history, asked):
            return _history(before, phrases)
        heard = phrases.heard.format(text=_quoted(last))
        return heard if before else f"{phrases.introduction} {phrases.advice} {heard}"

    def _date(self, phrases: _Phrases) -> str:
        now = self._now()
        return phrases.date.format(
            weekday=phrases.weekdays[now.weekday()], month=phrases.months[now.month - 1], day=now.day, year=now.year
        )


def _history(before: Sequence[str], phrases: _Phrases) -> str:
    if not before:
        return phrases.nothing
    texts = " ".join(_quoted(text) for text in before[-_REMEMBERED:])
    return phrases.said.format(count=len(before), texts=texts)


def _quoted(text: str) -> str:
    """Return a text's beginning, ended like a sentence."""
    short = " ".join(text.split())
    short = short if len(short) <= _MAX_QUOTED else f"{short[:_MAX_QUOTED].rstrip()}…"
    return short if short.endswith((".", "!", "?", "…")) else f"{short}."
