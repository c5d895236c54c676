"""Validation of the names that users give to voices and avatars."""

import unicodedata

_LONGEST_NAME = 100


def checked_name(name: str) -> str:
    """Return the name without the space around it.

    Raises:
        ValueError: It is not 1 to 100 printable characters.
    """
    name = name.strip()
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise ValueError(f"a name has 1 to {_LONGEST_NAME} characters")
    # Categories C*: control and format characters, surrogates, unassigned code points.
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise ValueError("a name has no control characters")
    return name
