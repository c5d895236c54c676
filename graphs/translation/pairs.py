"""Check of a language pair against the translator's list before a job is accepted."""

from collections.abc import Mapping

from models.errors import InputError
from models.translation.pairs import require_pair


def check_pair(pairs: Mapping[str, frozenset[str]], source: str | None, target: str) -> None:
    """Refuse a pair that the translator lacks.

    Args:
        pairs: Targets by source language.
        source: ISO 639-1 code; None where it is not known yet: anything that goes to the target will do.
        target: ISO 639-1 code.

    Raises:
        InputError: The pair is of one language (``same_language``), or the translator lacks it (``unsupported_pair``).
    """
    if source == target:
        raise InputError("same_language", f"The recording is in {target} already.", field="target")
    if source is not None:
        require_pair(pairs, source, target)
    elif not any(target in targets for targets in pairs.values()):
        targets = sorted(frozenset().union(*pairs.values()))
        message = f"nothing is translated to {target!r}. Targets: {', '.join(targets) or 'none'}"
        raise InputError("unsupported_pair", message, field="target")
