"""Phonemes of a clause with its marks in their places, by eSpeak NG."""

import re

from models.speech.espeak_library import espeak_library

# A mark, and the white space or the end that tells it from a sign inside of a number or a name.
_MARKS = re.compile(r"([.,;:!?…。，、；：！？]+)[\"'”’»)\]」』）】]*(?=\s|$|(?<=[。，、；：！？]))")  # noqa: RUF001
_PLAIN = str.maketrans("。，、；：！？…", ".,,;:!?.")  # noqa: RUF001


def marked_phonemes(clause: str, voice: str, *, tie: str = "") -> str:
    """Return a clause's phonemes in the IPA; of several marks in a row the last stays, in its plain form.

    Args:
        clause: One clause.
        voice: An eSpeak NG voice's identifier or language code.
        tie: Stands between the letters of a phoneme that is written with several.
    """
    library = espeak_library()
    spoken = ""
    # Text and mark by turns.
    for index, part in enumerate(_MARKS.split(clause)):
        if index % 2:
            spoken = spoken.rstrip() + part.translate(_PLAIN)[-1] + " "
        elif part.strip():
            spoken += library.phonemes(part, voice, tie=tie)
    return spoken.strip()
