"""Scores under the names that RealTone's clients know."""

from collections.abc import Iterator

from graphs.spoof.report import SpoofReport


def scored_chunks(report: SpoofReport) -> Iterator[tuple[str, float, float, float]]:
    """Yield id, P(spoof), start and end in seconds of the chunks that have a score.

    The number in the id counts all chunks, so that ``chunk_3`` begins at 12 s whatever was scored before it.
    """
    for number, chunk in enumerate(report.chunks):
        if chunk.p_spoof is not None:
            yield f"chunk_{number}", chunk.p_spoof, chunk.start, chunk.end


def percent(report: SpoofReport) -> int:
    """Return the file's probability in whole percent: the rounded mean of rounded scores, 0 where there are none."""
    scores = [_rounded(100 * p_spoof) for _id, p_spoof, _start, _end in scored_chunks(report)]
    return _rounded(sum(scores) / len(scores)) if scores else 0


def _rounded(value: float) -> int:
    # Halves away from zero, as Go's math.Round does; Python's round would take them to the even neighbour.
    return int(value + 0.5)
