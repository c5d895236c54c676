"""Division of text into clauses to synthesise one after the other, of complete texts and of streams.

Sentences end where ``sentencex`` says so, which knows the abbreviations of many languages. Inside a sentence a clause
ends at a comma, a colon or a dash once it is long enough, and at a space where it becomes too long. The first clause is
kept short: its sound is what a listener waits for.
"""

# ruff: noqa: RUF001 - the marks of many scripts look alike
import unicodedata
from dataclasses import dataclass

MAX_WEIGHT = 200
"""No clause is heavier, but for the marks on its last letter, which add at most as much again; see ``weight``."""

_FIRST_MAX_WEIGHT = 80
_SOFT_WEIGHT = 80
_FIRST_SOFT_WEIGHT = 20
_WIDE_WEIGHT = 3

_CLOSERS = "\"'”’»)]}」』）】》*_`"
_LATIN_ENDS = ".!?…"
# Followed by a space, these end a sentence whatever comes next.
_OTHER_ENDS = "؟۔।॥։።"
# These are followed by no space.
_WIDE_ENDS = "。！？｡"
_MARKS = ",;:–—-،؛"
_WIDE_MARKS = "，、；：—"


@dataclass(frozen=True, slots=True)
class _Lengths:
    """From which weight on a comma ends a clause, and the weight that it never exceeds."""

    soft: int
    limit: int


_FIRST = _Lengths(_FIRST_SOFT_WEIGHT, _FIRST_MAX_WEIGHT)
_FURTHER = _Lengths(_SOFT_WEIGHT, MAX_WEIGHT)


class ClauseSplitter:
    """Cuts a text into clauses while it is being written.

    The clauses don't depend on how the text is cut into pieces, and joined they are the text, up to white space. What
    is held back is at most one clause.

    Args:
        language: Code of the text's language; only what stands before the first ``-`` counts.
    """

    def __init__(self, language: str) -> None:
        from sentencex import get_sentence_boundaries

        self._boundaries = get_sentence_boundaries
        self._language = sentence_language(language)
        self._lengths = _FIRST
        self._restart("")

    def push(self, text: str) -> list[str]:
        """Add text; return the clauses that it completes, without white space around them."""
        clauses: list[str] = []
        for character in text:
            if not character.isspace() and self._pending:
                clauses += self._before(character)
            elif character.isspace() and not self._pending:
                continue
            self._pending += character
            self._weight += _weight(character)
        return clauses

    def finish(self) -> list[str]:
        """End the text; return the clause that was held back, if there is one."""
        last = self._pending.strip()
        self._lengths = _FIRST
        self._restart("")
        return [last] if last else []

    def _restart(self, pending: str) -> None:
        self._pending = pending
        self._weight = weight(pending)

    def _before(self, character: str) -> list[str]:
        """Return the clause that ends before this character, if one does."""
        head = self._pending.rstrip()
        gap = self._pending[len(head) :]
        ends = self._ends_after_space(head, gap, character) if gap else self._ends_inside(head, character)
        if ends:
            return self._cut(len(self._pending))
        length = self._weight + _weight(character)
        if length <= self._lengths.limit or (_joins(character) and length <= 2 * MAX_WEIGHT):
            return []
        space = max((index for index, other in enumerate(self._pending) if other.isspace()), default=0)
        return self._cut(space + 1 if space else len(self._pending))

    def _cut(self, at: int) -> list[str]:
        clause = self._pending[:at].strip()
        self._restart(self._pending[at:].lstrip())
        self._lengths = _FURTHER
        return [clause]

    def _ends_after_space(self, head: str, gap: str, character: str) -> bool:
        if "\n" in gap and not character.islower():
            return True
        last = head.rstrip(_CLOSERS)[-1:]
        if last in _OTHER_ENDS + _WIDE_ENDS:
            return bool(last)
        if last in _LATIN_ENDS:
            return self._ends_sentence(head, character)
        return last in _MARKS + _WIDE_MARKS and self._long_enough()

    def _ends_inside(self, head: str, character: str) -> bool:
        if character in _CLOSERS + _WIDE_ENDS + _WIDE_MARKS + _LATIN_ENDS + _MARKS:
            return False
        last = head.rstrip(_CLOSERS)[-1:]
        if not last or last in _WIDE_ENDS:
            return bool(last)
        between_digits = character.isdigit() and head[-2:-1].isdigit()
        return last in _WIDE_MARKS and self._long_enough() and not between_digits

    def _ends_sentence(self, head: str, character: str) -> bool:
        if head.rstrip(".").isdigit():
            # The number of a list's entry belongs to what it numbers.
            return False
        if head.endswith((".", "…")) and character.islower():
            return False
        text = f"{head} {character}"
        return any(boundary["end_index"] == len(text) - 1 for boundary in self._boundaries(self._language, text))

    def _long_enough(self) -> bool:
        return self._weight >= self._lengths.soft


def clauses(text: str, language: str) -> list[str]:
    """Cut a whole text into clauses, as ``ClauseSplitter`` does."""
    splitter = ClauseSplitter(language)
    return splitter.push(text) + splitter.finish()


def weight(text: str) -> int:
    """Return a text's length in letters; a sign of a script that writes syllables or words counts as three."""
    return sum(map(_weight, text))


def sentence_language(language: str) -> str:
    """Return the code under which ``sentencex`` knows a language."""
    base = language.lower().replace("_", "-").split("-")[0]
    return {"cmn": "zh", "yue": "zh", "nb": "no"}.get(base, base)


def _weight(character: str) -> int:
    return _WIDE_WEIGHT if unicodedata.east_asian_width(character) in "WF" else 1


def _joins(character: str) -> bool:
    """Tell whether a character belongs to the one before it, so that a cut between them would split a grapheme."""
    return unicodedata.combining(character) != 0 or unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")
