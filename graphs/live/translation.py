"""A live interpretation: each utterance is translated and spoken while the next is being said."""

import asyncio
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field

from graphs.common.voices import Speaker
from graphs.live.close import ConnectionClosed
from graphs.live.connection import Connection
from graphs.live.partial_transcripts import PartialTranscriptSender
from graphs.live.playback import Playback
from graphs.live.problems import problem
from graphs.live.protocol import (
    Interrupted,
    Problem,
    ReplyOver,
    TranscriptFinal,
    TranslationStart,
    TranslationText,
)
from graphs.live.recognition import ActiveRecognitions, UtteranceRecogniser
from graphs.live.reply_audio import ReplyAudioSender
from graphs.live.session import LiveSession
from graphs.live.speech_events import SpeechEventDetector
from graphs.translation.graph import (
    Event,
    Recognised,
    SpeechFailed,
    SpeechTranslationGraph,
    Spoken,
    Translated,
    UtteranceEnd,
)
from models.errors import InputError
from models.vad.streaming import Samples

AT_ONCE = 3
"""Utterances of one connection that are worked on at the same time."""

MAX_WAITING = 8
"""Utterances of one connection that are not over; more are refused."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What an utterance was recognised as, and the seconds that took; nothing where nobody said words."""

    recognised: Recognised | None
    seconds: float


_Recognition = asyncio.Task[_Heard]


@dataclass(eq=False)
class _Turn:
    """An utterance on its way, and the one whose output goes before its own."""

    number: int
    began: float
    before: "_Turn | None"
    texts_sent: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    times: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    text: str = ""
    spoken: bool = False

    async def may_write(self) -> None:
        """Wait until the texts of the turn before are sent."""
        if self.before is not None:
            await self.before.texts_sent.wait()

    async def may_speak(self) -> None:
        """Wait until the turn before is over."""
        if self.before is not None:
            await self.before.over.wait()

    def note(self, name: str, now: float) -> None:
        self.times.setdefault(f"{name}_ms", round(1000 * (now - self.began), 1))


