"""Check of a requested language against a recogniser's list."""

from collections.abc import Sequence

from models.errors import InputError


def require_language(known: Sequence[str], language: str, *, field: str = "language") -> None:
    """Refuse a language that the recogniser does not know.

    Raises:
        InputError: With code ``unsupported_language``; the message lists those it knows.
    """
    if language not in known:
        raise InputError(
            "unsupported_language",
            f"this recogniser does not know the language {language!r}; it has: {', '.join(known)}",
            field=field,
        )
