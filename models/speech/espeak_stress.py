"""Stress of Russian words in eSpeak NG's phonemes.

eSpeak NG knows no mark of stress in Russian text: it puts the stress where its dictionary and rules say, and reduces
the vowels around it. Here a word's phonemes are taken as it makes them, and the stress is moved: the vowel that had it
is reduced, and the one that gets it becomes full.
"""

# ruff: noqa: RUF001, RUF002 - Cyrillic letters and the IPA
import re
from dataclasses import dataclass

from models.speech.stress import VOWELS

_VOWEL_LETTER = re.compile(f"[{VOWELS}]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PhonemeAlphabet:
    """A way to write eSpeak NG's Russian phonemes.

    Attributes:
        stress: The mark of primary stress, before a vowel.
        vowel: Matches one vowel phoneme.
        full: The stressed vowel of a letter; one that is missing sounds the same without stress.
        reduced: The vowel that a stressed one becomes without stress.
        hard: How consonants end after which ``е`` is like ``э``, and ``ы`` without stress.
        hard_full: That stressed ``е``.
        hard_reduced: That ``е`` without stress.
    """

    stress: str
    vowel: re.Pattern[str]
    full: dict[str, str]
    reduced: dict[str, str]
    hard: tuple[str, ...]
    hard_full: str
    hard_reduced: str


MNEMONICS = PhonemeAlphabet(
    stress="'",
    vowel=re.compile(r"[AaoVeEyiIu8][#\"]?"),
    full={"а": "A", "я": "A", "о": "o", "е": "e", "э": "E", "ё": "8"},
    reduced={"A": "a", "o": "V", "e": "I", "E": "E#"},
    hard=("S", "Z", "ts"),
    hard_full="E",
    hard_reduced="y",
)
"""The library's own names, which it takes between ``[[`` and ``]]``."""

IPA = PhonemeAlphabet(
    stress="ˈ",
    vowel=re.compile(r"[ɑaoʌeɛyiɪuɵ]\"?"),
    full={"а": "ɑ", "я": "ɑ", "о": "o", "е": "e", "э": "ɛ", "ё": "ɵ"},
    reduced={"ɑ": "a", "o": "ʌ", "e": "ɪ"},
    hard=("ʃ", "ʒ", "ts"),
    hard_full="ɛ",
    hard_reduced="y",
)


def move_stress(phonemes: str, word: str, alphabet: PhonemeAlphabet) -> str:
    """Return a word's phonemes with the stress where it is marked.

    Args:
        phonemes: As the library makes them of the word without the mark.
        word: Russian letters, with ``+`` before the stressed vowel.
        alphabet: How the phonemes are written.

    Returns:
        The phonemes as they were, where they have not one vowel for each of the word's.
    """
    before, _mark, _after = word.partition("+")
    letters = _VOWEL_LETTER.findall(word.lower())
    at = len(_VOWEL_LETTER.findall(before))
    vowels = list(alphabet.vowel.finditer(phonemes))
    if len(vowels) != len(letters) or at >= len(letters):
        return phonemes
    spoken = ""
    end = 0
    for index, (vowel, letter) in enumerate(zip(vowels, letters, strict=True)):
        between = phonemes[end : vowel.start()]
        had_stress = between.endswith(alphabet.stress)
        between = between.removesuffix(alphabet.stress)
        hard = between.endswith(alphabet.hard)
        sound = vowel[0]
        if index == at:
            full = alphabet.hard_full if hard and letter == "е" else alphabet.full.get(letter, sound)
            sound = alphabet.stress + (sound if had_stress else full)
        elif had_stress:
            sound = alphabet.hard_reduced if hard and letter == "е" else alphabet.reduced.get(sound, sound)
        spoken += between + sound
        end = vowel.end()
    return spoken + phonemes[end:]
