"""Text processing of VITS checkpoints."""

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.errors import InputError, MissingWeights

_SHOWN_CHARACTERS = 40
_PHONEME_VOICE = "en-us"
_MARKS = re.compile(r"""\s*[;:,.!?¡¿—…"«»“”(){}\[\]]+\s*""")


def check_tokenizer(folder: Path) -> None:
    """Refuse a checkpoint whose text can't be prepared here.

    Raises:
        MissingWeights: It needs the package ``uroman``, which is not installed.
    """
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    if settings.get("is_uroman"):
        _uroman()


class VitsText:
    """Prepares text for one checkpoint: letters in lower case, in Latin script or as phonemes where it was trained so.

    Args:
        folder: With the tokenizer's files.

    Raises:
        MissingWeights: It needs the package ``uroman``, which is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import VitsTokenizer

        factory: Any = VitsTokenizer  # untyped in the library
        self._tokenizer = factory.from_pretrained(str(folder), local_files_only=True)
        self._spelt: Callable[[str], str] | None = None
        if self._tokenizer.phonemize:
            # The tokenizer would want a package that calls the same eSpeak NG.
            self._spelt = _phonemes
            self._tokenizer.phonemize = False
        elif self._tokenizer.is_uroman:
            # The tokenizer would read the romaniser's tables anew for every text.
            self._spelt = _uroman().Uroman().romanize_string
            self._tokenizer.is_uroman = False

    def tokens(self, clause: str) -> list[int]:
        """Return the tokens of a clause; none where it has nothing but marks.

        Raises:
            InputError: The model knows none of its letters (``unspeakable``, field ``text``).
        """
        text = clause if self._spelt is None else self._spelt(clause.lower())
        prepared, _ = self._tokenizer.prepare_for_tokenization(text)
        if not any(map(str.isalnum, prepared)):
            if any(map(str.isalnum, clause)):
                shown = clause[:_SHOWN_CHARACTERS]
                raise InputError("unspeakable", f"The voice knows none of the letters of {shown!r}.", field="text")
            return []
        tokens: list[int] = self._tokenizer(text).input_ids
        return tokens


def _phonemes(text: str) -> str:
    """Return a text's phonemes in American English, as ``VitsTokenizer`` does in any language, and its marks."""
    from models.speech.espeak_library import espeak_library

    library = espeak_library()
    spoken, end = "", 0
    for mark in _MARKS.finditer(text):
        spoken += library.phonemes(text[end : mark.start()], _PHONEME_VOICE) + mark[0]
        end = mark.end()
    return spoken + library.phonemes(text[end:], _PHONEME_VOICE)


def _uroman() -> Any:
    try:
        return importlib.import_module("uroman")
    except ModuleNotFoundError:
        raise MissingWeights(
            "this voice reads its language in Latin letters, which takes a package that is not installed: "
            "pip install uroman"
        ) from None
