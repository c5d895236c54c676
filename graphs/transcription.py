"""The transcription graph: diarization and speech recognition side by side, merged into speaker turns."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from graphs.merge import merge
from graphs.roles import AsrRole, DiarizationRole, Recording
from graphs.transcript import SpeechTurn, Transcript, TranscriptSegment
from models.asr import Segment
from models.diarization import SpeakerTurn

T = TypeVar("T")


@dataclass(frozen=True)
class TranscriptionOptions:
    """What a caller may ask of a transcription."""

    language: str | None = None
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None


async def _ignore_segment(_segment: Segment) -> None:
    return None


async def _ignore_progress(_fraction: float) -> None:
    return None


async def _ignore_turns(_turns: tuple[SpeakerTurn, ...]) -> None:
    return None


@dataclass(frozen=True)
class Listener:
    """Who wants to hear of a transcription while it goes on."""

    segment: Callable[[Segment], Awaitable[None]] = _ignore_segment
    progress: Callable[[float], Awaitable[None]] = _ignore_progress
    diarized: Callable[[tuple[SpeakerTurn, ...]], Awaitable[None]] = _ignore_turns


@dataclass
class _Stopwatch:
    timings: dict[str, float] = field(default_factory=dict)

    async def time(self, stage: str, work: Awaitable[T]) -> T:
        started = time.monotonic()
        try:
            return await work
        finally:
            self.timings[stage] = round(time.monotonic() - started, 3)


@dataclass(frozen=True)
class TranscriptionGraph:
    """Composes the roles; holds no state of a request.

    Args:
        asr: The speech recogniser.
        diarization: The speaker diarizer.
    """

    asr: AsrRole
    diarization: DiarizationRole

    async def run(
        self,
        recording: Recording,
        duration: float,
        options: TranscriptionOptions,
        *,
        correlation_id: str = "",
        listener: Listener | None = None,
    ) -> Transcript:
        """Transcribe a recording.

        Args:
            recording: float32[samples] at 16 kHz or a reference to one.
            duration: Its length in seconds.
            options: Language and number of speakers, where known.
            correlation_id: Passed on to every role.
            listener: Hears of segments, turns and progress as they come.

        Raises:
            InputError: A role can't do what the options ask; the other role is stopped.
        """
        listener = listener or Listener()
        watch = _Stopwatch()
        try:
            async with asyncio.TaskGroup() as stages:
                diarizing = stages.create_task(
                    watch.time("diarization", self._diarize(recording, options, correlation_id, listener))
                )
                recognising = stages.create_task(
                    watch.time("asr", self._recognise(recording, duration, options, correlation_id, listener))
                )
        except BaseExceptionGroup as failures:
            raise _root_cause(failures) from failures
        language, segments = recognising.result()
        started = time.monotonic()
        turns = diarizing.result()
        merged = merge(segments, turns)
        watch.timings["merge"] = round(time.monotonic() - started, 3)
        return Transcript(
            duration=round(duration, 3),
            language=language,
            speakers=tuple(dict.fromkeys(turn.speaker for turn in merged)),
            turns=merged,
            segments=tuple(TranscriptSegment(start=s.start, end=s.end, text=s.text) for s in segments),
            diarization=tuple(
                SpeechTurn(start=round(t.start, 3), end=round(t.end, 3), speaker=t.speaker) for t in turns
            ),
            timings=watch.timings,
        )

    async def _diarize(
        self, recording: Recording, options: TranscriptionOptions, correlation_id: str, listener: Listener
    ) -> tuple[SpeakerTurn, ...]:
        turns = await self.diarization.diarize(
            recording,
            num_speakers=options.num_speakers,
            min_speakers=options.min_speakers,
            max_speakers=options.max_speakers,
            correlation_id=correlation_id,
        )
        await listener.diarized(turns)
        return turns

    async def _recognise(
        self,
        recording: Recording,
        duration: float,
        options: TranscriptionOptions,
        correlation_id: str,
        listener: Listener,
    ) -> tuple[str, list[Segment]]:
        language = options.language or ""
        segments: list[Segment] = []
        items: Any = self.asr.transcribe(recording, language=options.language, correlation_id=correlation_id)
        async for item in items:
            if isinstance(item, str):
                language = item
                continue
            segments.append(item)
            await listener.segment(item)
            await listener.progress(min(1.0, item.end / duration))
        return language, segments


def _root_cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _root_cause(first) if isinstance(first, BaseExceptionGroup) else first
