"""The transcription graph: diarization and speech recognition side by side, merged into speaker turns."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from graphs.common.concurrency import Stopwatch, root_cause
from graphs.common.recordings import SharedRecording
from graphs.common.roles import AsrRole, DiarizationRole, SpoofRole
from graphs.spoof.report import SpeakerVerdicts
from graphs.spoof.speakers import MIN_SPEECH_S, score_speakers
from graphs.transcription.alignment import merge
from graphs.transcription.transcript import SpeechTurn, Transcript, TranscriptSegment
from models.asr import Segment
from models.diarization import SpeakerTurn


@dataclass(frozen=True)
class TranscriptionOptions:
    """What a caller may ask of a transcription."""

    language: str | None = None
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    spoof: bool = False


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


@dataclass(frozen=True)
class TranscriptionGraph:
    """Composes the roles; holds no state of a request.

    Args:
        asr: The speech recogniser.
        diarization: The speaker diarizer.
        spoof: The detector of synthetic voices.
        min_speech: Shorter windows of a speaker are not scored, in seconds.
    """

    asr: AsrRole
    diarization: DiarizationRole
    spoof: SpoofRole
    min_speech: float = MIN_SPEECH_S

    async def run(
        self,
        recording: SharedRecording,
        options: TranscriptionOptions,
        *,
        correlation_id: str = "",
        listener: Listener | None = None,
    ) -> Transcript:
        """Transcribe a recording.

        Args:
            recording: What to transcribe.
            options: Language and number of speakers, where known, and whether to judge the speakers' voices.
            correlation_id: Passed on to every role.
            listener: Hears of segments, turns and progress as they come.

        Raises:
            InputError: A role can't do what the options ask; the other role is stopped.
        """
        listener = listener or Listener()
        watch = Stopwatch()
        try:
            async with asyncio.TaskGroup() as stages:
                diarizing = stages.create_task(self._diarize(recording, options, correlation_id, listener, watch))
                recognising = stages.create_task(
                    watch.time("asr", self._recognise(recording, options, correlation_id, listener))
                )
        except BaseExceptionGroup as failures:
            raise root_cause(failures) from failures
        language, segments = recognising.result()
        turns, verdicts = diarizing.result()
        with watch.running("merge"):
            merged = merge(segments, turns)
        return Transcript(
            duration=round(recording.duration, 3),
            language=language,
            speakers=tuple(dict.fromkeys(turn.speaker for turn in merged)),
            turns=merged,
            segments=tuple(TranscriptSegment(start=s.start, end=s.end, text=s.text) for s in segments),
            diarization=tuple(
                SpeechTurn(start=round(t.start, 3), end=round(t.end, 3), speaker=t.speaker) for t in turns
            ),
            spoof=verdicts,
            timings=watch.timings,
        )

    async def _diarize(
        self,
        recording: SharedRecording,
        options: TranscriptionOptions,
        correlation_id: str,
        listener: Listener,
        watch: Stopwatch,
    ) -> tuple[tuple[SpeakerTurn, ...], SpeakerVerdicts | None]:
        turns = await watch.time(
            "diarization",
            self.diarization.diarize(
                recording.reference,
                num_speakers=options.num_speakers,
                min_speakers=options.min_speakers,
                max_speakers=options.max_speakers,
                correlation_id=correlation_id,
            ),
        )
        await listener.diarized(turns)
        if not options.spoof:
            return turns, None
        return turns, await score_speakers(
            self.spoof,
            recording.samples,
            turns,
            correlation_id=correlation_id,
            min_speech=self.min_speech,
            watch=watch,
        )

    async def _recognise(
        self,
        recording: SharedRecording,
        options: TranscriptionOptions,
        correlation_id: str,
        listener: Listener,
    ) -> tuple[str, list[Segment]]:
        language = options.language or ""
        segments: list[Segment] = []
        items: Any = self.asr.transcribe(recording.reference, language=options.language, correlation_id=correlation_id)
        async for item in items:
            if isinstance(item, str):
                language = item
                continue
            segments.append(item)
            await listener.segment(item)
            await listener.progress(min(1.0, item.end / recording.duration))
        return language, segments
