"""Spoof verdicts per speaker, from the stretches where nobody else speaks."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from graphs.common.concurrency import Stopwatch, in_order, in_thread
from graphs.common.progress import Diarized
from graphs.common.recordings import SharedRecording, blocks_of
from graphs.common.roles import DiarizationRole, SpoofRole
from graphs.spoof.report import SpeakerVerdict, SpeakerVerdicts, SpoofBands, VoiceVerdict, verdict, weighted_mean
from models.audio import SAMPLE_RATE
from models.diarization import SpeakerTurn
from models.spans import Span
from models.spoof import Chunk, SpoofScores, cut

GROUP_CHUNKS = 16
"""Chunks of one call to the role: enough to fill a batch, few enough that callers share the batches."""

CALLS_AT_ONCE = 3
"""Calls of one stage in flight: decoding goes on meanwhile, and memory stays bounded."""

MIN_SPEECH_S = 0.5
"""With less speech than this a chunk is not scored."""

SHORT_STRETCH_S = 1.0
"""Shorter stretches count only for speakers who have no longer ones: their edges are least certain."""


async def score_chunks(role: SpoofRole, chunks: Sequence[Chunk], correlation_id: str) -> SpoofScores:
    """Score some chunks in one call."""
    windows = np.stack([chunk.window for chunk in chunks])
    lengths = np.array([chunk.length for chunk in chunks], np.int64)
    return await role.score(windows, lengths, correlation_id=correlation_id)


@dataclass(frozen=True)
class SpeakerCount:
    """The number of speakers, as far as it is known."""

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None


async def diarize_and_judge(
    diarization: DiarizationRole,
    detector: SpoofRole | None,
    recording: SharedRecording,
    count: SpeakerCount,
    *,
    correlation_id: str,
    min_speech: float,
    watch: Stopwatch,
) -> AsyncGenerator[Diarized | SpeakerVerdicts, None]:
    """Find the speakers of a recording and judge their voices.

    Args:
        diarization: The diarizer.
        detector: The spoof detector; None where the voices shall not be judged.
        recording: The recording.
        count: The number of speakers.
        correlation_id: Passed on to the roles.
        min_speech: Shorter windows are not scored, in seconds.
        watch: Times the stages ``diarization`` and ``spoof``.

    Yields:
        The turns, then the verdicts.
    """
    turns = await watch.time(
        "diarization",
        diarization.diarize(
            recording.reference,
            num_speakers=count.num_speakers,
            min_speakers=count.min_speakers,
            max_speakers=count.max_speakers,
            correlation_id=correlation_id,
        ),
    )
    yield Diarized(turns)
    if detector is not None:
        yield await score_speakers(
            detector, recording.samples, turns, correlation_id=correlation_id, min_speech=min_speech, watch=watch
        )


async def score_speakers(
    role: SpoofRole,
    samples: NDArray[np.float32],
    turns: Sequence[SpeakerTurn],
    *,
    correlation_id: str = "",
    min_speech: float = MIN_SPEECH_S,
    watch: Stopwatch | None = None,
) -> SpeakerVerdicts:
    """Judge every speaker by windows of up to 4 s cut inside the stretches where nobody else speaks.

    Args:
        role: The detector.
        samples: The whole recording, float32[samples] at 16 kHz.
        turns: Who spoke when; they may overlap.
        correlation_id: Passed on to the role.
        min_speech: Shorter windows are not scored, in seconds.
        watch: Times the calls as the stage ``spoof``.

    Returns:
        A verdict for every speaker of the turns, by the mean score weighted by duration. Who never speaks alone for
        ``min_speech`` can't be judged and is inconclusive.
    """
    watch = watch or Stopwatch()
    stretches = alone(turns)
    scored: dict[str, list[tuple[float, float]]] = {speaker: [] for speaker in sorted(stretches)}
    last: SpoofScores | None = None

    async def score(group: Sequence[tuple[str, Chunk]]) -> tuple[Sequence[tuple[str, Chunk]], SpoofScores]:
        with watch.running("spoof"):
            return group, await score_chunks(role, [chunk for _speaker, chunk in group], correlation_id)

    async with (
        aclosing(in_thread(_groups(samples, stretches, min_speech))) as groups,
        aclosing(in_order(score, groups, CALLS_AT_ONCE)) as results,
    ):
        async for group, last in results:
            for (speaker, chunk), p_spoof in zip(group, last.p_spoof.tolist(), strict=True):
                scored[speaker].append((p_spoof, chunk.end - chunk.start))
    bands = SpoofBands.of(last.bands) if last else None
    return SpeakerVerdicts(
        speakers=tuple(_verdict_on(speaker, scores, bands) for speaker, scores in scored.items()),
        bands=bands,
        engine=last.engine if last else None,
    )


def alone(turns: Sequence[SpeakerTurn]) -> dict[str, list[Span]]:
    """Return, for every speaker, the stretches in which nobody else speaks, in order of time."""
    stretches: dict[str, list[Span]] = {turn.speaker: [] for turn in turns}
    starts = [(turn.start, 1, turn.speaker) for turn in turns]
    ends = [(turn.end, -1, turn.speaker) for turn in turns]
    speaking: Counter[str] = Counter()
    since = 0.0
    for at, change, speaker in sorted(starts + ends):
        active = list(speaking)
        if len(active) == 1 and at > since:
            own = stretches[active[0]]
            if own and own[-1].end == since:
                own[-1] = Span(own[-1].start, at)
            else:
                own.append(Span(since, at))
        speaking[speaker] += change
        speaking = +speaking
        since = at
    return stretches


def _groups(
    samples: NDArray[np.float32], stretches: Mapping[str, Sequence[Span]], min_speech: float
) -> Iterator[list[tuple[str, Chunk]]]:
    windows = (
        (speaker, chunk) for speaker, spans in stretches.items() for chunk in _windows(samples, spans, min_speech)
    )
    while group := list(islice(windows, GROUP_CHUNKS)):
        yield group


def _windows(samples: NDArray[np.float32], spans: Sequence[Span], min_speech: float) -> Iterator[Chunk]:
    long = [span for span in spans if span.duration >= SHORT_STRETCH_S]
    for span in long or spans:
        stretch = samples[int(span.start * SAMPLE_RATE) : int(span.end * SAMPLE_RATE)]
        for chunk in cut(blocks_of(stretch)):
            if chunk.end - chunk.start >= min_speech:
                yield chunk


def _verdict_on(speaker: str, scores: Sequence[tuple[float, float]], bands: SpoofBands | None) -> SpeakerVerdict:
    p_spoof = weighted_mean(scores)
    judged: VoiceVerdict = "inconclusive" if p_spoof is None or bands is None else verdict(p_spoof, bands)
    seconds = round(sum(seconds for _score, seconds in scores), 3)
    return SpeakerVerdict(speaker=speaker, p_spoof=p_spoof, verdict=judged, speech_seconds=seconds)
