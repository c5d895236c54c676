"""The voice assistant: hears, asks the chat engine, and speaks the reply while it is still being written.

heard = await graph.hear(pcm, language="en", correlation_id=id)
if heard.text:
    async with aclosing(graph.answer(owner, session, heard.text, ...)) as reply:
        async for event in reply:
            ...
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import numpy as np
import structlog
from numpy.typing import NDArray

from graphs.assistant.conversation import conversation
from graphs.assistant.events import Heard, ReplyEnd, ReplyEvent, SpeechFailed
from graphs.assistant.reply import Reply
from graphs.assistant.text import storable, understood
from graphs.common.config import AssistantSettings
from graphs.common.roles import AsrRole, SpeechRole
from graphs.common.voices import DEFAULT_VOICE, Speaker, choose_voice
from models.asr import Segment
from models.audio import SAMPLE_RATE
from models.chat import ChatEngine
from models.errors import InputError
from models.spans import Span
from models.vad import SileroVad
from storage.sessions import LEASE_SECONDS, Sessions, Turn

_MARGIN_S = 0.3
_log = structlog.get_logger()

FindSpeech = Callable[[NDArray[np.float32]], Sequence[Span]]
FindSpeaker = Callable[[int, str | None, str | None], Awaitable[Speaker]]


class AssistantGraph:
    """Speech or text in, a reply out as text and speech.

    Args:
        asr: Recognises what was said.
        speech: Speaks the reply.
        chat: Writes the reply.
        sessions: Where conversations are kept.
        settings: Bounds, history and prompt.
        find_speech: Finds speech in mono float32 at 16 kHz, in a thread; Silero VAD unless another is given.
        find_speaker: Finds an owner's voice by its name and a language, as ``graphs.common.voices.Speakers.find``
            does; the engine's voices alone unless another is given.
    """

    def __init__(
        self,
        asr: AsrRole,
        speech: SpeechRole,
        chat: ChatEngine,
        sessions: Sessions,
        settings: AssistantSettings,
        *,
        find_speech: FindSpeech | None = None,
        find_speaker: FindSpeaker | None = None,
    ) -> None:
        self.asr, self.speech, self.chat, self.sessions, self.settings = asr, speech, chat, sessions, settings
        self._find_speech = find_speech
        self.find_speaker = find_speaker or self._engine_voice
        self._loading = asyncio.Lock()

    async def aclose(self) -> None:
        """Let go of the chat engine's connections."""
        await self.chat.aclose()

    async def hear(
        self, pcm: NDArray[np.float32], *, language: str | None, correlation_id: str, is_speech: bool = False
    ) -> Heard:
        """Make out what was said; silence reaches neither the recogniser nor, through it, the chat engine.

        Args:
            pcm: Mono float32 at 16 kHz, shape [samples]; not written to.
            language: ISO 639-1 code; None for the settings' own.
            correlation_id: For the log lines of the roles.
            is_speech: Whether a speech detector has cut the sound out already.

        Raises:
            InputError: The recogniser does not know the language (field ``language``).
        """
        began = time.monotonic()
        language = language or self.settings.language
        if not is_speech:
            pcm = await self._speech_of(pcm)
        if not len(pcm):
            return Heard("", language, speech=False, seconds=round(time.monotonic() - began, 3))
        texts: list[str] = []
        async for item in self.asr.transcribe(pcm, language=language, correlation_id=correlation_id):
            if isinstance(item, Segment):
                texts.append(item.text)
            else:
                language = item
        text = understood(texts)
        return Heard(text, language, speech=True, seconds=round(time.monotonic() - began, 3))

    async def _speech_of(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is between the first and the last word, with a margin; empty where nobody speaks."""
        find_speech = await self._speech_finder()
        spans = await asyncio.to_thread(find_speech, pcm)
        if not spans:
            return pcm[:0]
        first = max(0, round((spans[0].start - _MARGIN_S) * SAMPLE_RATE))
        return pcm[first : round((spans[-1].end + _MARGIN_S) * SAMPLE_RATE)]

    async def _speech_finder(self) -> FindSpeech:
        async with self._loading:
            if self._find_speech is None:
                self._find_speech = (await asyncio.to_thread(SileroVad)).speech
        return self._find_speech

    async def answer(
        self,
        owner_id: int,
        session_id: str,
        text: str,
        *,
        language: str | None = None,
        voice: str | None = None,
        speak: bool,
        correlation_id: str,
    ) -> AsyncGenerator[ReplyEvent, None]:
        """Answer in a session: the text as the chat engine writes it, and each clause's speech as soon as it is there.

        Both sides are kept in the session before ``ReplyEnd`` comes. A caller that closes the generator early (which
        must be awaited before the next turn: ``contextlib.aclosing``) interrupts the reply: what was delivered of it is
        kept and marked so. When the chat engine fails before it wrote anything, nothing of the turn is kept.

        Args:
            owner_id: Whose session it is.
            session_id: The session.
            text: What the user said.
            language: ISO 639-1 code to answer in; None for the session's, else the settings' own.
            voice: A voice's id; None for the session's, else the language's first.
            speak: Whether speech is wanted.
            correlation_id: For the log lines of the roles.

        Yields:
            ``ReplyText`` and ``ReplyAudio`` in any order, ``SpeechFailed`` at most once, ``ReplyEnd`` last.

        Raises:
            SessionNotFound: The owner has no such session.
            SessionBusy: A reply of it is under way.
            TooManySessions: The owner has too many replies under way.
            InputError: The text is empty or too long (field ``text``), there is no such voice (field ``voice``), or
                the chat engine refuses the conversation.
            ChatUnavailable: The chat engine failed.
        """
        text = self.checked(text)
        session = await self.sessions.get(owner_id, session_id)
        language = language or session.language or self.settings.language
        speaker = await self._speaker(owner_id, voice, session.voice, language) if speak else None
        reply = Reply(self.chat, self.speech, speaker, language, self.settings.max_reply_chars, correlation_id)
        turn = await self.sessions.begin(owner_id, session_id)
        complete = failed = False
        try:
            history = await self.sessions.messages(owner_id, session_id, last=self._history)
            messages = conversation(self.settings.system_prompt, history, text)
            async with self._kept(turn), aclosing(reply.stream(messages)) as events:
                async for event in events:
                    yield event
            complete = True
        except Exception:
            failed = True
            raise
        finally:
            # Nothing was said where the engine failed at once: the caller will say it again.
            said = "" if failed and not reply.delivered else text
            # Finished even when the caller is being cancelled: the session must not stay busy.
            await asyncio.shield(self.sessions.finish(turn, said, reply.delivered.strip(), interrupted=not complete))
        yield ReplyEnd(reply.delivered.strip(), reply.timings)

    def checked(self, text: str) -> str:
        """Return a message as it is kept and shown to the chat engine.

        Raises:
            InputError: It is empty or too long (field ``text``).
        """
        text = storable(text)
        limit = self.settings.max_message_chars
        if not text:
            raise InputError("empty_text", "The message is empty.", field="text")
        if len(text) > limit:
            raise InputError("too_long", f"The message is longer than {limit} characters.", field="text")
        return text

    async def _speaker(
        self, owner_id: int, asked: str | None, preferred: str | None, language: str
    ) -> Speaker | SpeechFailed:
        """Return who speaks: the voice asked for, else the session's if it knows the language, else the first.

        Raises:
            InputError: The voice asked for is not there, or does not speak the language.
        """
        wishes = [asked] if asked is not None else [preferred, None] if preferred is not None else [None]
        for wish in wishes:
            try:
                return await self.find_speaker(owner_id, wish, language)
            except InputError as error:
                if asked is not None:
                    raise
                problem = error.message
            except Exception:
                _log.warning("no voice can be found", exc_info=True)
                return SpeechFailed("Speech synthesis is not available.")
        return SpeechFailed(problem)

    async def _engine_voice(self, owner_id: int, wanted: str | None, language: str | None) -> Speaker:
        named = None if wanted == DEFAULT_VOICE else wanted
        voice, code = choose_voice(await self.speech.voices(), language, named)
        return Speaker(voice, code, None, voice.id)

    @property
    def _history(self) -> int:
        return max(0, self.settings.history_messages - 1)

    @asynccontextmanager
    async def _kept(self, turn: Turn) -> AsyncGenerator[None, None]:
        """Keep the session for as long as the reply takes."""
        renewing = asyncio.create_task(self._renew(turn))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, turn: Turn) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            try:
                await self.sessions.renew(turn)
            except Exception:
                _log.warning("a session can't be kept for its reply", exc_info=True)