class TranslationSession(LiveSession[TranslationStart]):
    """Interprets one utterance after the other; speech interrupts nothing.

    Several utterances are worked on at once; their texts come in order, and so does their speech.

    Args:
        connection: The client.
        detector: Its audio.
        start: What it asked for.
        graph: Interprets an utterance.
        speaker: Who speaks; None where no speech is wanted.
        correlation_id: The connection's.
        load: Recognitions under way on this replica.
    """

    def __init__(
        self,
        connection: Connection[TranslationStart],
        detector: SpeechEventDetector,
        start: TranslationStart,
        *,
        graph: SpeechTranslationGraph,
        speaker: Speaker | None,
        correlation_id: str,
        load: ActiveRecognitions,
    ) -> None:
        super().__init__(connection, detector, start, correlation_id)
        self._graph = graph
        self._speaker = speaker
        self._partials = PartialTranscriptSender(connection)
        self._recogniser = UtteranceRecogniser(self._hear, load, early=start.partials, tell=self._partial)
        self._load = load
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[_Turn, asyncio.Task[None]] = {}
        self._last: _Turn | None = None
        self._playback = Playback(self.now)
        self._playing = 0
        self._group: asyncio.TaskGroup | None = None

    @property
    def busy(self) -> bool:
        """True while an utterance is under way or its translation is still played."""
        return bool(self._tasks) or self._playback.remaining > 0

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Keep the group for the utterances to come."""
        self._group = group

    def speech_began(self) -> None:
        """Go on: an interpreter is spoken over."""

    def speech(self, so_far: Samples) -> None:
        """Recognise what was said so far, if the recogniser is idle."""
        self._recogniser.speech(self.turn, so_far)

    def speech_paused(self, utterance: Samples) -> None:
        """Recognise what may be the utterance, if the recogniser is idle."""
        self._recogniser.pause(self.turn, utterance)

    def speech_ended(self, utterance: Samples) -> None:
        """Interpret the utterance."""
        recognition = self._recogniser.claim(self.turn, utterance)
        if len(self._tasks) >= MAX_WAITING:
            if recognition is not None:
                recognition.cancel()
            self.drop_turn(f"{MAX_WAITING} utterances are not interpreted yet.")
            return
        assert self._group is not None
        turn = self._last = _Turn(self.turn, self.now(), self._last)
        task = self._tasks[turn] = self._group.create_task(self._run(turn, utterance, recognition))
        task.add_done_callback(lambda task: self._over(turn, cancelled=task.cancelled()))

    def text(self, text: str) -> None:
        """Refuse: there is nobody to answer."""
        raise InputError("invalid_message", "An interpreter takes no typed messages.", field="type")

    def cancel(self) -> None:
        """Stop all utterances under way, and the speech that the client still plays."""
        if self._playback.remaining and all(turn.number != self._playing for turn in self._tasks):
            self._say_interrupted(self._playing)
        for task in self._tasks.values():
            task.cancel()

    async def finished(self) -> None:
        """Wait until all utterances are over."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def close(self) -> None:
        """Give up what is recognised ahead."""
        await self._recogniser.close()

    async def _run(self, turn: _Turn, utterance: Samples, recognition: _Recognition | None) -> None:
        try:
            async with self._places:
                await self._interpret(turn, utterance, recognition)
        except ConnectionClosed:
            raise
        except Exception as error:
            await turn.may_speak()
            self.connection.send(problem(error, turn.number))

    def _over(self, turn: _Turn, *, cancelled: bool) -> None:
        turn.texts_sent.set()
        turn.over.set()
        turn.before = None
        del self._tasks[turn]
        if cancelled:
            self._say_interrupted(turn.number)

    def _say_interrupted(self, turn: int) -> None:
        heard = self._playback if self._playing == turn else Playback(self.now)
        if self._playing == turn:
            self._playback = Playback(self.now)
        self.connection.drop_audio(turn)
        try:
            self.connection.send(
                Interrupted(turn=turn, reason="cancel", spoken=heard.heard_text, spoken_ms=round(1000 * heard.heard))
            )
        except ConnectionClosed as closed:
            self.connection.end(closed)

    async def _interpret(self, turn: _Turn, utterance: Samples, recognition: _Recognition | None) -> None:
        speaker = ReplyAudioSender(self.connection, turn.number, self.asked.reply_sample_rate, self._playback)
        heard = False
        events = self._graph.utterance(
            utterance,
            source=self.asked.source,
            target=self.asked.target,
            speaker=self._speaker,
            correlation_id=self.turn_id(turn.number),
            recognition=None if recognition is None else self._heard_ahead(turn, recognition),
        )
        with ExitStack() as hearing:
            if recognition is None:
                hearing.enter_context(self._load.one())
            async with aclosing(events):
                async for event in events:
                    hearing.close()
                    heard = heard or isinstance(event, Recognised)
                    await self._event(turn, speaker, event, heard=heard)

    async def _event(
        self, turn: _Turn, speaker: ReplyAudioSender[TranslationStart], event: Event, *, heard: bool
    ) -> None:
        """Send one event of the graph, once the turn before has sent its own."""
        match event:
            case Recognised():
                turn.note("transcript", self.now())
                await turn.may_write()
                self.connection.send(TranscriptFinal(turn=turn.number, text=event.text, language=event.language))
            case Translated():
                turn.note("first_text", self.now())
                turn.text, turn.spoken = event.text, self._speaker is not None
                self.connection.send(
                    TranslationText(
                        turn=turn.number, text=event.text, language=self.asked.target, suspect=event.suspect
                    )
                )
                turn.texts_sent.set()
            case Spoken():
                await turn.may_speak()
                self._playing = turn.number
                turn.note("first_audio", self.now())
                await speaker.say(event.samples, event.sample_rate, event.text)
            case SpeechFailed():
                turn.spoken = False
                await turn.may_speak()
                self.connection.send(Problem(code="speech_failed", message=event.message, turn=turn.number))
            case UtteranceEnd() if heard:
                await turn.may_speak()
                speaker.finish()
                turn.note("end", self.now())
                self.connection.send(
                    ReplyOver(
                        turn=turn.number,
                        text=turn.text,
                        spoken=turn.spoken,
                        timings=turn.times,
                        stages=event.timings | turn.stages,
                    )
                )
            case UtteranceEnd():
                await turn.may_write()
                self.connection.send(TranscriptFinal(turn=turn.number, text="", language=self.asked.source))
                turn.texts_sent.set()
                await turn.may_speak()

    async def _heard_ahead(self, turn: _Turn, recognition: _Recognition) -> Recognised | None:
        heard = await recognition
        turn.stages["asr"] = heard.seconds
        return heard.recognised

    async def _hear(self, utterance: Samples, turn: int) -> _Heard:
        began = self.now()
        recognised = await self._graph.recognise(utterance, source=self.asked.source, correlation_id=self.turn_id(turn))
        return _Heard(recognised, round(self.now() - began, 3))

    def _partial(self, turn: int, heard: _Heard) -> None:
        if turn == self.turn and self.detector.speaking and heard.recognised is not None:
            self._partials.send(turn, heard.recognised.text)
