"""The languages of a recording, stretch by stretch, from Whisper's probabilities (Radford et al., 2022)."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.spans import Span

PROBE_S = 6.0
"""Sound of a stretch that its language is told from."""

STRETCH_S = 10.0
"""Longest stretch whose language is told."""

_LEAST_S = 2.0
_FLOOR = 1e-3
# A stretch in the middle must be 150 times as probable in another language, one at an end 12 times.
_SWITCH_COST = 2.5


@dataclass(frozen=True, slots=True)
class LanguageSpan:
    """A stretch of a recording in one language (ISO 639-1), in seconds from its start."""

    start: float
    end: float
    language: str


def stretches(utterances: Sequence[Span]) -> list[Span]:
    """Join utterances into stretches of at most 10 s that are long enough to tell their language, where they can be."""
    joined: list[Span] = []
    for utterance in utterances:
        last = joined[-1] if joined else None
        together = Span(last.start, utterance.end) if last else utterance
        if last and together.duration <= STRETCH_S and min(last.duration, utterance.duration) < _LEAST_S:
            joined[-1] = together
        else:
            joined.append(utterance)
    return joined


def spread(found: Sequence[Span], most: int) -> list[Span]:
    """Return at most so many of the stretches, evenly spread."""
    if len(found) <= most:
        return list(found)
    return [found[round(index)] for index in np.linspace(0, len(found) - 1, most)]


def spoken_languages(found: Sequence[Span], heard: Sequence[Mapping[str, float]]) -> list[LanguageSpan]:
    """Return the most probable course of languages, in which switching costs.

    The Viterbi path over the languages that some stretch is most probably in. Detection errs on single stretches,
    mostly in favour of a related language; the cost of a switch keeps the course from following.

    Args:
        found: The stretches, in order of time; at least one.
        heard: Of each, probabilities by language.

    Returns:
        Spans that meet in the pauses between stretches, neighbours in different languages.
    """
    candidates = sorted({max(probabilities, key=lambda code: probabilities[code]) for probabilities in heard})
    scores = np.log([[max(_FLOOR, probabilities.get(code, 0.0)) for code in candidates] for probabilities in heard])
    path = [candidates[index] for index in _viterbi(scores)]
    spans = [LanguageSpan(found[0].start, found[0].end, path[0])]
    for (before, after), language in zip(pairwise(found), path[1:], strict=True):
        if language == spans[-1].language:
            spans[-1] = LanguageSpan(spans[-1].start, after.end, language)
        else:
            middle = (before.end + after.start) / 2
            spans[-1] = LanguageSpan(spans[-1].start, middle, spans[-1].language)
            spans.append(LanguageSpan(middle, after.end, language))
    return spans


def _viterbi(scores: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> list[int]:
    """Return the best path through log probabilities of shape [steps, states]."""
    states = scores.shape[1]
    switching = _SWITCH_COST * (1.0 - np.eye(states))
    total = scores[0]
    came_from = []
    for step in scores[1:]:
        ways = total[:, None] - switching
        came_from.append(ways.argmax(axis=0))
        total = ways.max(axis=0) + step
    path = [int(total.argmax())]
    for origin in reversed(came_from):
        path.append(int(origin[path[-1]]))
    return path[::-1]


def main_language(spans: Sequence[LanguageSpan]) -> str:
    """Return the language that most of the time is spoken in; the earlier one of two."""
    seconds: dict[str, float] = {}
    for span in spans:
        seconds[span.language] = seconds.get(span.language, 0.0) + span.end - span.start
    return max(seconds, key=lambda code: seconds[code])


def most_probable(heard: Sequence[Mapping[str, float]]) -> str:
    """Return the language that is most probable over all stretches."""
    total: dict[str, float] = {}
    for probabilities in heard:
        for code, probability in probabilities.items():
            total[code] = total.get(code, 0.0) + probability
    return max(total, key=lambda code: total[code])


def divided(windows: Sequence[Span], course: Sequence[LanguageSpan], default: str) -> list[tuple[Span, str]]:
    """Cut windows where the language changes; return each piece with its language.

    Args:
        windows: In order of time.
        course: The languages in order of time; what is outside of it belongs to the nearest.
        default: The language where there is no course.
    """
    changes = [span.end for span in course[:-1]]
    languages = [span.language for span in course] or [default]
    pieces: list[tuple[Span, str]] = []
    for window in windows:
        inside = [change for change in changes if window.start < change < window.end]
        for start, end in pairwise([window.start, *inside, window.end]):
            pieces.append((Span(start, end), languages[bisect_right(changes, start)]))
    return pieces
