"""A live conversation with the assistant: it is spoken to, answers, and falls silent when it is interrupted."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from graphs.assistant.events import Heard, ReplyAudio, ReplyEnd, ReplyText, SpeechFailed
from graphs.assistant.graph import AssistantGraph
from graphs.live.close import ConnectionClosed
from graphs.live.connection import Connection
from graphs.live.partial_transcripts import PartialTranscriptSender
from graphs.live.playback import Playback
from graphs.live.problems import problem
from graphs.live.protocol import (
    AssistantStart,
    Interrupted,
    Problem,
    ReplyOver,
    ReplyTextDelta,
    TranscriptFinal,
)
from graphs.live.recognition import ActiveRecognitions, UtteranceRecogniser
from graphs.live.reply_audio import ReplyAudioSender
from graphs.live.session import LiveSession
from graphs.live.speech_events import SpeechEventDetector
from graphs.live.tasks import end
from models.vad.streaming import Samples

MAX_WAITING = 4
"""Turns that may wait for the one before them."""

Reason = Literal["speech", "text", "cancel"]


async def open_session(graph: AssistantGraph, owner_id: int, start: AssistantStart) -> str:
    """Begin a session, or check the one that is to go on; return its id.

    Raises:
        InputError: There is no such voice (field ``voice``).
        SessionNotFound: The owner has no such session.
        TooManySessions: The owner has as many as one may have.
    """
    session = await graph.sessions.get(owner_id, start.session_id) if start.session_id else None
    if start.speak and start.voice is not None:
        language = start.language or (session.language if session else None) or graph.settings.language
        await graph.find_speaker(owner_id, start.voice, language)
    if session is None:
        session = await graph.sessions.create(owner_id, language=start.language, voice=start.voice)
    return session.id


@dataclass
class _Turn:
    """Something that was said or typed, and when each thing first came of it, in seconds since it was complete."""

    number: int
    began: float
    utterance: Samples | None = None
    text: str = ""
    times: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, now: float) -> None:
        self.times.setdefault(f"{name}_ms", round(1000 * (now - self.began), 1))


class AssistantSession(LiveSession[AssistantStart]):
    """Answers one turn after the other.

    Speech interrupts the reply under way. Where the user goes on speaking after a pause, before the assistant has
    begun to answer, what was said before the pause is answered together with the rest.

    Args:
        connection: The client.
        detector: Its audio.
        start: What it asked for.
        graph: Hears and answers.
        owner_id: Whose session it is.
        session_id: The session.
        correlation_id: The connection's.
        load: Recognitions under way on this replica.
    """

    def __init__(
        self,
        connection: Connection[AssistantStart],
        detector: SpeechEventDetector,
        start: AssistantStart,
        *,
        graph: AssistantGraph,
        owner_id: int,
        session_id: str,
        correlation_id: str,
        load: ActiveRecognitions,
    ) -> None:
        super().__init__(connection, detector, start, correlation_id)
        self._graph = graph
        self._owner_id = owner_id
        self._session_id = session_id
        self._recogniser = UtteranceRecogniser(self._hear, load, early=start.partials, tell=self._partial)
        self._partials = PartialTranscriptSender(connection)
        self._turns: asyncio.Queue[_Turn] = asyncio.Queue(MAX_WAITING)
        self._current: asyncio.Task[None] | None = None
        self._answering = self._cancelled = False
        self._reason: Reason = "cancel"
        self._unanswered = ""
        self._playback = Playback(self.now)
        self._playing = 0

    @property
    def busy(self) -> bool:
        """True while a turn is under way or its speech is still played."""
        return self._current is not None or not self._turns.empty() or self._playback.remaining > 0

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Start answering."""
        group.create_task(self._converse())

    def speech_began(self) -> None:
        """Fall silent."""
        self._interrupt("speech")

    def speech(self, so_far: Samples) -> None:
        """Recognise what was said so far, if the recogniser is idle."""
        self._recogniser.speech(self.turn, so_far)

    def speech_paused(self, utterance: Samples) -> None:
        """Recognise what may be the utterance, if the recogniser is idle."""
        self._recogniser.pause(self.turn, utterance)

    def speech_ended(self, utterance: Samples) -> None:
        """Answer the utterance."""
        self._put(_Turn(self.turn, self.now(), utterance))

    def text(self, text: str) -> None:
        """Answer a typed message instead of what was said before."""
        self.turn += 1
        self._interrupt("text")
        self._put(_Turn(self.turn, self.now(), text=text))

    def cancel(self) -> None:
        """Stop the turn under way, with what was not answered yet."""
        self._unanswered = ""
        if self._current is not None:
            self._answering = True
        self._interrupt("cancel")

    async def close(self) -> None:
        """Give up what is recognised ahead."""
        await self._recogniser.close()

    async def finished(self) -> None:
        """Wait until all turns are over."""
        await self._turns.join()

    def _put(self, turn: _Turn) -> None:
        try:
            self._turns.put_nowait(turn)
        except asyncio.QueueFull:
            self.drop_turn(f"{MAX_WAITING} turns wait to be answered.")

    def _interrupt(self, reason: Reason) -> None:
        """Stop the reply under way, or tell which one the client still plays."""
        if self._cancelled:
            return
        if self._current is not None and self._answering:
            self._reason = reason
            self._cancelled = True
            self._current.cancel()
        elif self._playback.remaining:
            self._say_interrupted(self._playing, reason)

    def _say_interrupted(self, turn: int, reason: Reason) -> None:
        self.connection.drop_audio(turn)
        heard = self._playback if self._playing == turn else Playback(self.now)
        self._playback = Playback(self.now)
        self.connection.send(
            Interrupted(turn=turn, reason=reason, spoken=heard.heard_text, spoken_ms=round(1000 * heard.heard))
        )

    async def _converse(self) -> None:
        while True:
            turn = await self._turns.get()
            await self._run(turn)
            self._turns.task_done()

    async def _run(self, turn: _Turn) -> None:
        """Take one turn, which may be cancelled without this task."""
        task = self._current = asyncio.create_task(self._turn(turn))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            await end([task])
            raise
        finally:
            self._current = None
            self._answering = self._cancelled = False
        if task.cancelled():
            self._say_interrupted(turn.number, self._reason)
        else:
            task.result()

    async def _turn(self, turn: _Turn) -> None:
        try:
            message = await self._message(turn)
            if not message:
                return
            if self.detector.speaking or not self._turns.empty():
                # The user goes on, and will be answered then.
                self._unanswered = message
                self._say_interrupted(turn.number, "speech")
                return
            self._answering = True
            await self._answer(turn, message)
        except ConnectionClosed:
            raise
        except Exception as error:
            self.connection.send(problem(error, turn.number))

    async def _message(self, turn: _Turn) -> str:
        """Return what is to be answered; empty where nothing is."""
        if turn.utterance is None:
            said = turn.text
        else:
            heard = await self._recogniser.hear(turn.number, turn.utterance)
            turn.utterance = None
            turn.note("transcript", self.now())
            turn.stages["asr"] = heard.seconds
            said = heard.text
            self.connection.send(TranscriptFinal(turn=turn.number, text=said, language=heard.language))
        unanswered, self._unanswered = self._unanswered, ""
        return f"{unanswered} {said}".strip()

    async def _answer(self, turn: _Turn, message: str) -> None:
        self._playback, self._playing = Playback(self.now), turn.number
        speaker = ReplyAudioSender(self.connection, turn.number, self.asked.reply_sample_rate, self._playback)
        spoken = self.asked.speak
        reply = self._graph.answer(
            self._owner_id,
            self._session_id,
            message,
            language=self.asked.language,
            voice=self.asked.voice,
            speak=self.asked.speak,
            correlation_id=self.turn_id(turn.number),
        )
        async with aclosing(reply):
            async for event in reply:
                match event:
                    case ReplyText():
                        turn.note("first_text", self.now())
                        self.connection.send(ReplyTextDelta(turn=turn.number, text=event.text))
                    case ReplyAudio():
                        turn.note("first_audio", self.now())
                        await speaker.say(event.samples, event.sample_rate, event.text)
                    case SpeechFailed():
                        spoken = False
                        self.connection.send(Problem(code="speech_failed", message=event.reason, turn=turn.number))
                    case ReplyEnd():
                        speaker.finish()
                        turn.note("end", self.now())
                        turn.stages |= event.timings
                        self.connection.send(
                            ReplyOver(
                                turn=turn.number,
                                text=event.text,
                                spoken=spoken,
                                timings=turn.times,
                                stages=turn.stages,
                            )
                        )

    async def _hear(self, utterance: Samples, turn: int) -> Heard:
        return await self._graph.hear(
            utterance, language=self.asked.language, correlation_id=self.turn_id(turn), is_speech=True
        )

    def _partial(self, turn: int, heard: Heard) -> None:
        if turn == self.turn:
            self._partials.send(turn, heard.text)
