"""A recogniser that needs no model."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from fake_roles.failures import Failing
from fake_roles.sound import number_of
from models.asr import Segment
from models.audio import SAMPLE_RATE


class FakeAsr(Failing):
    """Hears what it was told to, in the language that is asked for.

    Args:
        heard: Texts or segments that every recording consists of; or one mapping of texts by the numbers of utterances
            (see ``fake_roles.sound``), which are the recordings.
        language: The language of all that it hears, where none is asked for.
        languages: Those that it knows.

    Attributes:
        heard: The recordings.
        asked: The languages that were asked for.
        hints: The hotwords and prompts that came with them.
        correlation_ids: Of the calls.
        gates: Awaited before the first segment, by number.
        begun: Set when a recording's recognition begins, by number.
        stopped: Numbers of the recordings that were left before their end.
    """

    def __init__(
        self, *heard: str | Segment | Mapping[int, str], language: str = "en", languages: tuple[str, ...] = ("en", "ru")
    ) -> None:
        super().__init__()
        self._script = heard
        self._language = language
        self._languages = languages
        self.heard: list[Any] = []
        self.asked: list[str | None] = []
        self.hints: list[tuple[str | None, str | None]] = []
        self.correlation_ids: list[str] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.begun: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.stopped: list[int] = []

    async def languages(self) -> tuple[str, ...]:
        self.raise_ordered("languages")
        return self._languages

    async def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        self.raise_ordered("check_hints")

    async def transcribe(
        self,
        recording: Any,
        *,
        language: str | None,
        hotwords: str | None = None,
        prompt: str | None = None,
        correlation_id: str,
    ) -> AsyncGenerator[str | Segment, None]:
        number = number_of(recording)
        self.heard.append(recording)
        self.asked.append(language)
        self.hints.append((hotwords, prompt))
        self.correlation_ids.append(correlation_id)
        self.begun[number].set()
        self.raise_ordered("transcribe")
        ended = False
        try:
            yield language or self._language
            if number in self.gates:
                await self.gates[number].wait()
            for item in self._script:
                if isinstance(item, Mapping):
                    item = item.get(number, "something else")
                yield item if isinstance(item, Segment) else Segment(0.0, len(recording) / SAMPLE_RATE, item)
            ended = True
        finally:
            if not ended:
                self.stopped.append(number)


def numbered(*texts: str) -> dict[int, str]:
    """Return the texts of the utterances from the first on."""
    return dict(enumerate(texts, 1))
