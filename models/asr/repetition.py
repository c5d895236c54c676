"""Detection of text that repeats itself, as recognisers write it when they lose the speech."""

import re

_WORD = re.compile(r"[\w']+")
_LONGEST_PHRASE = 16


def repeats(text: str) -> bool:
    """Tell whether a word comes four times in a row, two or three words three times, or a longer phrase twice.

    People do say such things now and then: it is a reason to look again, not to leave words out. Compression, which
    Whisper's own check goes by, tells little of a text as short as a sentence.
    """
    words = _WORD.findall(text.casefold())
    return any(_times(words, length) >= _least(length) for length in range(1, _LONGEST_PHRASE + 1))


def _least(length: int) -> int:
    return {1: 4, 2: 3, 3: 3}.get(length, 2)


def _times(words: list[str], length: int) -> int:
    """Return how often in a row some phrase of so many words comes, at most."""
    longest = equal = 0
    for first, second in zip(words, words[length:], strict=False):
        equal = equal + 1 if first == second else 0
        longest = max(longest, equal)
    return longest // length + 1
