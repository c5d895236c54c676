"""The spoof graph: a recording cut into 4 s chunks, scored in shared batches, and a verdict on it and its speakers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from graphs.common.concurrency import Stopwatch, in_order, in_thread, merged
from graphs.common.progress import Diarized
from graphs.common.recordings import SharedRecording
from graphs.common.roles import DiarizationRole, SpoofRole
from graphs.spoof.report import (
    SpeakerVerdicts,
    SpoofBands,
    SpoofChunk,
    SpoofReport,
    Verdict,
    rounded,
    verdict,
    weighted_mean,
)
from graphs.spoof.speakers import (
    CALLS_AT_ONCE,
    GROUP_CHUNKS,
    MIN_SPEECH_S,
    SpeakerCount,
    diarize_and_judge,
    score_chunks,
)
from models.audio import SAMPLE_RATE
from models.spans import Span
from models.spoof import Chunk, SpoofScores, cut

Blocks = Generator[NDArray[np.float32], None, None]
FindSpeech = Callable[[NDArray[np.float32]], Sequence[Span]]


@dataclass(frozen=True)
class SpoofOptions(SpeakerCount):
    """Options of a spoof analysis; the numbers of speakers are for ``diarize``."""

    diarize: bool = False


@dataclass(frozen=True, slots=True)
class ChunksScored:
    """Consecutive chunks of the timeline, at least one; they come in order of time."""

    chunks: tuple[SpoofChunk, ...]


SpoofEvent = ChunksScored | Diarized | SpeakerVerdicts | SpoofReport


@dataclass(frozen=True)
class _ScoredGroup:
    """Consecutive chunks with the seconds of speech in each one's own stretch, and its score.

    Those with too little speech have no score; where that is all of them, there are no scores.
    """

    chunks: Sequence[Chunk]
    speech: Sequence[float]
    p_spoof: Sequence[float | None]
    scores: SpoofScores | None

    def timeline(self) -> tuple[SpoofChunk, ...]:
        """Return the chunks as they are reported, without their samples."""
        return tuple(
            SpoofChunk(
                start=round(chunk.start, 3),
                end=round(chunk.end, 3),
                p_spoof=None if p_spoof is None else rounded(p_spoof),
                speech_seconds=seconds,
            )
            for chunk, seconds, p_spoof in zip(self.chunks, self.speech, self.p_spoof, strict=True)
        )


@dataclass(frozen=True)
class _Score:
    """The score of the recording as a whole; nothing where there is no speech."""

    p_spoof: float | None = None
    bands: SpoofBands | None = None
    engine: str | None = None

    @property
    def verdict(self) -> Verdict:
        return "no_speech" if self.p_spoof is None or self.bands is None else verdict(self.p_spoof, self.bands)


@dataclass(frozen=True)
class SpoofGraph:
    """Composes the roles; holds no state of a request.

    Args:
        spoof: The detector.
        diarization: The speaker diarizer.
        speech: Finds speech in float32[samples] at 16 kHz; called in a thread.
        min_speech: Chunks with less speech are not scored, in seconds.
    """

    spoof: SpoofRole
    diarization: DiarizationRole
    speech: FindSpeech
    min_speech: float = MIN_SPEECH_S

    async def run(
        self,
        blocks: Blocks,
        options: SpoofOptions | None = None,
        *,
        whole: SharedRecording | None = None,
        correlation_id: str = "",
    ) -> AsyncGenerator[SpoofEvent, None]:
        """Analyse a recording, in memory that does not grow with its length.

        Scoring goes on a bounded number of events ahead of the caller. Close the generator to stop it.

        Args:
            blocks: The recording, mono float32 at 16 kHz, in consecutive blocks of any lengths; iterated, and
                closed at the end, in a thread.
            options: What is asked for.
            whole: The same recording in one piece, needed for ``options.diarize``.
            correlation_id: Passed on to every role.

        Yields:
            ``ChunksScored``, and ``Diarized`` and ``SpeakerVerdicts`` beside them where they were asked for; last the
            ``SpoofReport``.

        Raises:
            InputError: The recording turns out to be unusable, or the diarizer can't do what the options ask.
            ValueError: Diarization is asked for without the whole recording.
        """
        options = options or SpoofOptions()
        if options.diarize and whole is None:
            raise ValueError("a verdict per speaker needs the whole recording")
        watch = Stopwatch()
        stages: list[AsyncGenerator[ChunksScored | _Score | Diarized | SpeakerVerdicts, None]] = [
            self._timeline(blocks, correlation_id, watch)
        ]
        if options.diarize and whole is not None:
            stages.append(
                diarize_and_judge(
                    self.diarization,
                    self.spoof,
                    whole,
                    options,
                    correlation_id=correlation_id,
                    min_speech=self.min_speech,
                    watch=watch,
                )
            )
        chunks: list[SpoofChunk] = []
        score = _Score()
        speakers: SpeakerVerdicts | None = None
        async with aclosing(merged(*stages)) as events:
            async for event in events:
                match event:
                    case _Score():
                        score = event
                        continue
                    case ChunksScored():
                        chunks += event.chunks
                    case SpeakerVerdicts():
                        speakers = event
                yield event
        yield SpoofReport(
            duration=chunks[-1].end if chunks else 0.0,
            speech_seconds=round(sum(chunk.speech_seconds for chunk in chunks), 3),
            verdict=score.verdict,
            p_spoof=score.p_spoof,
            bands=score.bands,
            engine=score.engine,
            chunks=tuple(chunks),
            speakers=speakers.speakers if speakers else None,
            timings=watch.timings,
        )

    async def _timeline(
        self, blocks: Blocks, correlation_id: str, watch: Stopwatch
    ) -> AsyncGenerator[ChunksScored | _Score, None]:
        """Yield the chunks as they are scored, and last the score of them all."""
        weighted: list[tuple[float, float]] = []
        last: SpoofScores | None = None

        async def score(group: Sequence[Chunk]) -> _ScoredGroup:
            return await self._score(group, correlation_id, watch)

        async with (
            aclosing(in_thread(_groups(blocks, watch))) as groups,
            aclosing(in_order(score, groups, CALLS_AT_ONCE)) as results,
        ):
            async for result in results:
                last = result.scores or last
                pairs = zip(result.p_spoof, result.speech, strict=True)
                weighted += [(p_spoof, seconds) for p_spoof, seconds in pairs if p_spoof is not None]
                yield ChunksScored(result.timeline())
        if last is not None:
            yield _Score(weighted_mean(weighted), SpoofBands.of(last.bands), last.engine)

    async def _score(self, chunks: Sequence[Chunk], correlation_id: str, watch: Stopwatch) -> _ScoredGroup:
        with watch.running("vad"):
            speech = await asyncio.to_thread(self._speech_of, chunks)
        p_spoof: list[float | None] = [None] * len(chunks)
        worth = [index for index, seconds in enumerate(speech) if seconds >= self.min_speech]
        if not worth:
            return _ScoredGroup(chunks, speech, p_spoof, None)
        with watch.running("spoof"):
            scores = await score_chunks(self.spoof, [chunks[index] for index in worth], correlation_id)
        for index, score in zip(worth, scores.p_spoof.tolist(), strict=True):
            p_spoof[index] = score
        return _ScoredGroup(chunks, speech, p_spoof, scores)

    def _speech_of(self, chunks: Sequence[Chunk]) -> list[float]:
        """Return the seconds of speech in each chunk's own stretch, without what the last one is heard with."""
        first = chunks[0].start
        own = [chunk.window[: chunk.length][-round((chunk.end - chunk.start) * SAMPLE_RATE) :] for chunk in chunks]
        spans = self.speech(np.concatenate(own))
        stretches = [Span(chunk.start - first, chunk.end - first) for chunk in chunks]
        return [round(sum(span.overlap(stretch) for span in spans), 3) for stretch in stretches]


def _groups(blocks: Blocks, watch: Stopwatch) -> Iterator[Sequence[Chunk]]:
    chunks = cut(blocks)
    with closing(blocks):
        while True:
            with watch.running("decode"):
                group = list(islice(chunks, GROUP_CHUNKS))
            if not group:
                return
            yield group
