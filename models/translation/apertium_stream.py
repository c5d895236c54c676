"""Apertium's stream format: text in and out of it (https://wiki.apertium.org/wiki/Apertium_stream_format)."""

import re

_RESERVED = re.compile(r"[\\\[\]{}^$/@<>]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TOKEN = re.compile(r"\\(.)|\[((?:\\.|[^\]\\])*)\]", re.DOTALL)
_ENDS = (".", "!", "?", "…", ":", ";")


def to_stream(text: str) -> bytes:
    """Return a sentence as the programs read it, without the NUL that makes them answer.

    What means something to them is escaped; control characters, which have no meaning in a sentence, become spaces.
    A sentence without an end gets one, which the taggers need, and `from_stream` takes it away. A blank must follow
    before the NUL: it is what lets the programs know that the last word is over.
    """
    escaped = _RESERVED.sub(r"\\\g<0>", _CONTROL.sub(" ", text)).replace("~", "[~]")
    return (escaped + ("" if text.rstrip().endswith(_ENDS) else ".")).encode()


def from_stream(output: bytes, text: str) -> str:
    """Return the translated sentence.

    Args:
        output: What the programs answered, without the blank and the NUL.
        text: The sentence that it translates.
    """
    stream = output.decode("utf-8", "replace")
    translated = _TOKEN.sub(lambda found: found[1] or _TOKEN.sub(r"\1", found[2] or ""), stream).strip()
    return translated if text.rstrip().endswith(_ENDS) else translated.removesuffix(".")
