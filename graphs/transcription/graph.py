"""The transcription graph: diarization and speech recognition side by side, merged into speaker turns."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from graphs.common.concurrency import Stopwatch, closing, merged
from graphs.common.progress import Diarized, Progress
from graphs.common.recordings import SharedRecording
from graphs.common.roles import AsrRole, DiarizationRole, SpoofRole
from graphs.spoof.report import SpeakerVerdicts
from graphs.spoof.speakers import MIN_SPEECH_S, SpeakerCount, diarize_and_judge
from graphs.transcription.alignment import merge, other_language
from graphs.transcription.transcript import SpeechTurn, Transcript, TranscriptSegment
from models.asr import Segment
from models.diarization import SpeakerTurn


@dataclass(frozen=True)
class TranscriptionOptions(SpeakerCount):
    """Options of a transcription."""

    language: str | None = None
    hotwords: str | None = None
    prompt: str | None = None
    spoof: bool = False


@dataclass(frozen=True, slots=True)
class LanguageRecognised:
    """The ISO 639-1 code of what is spoken, asked for or detected."""

    language: str


@dataclass(frozen=True, slots=True)
class SegmentRecognised:
    """A stretch of speech with its words; segments come in order of time."""

    segment: Segment


TranscriptionEvent = LanguageRecognised | SegmentRecognised | Progress | Diarized | SpeakerVerdicts | Transcript


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
        self, recording: SharedRecording, options: TranscriptionOptions, *, correlation_id: str = ""
    ) -> AsyncGenerator[TranscriptionEvent, None]:
        """Transcribe a recording; each event comes as soon as its stage has it.

        Recognition goes on a bounded number of events ahead of the caller. Close the generator to stop the roles.

        Args:
            recording: The recording.
            options: Language and number of speakers, where known, and whether to judge the speakers' voices.
            correlation_id: Passed on to every role.

        Yields:
            ``LanguageRecognised``, then after each ``SegmentRecognised`` the ``Progress``; beside them ``Diarized``
            and, where it was asked for, ``SpeakerVerdicts``; last the ``Transcript``.

        Raises:
            InputError: A role can't do what the options ask; the other role is stopped.
        """
        watch = Stopwatch()
        language = options.language or ""
        segments: list[Segment] = []
        turns: tuple[SpeakerTurn, ...] = ()
        verdicts: SpeakerVerdicts | None = None
        stages = merged(
            diarize_and_judge(
                self.diarization,
                self.spoof if options.spoof else None,
                recording,
                options,
                correlation_id=correlation_id,
                min_speech=self.min_speech,
                watch=watch,
            ),
            self._recognise(recording, options, correlation_id, watch),
        )
        async with aclosing(stages) as events:
            async for event in events:
                match event:
                    case LanguageRecognised():
                        language = event.language
                    case SegmentRecognised():
                        segments.append(event.segment)
                    case Diarized():
                        turns = event.turns
                    case SpeakerVerdicts():
                        verdicts = event
                yield event
        with watch.running("merge"):
            merged_turns = merge(segments, turns, language=language)
        yield Transcript(
            duration=round(recording.duration, 3),
            language=language,
            speakers=tuple(dict.fromkeys(turn.speaker for turn in merged_turns)),
            turns=merged_turns,
            segments=tuple(
                TranscriptSegment(start=s.start, end=s.end, text=s.text, language=other_language(s, language))
                for s in segments
            ),
            diarization=tuple(
                SpeechTurn(start=round(t.start, 3), end=round(t.end, 3), speaker=t.speaker) for t in turns
            ),
            spoof=verdicts,
            timings=watch.timings,
        )

    async def _recognise(
        self, recording: SharedRecording, options: TranscriptionOptions, correlation_id: str, watch: Stopwatch
    ) -> AsyncGenerator[LanguageRecognised | SegmentRecognised | Progress, None]:
        stream = self.asr.transcribe(
            recording.reference,
            language=options.language,
            hotwords=options.hotwords,
            prompt=options.prompt,
            correlation_id=correlation_id,
        )
        with watch.running("asr"):
            async with closing(stream) as items:
                async for item in items:
                    if isinstance(item, str):
                        yield LanguageRecognised(item)
                        continue
                    yield SegmentRecognised(item)
                    yield Progress(min(1.0, item.end / recording.duration))
