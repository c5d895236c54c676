"""One reply of the assistant: the chat engine writes it while its finished clauses are spoken."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import numpy as np
import structlog

from graphs.assistant.events import ReplyAudio, ReplyText, SpeechFailed
from graphs.assistant.text import without_controls
from graphs.common.concurrency import Stopwatch, closing, merged
from graphs.common.roles import SpeechRole
from graphs.common.voices import Speaker
from models.chat import ChatEngine, ChatUnavailable, Message
from models.speech import ClauseSplitter, pause_after

CLAUSES_AHEAD = 32
"""Clauses that may wait to be spoken; the chat engine is read no further meanwhile."""

_log = structlog.get_logger()


class Reply:
    """A reply in the making.

    Args:
        chat: Writes it.
        speech: Speaks it.
        speaker: Who speaks; None where no speech is wanted, and where nobody can be found, the reason.
        language: ISO 639-1 code to answer in.
        max_chars: Longest reply; the rest is not read from the chat engine.
        correlation_id: For the log lines of the roles.

    Attributes:
        delivered: The text that the caller has taken so far.
    """

    def __init__(
        self,
        chat: ChatEngine,
        speech: SpeechRole,
        speaker: Speaker | SpeechFailed | None,
        language: str,
        max_chars: int,
        correlation_id: str,
    ) -> None:
        self._chat, self._speech, self._speaker = chat, speech, speaker
        self._language, self._max_chars, self._correlation_id = language, max_chars, correlation_id
        self._clauses: asyncio.Queue[str | None] = asyncio.Queue(CLAUSES_AHEAD)
        self._watch = Stopwatch()
        self._began = time.monotonic()
        self._firsts: dict[str, float] = {}
        self.delivered = ""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds, as ``graphs.assistant.events.ReplyEnd`` has them."""
        return {**self._firsts, **self._watch.timings, "total": self._age}

    @property
    def _age(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _first(self, name: str) -> None:
        """Note when something came first."""
        self._firsts.setdefault(name, self._age)

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[ReplyText | ReplyAudio | SpeechFailed, None]:
        """Write and speak the reply side by side; close the generator to stop both.

        Args:
            messages: What the chat engine is shown.

        Raises:
            InputError: The chat engine refuses the conversation.
            ChatUnavailable: It failed, or wrote nothing.
        """
        async with aclosing(merged(self._write(messages), self._speak())) as events:
            async for event in events:
                if isinstance(event, ReplyText):
                    self.delivered += event.text
                yield event

    async def _write(self, messages: Sequence[Message]) -> AsyncGenerator[ReplyText, None]:
        """Read the reply from the chat engine; cut it into clauses where it is spoken."""
        spoken = isinstance(self._speaker, Speaker)
        splitter = ClauseSplitter(self._language)
        with self._watch.running("chat"):
            async with aclosing(self._pieces(messages)) as pieces:
                async for piece in pieces:
                    self._first("chat_first_token")
                    yield ReplyText(piece)
                    for clause in splitter.push(piece) if spoken else ():
                        await self._clauses.put(clause)
        for clause in splitter.finish() if spoken else ():
            await self._clauses.put(clause)
        await self._clauses.put(None)

    async def _pieces(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the pieces of the reply that are not empty, up to the longest reply.

        Raises:
            ChatUnavailable: The engine failed, or wrote nothing.
        """
        written = 0
        async with aclosing(self._chat.reply(messages, language=self._language)) as pieces:
            async for piece in pieces:
                piece = without_controls(piece)
                piece = (piece if written else piece.lstrip())[: self._max_chars - written]
                written += len(piece)
                if piece:
                    yield piece
                if written >= self._max_chars:
                    return
        if not written:
            raise ChatUnavailable("the chat engine wrote nothing")

    async def _speak(self) -> AsyncGenerator[ReplyAudio | SpeechFailed, None]:
        """Speak clause after clause; a failure ends the speech and not the reply."""
        speaker = self._speaker
        if not isinstance(speaker, Speaker):
            if speaker is not None:
                yield speaker
            return
        failed, pause = False, 0.0
        while (clause := await self._clauses.get()) is not None:
            if failed:
                continue
            spoken = False
            try:
                async with aclosing(self._speak_clause(clause, speaker, pause)) as stretches:
                    async for stretch in stretches:
                        spoken = True
                        yield stretch
            except Exception:
                failed = True
                _log.warning("the reply can't be spoken", exc_info=True)
                yield SpeechFailed("The reply could not be spoken.")
            if spoken:
                pause = pause_after(clause)

    async def _speak_clause(self, clause: str, speaker: Speaker, pause: float) -> AsyncGenerator[ReplyAudio, None]:
        """Speak a clause after a pause in seconds; yield nothing where it has nothing to say."""
        with self._watch.running("tts"):
            stream = self._speech.synthesize(
                clause,
                voice=speaker.voice,
                language=speaker.language,
                reference=speaker.reference,
                correlation_id=self._correlation_id,
            )
            # Closed when the reply is interrupted, so that nobody goes on speaking.
            async with closing(stream) as chunks:
                async for chunk in chunks:
                    if pause:
                        yield ReplyAudio(np.zeros(round(pause * chunk.sample_rate), np.float32), chunk.sample_rate, "")
                        pause = 0.0
                    self._first("tts_first_audio")
                    yield ReplyAudio(chunk.samples, chunk.sample_rate, chunk.text)
