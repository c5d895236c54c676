"""Clean-up of translated sentences, and signs of a wrong translation."""

# ruff: noqa: RUF001 - punctuation of many languages
import re
import unicodedata
from dataclasses import dataclass

_REPEATED_WORD = re.compile(r"\b(\w+)(?:[\s,]+\1\b){2,}", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\u00a0]{2,}")
_SPACED_MARK = re.compile(r"(?<=\w)\s+([.,!?;:…。，！？；：])(?=\s|$|[\"'»”’)\]])")
_REPEATED_MARK = re.compile(r"([,;:!?。，！？；：])\1{2,}")
_ENDS = ".!?…。！？؟।"
_CLOSING = "\"'»”’)]）」』*_"
# French puts a space before these marks.
_SPACED_MARKS = {"fr": "!?;:", "br": "!?;:"}
_IDEOGRAPHIC = frozenset({"zh", "ja", "yue"})
_SCRIPTS = {"zh": ("CJK",), "yue": ("CJK",), "ja": ("CJK", "HIRAGANA", "KATAKANA"), "ko": ("HANGUL",)}
_MOST_OTHER_THAN_LETTERS = 0.7


@dataclass(frozen=True)
class Cleaned:
    """A sentence after the clean-up.

    Attributes:
        text: Never emptied for being suspect.
        suspect: Why it may be no translation, in a few words; None where nothing speaks for that.
    """

    text: str
    suspect: str | None


def clean(source: str, translation: str, target: str) -> Cleaned:
    """Clean up a translated sentence and check it for signs of a wrong translation.

    A word three or more times in a row becomes one, spaces go from before punctuation and punctuation that is repeated
    becomes single, each only where the source has nothing of the kind; a full stop that the source has and the
    translation lost is restored.

    Args:
        source: The sentence that was translated.
        translation: What the engine made of it.
        target: Language of the translation.
    """
    text = _BLANKS.sub(" ", translation.strip())
    repeated = False
    if not _REPEATED_WORD.search(source):
        text, count = _REPEATED_WORD.subn(r"\1", text)
        repeated = count > 0
    text = _punctuation(source, text, target)
    return Cleaned(text, _suspicion(source, text, target, repeated=repeated))


def _punctuation(source: str, text: str, target: str) -> str:
    if not _SPACED_MARK.search(source):
        keep = _SPACED_MARKS.get(target, "")
        text = _SPACED_MARK.sub(lambda found: found[0] if found[1] in keep else found[1], text)
    if not _REPEATED_MARK.search(source):
        text = _REPEATED_MARK.sub(r"\1", text)
    bare = text.rstrip(_CLOSING + " ")
    if (
        source.rstrip(_CLOSING + " ").endswith((".", "。"))
        and bare
        and bare == text
        and bare[-1] not in _ENDS + ",;:，；："
    ):
        text += "。" if target in _IDEOGRAPHIC else "."
    return text


def _suspicion(source: str, text: str, target: str, *, repeated: bool) -> str | None:
    """Return the first sign of a wrong translation, of a source that has letters."""
    solid = [character for character in text if not character.isspace()]
    letters = [character for character in solid if unicodedata.category(character)[0] in "LM"]
    source_solid = sum(not character.isspace() for character in source)
    source_letters = sum(unicodedata.category(character)[0] in "LM" for character in source)
    if not solid:
        return "empty"
    if len(source) > 20 and len(text.rstrip(_ENDS)) < 3:
        return "too short"
    few = 1 - len(letters) / len(solid) > _MOST_OTHER_THAN_LETTERS
    if few and 1 - source_letters / source_solid <= _MOST_OTHER_THAN_LETTERS:
        return "hardly any letters"
    scripts = _SCRIPTS.get(target)
    if (
        scripts
        and source_letters > 20
        and not any(unicodedata.name(letter, "").startswith(scripts) for letter in letters)
    ):
        return "not in the target's script"
    return "repeated words" if repeated else None
