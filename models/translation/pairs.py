"""Errors for unsupported language pairs."""

from collections.abc import Mapping

from models.errors import InputError

Pairs = Mapping[str, frozenset[str]]


def languages_of(pairs: Pairs) -> list[str]:
    """Return all languages of the pairs, sorted."""
    return sorted(set(pairs).union(*pairs.values()))


def all_to_all(pairs: Pairs) -> bool:
    """Tell whether every language goes into every other, three of them at least."""
    languages = frozenset(languages_of(pairs))
    return len(languages) > 2 and all(pairs.get(source, frozenset()) == languages - {source} for source in languages)


def require_pair(pairs: Pairs, source: str, target: str, *, remedy: str = "") -> None:
    """Refuse a pair that is not there.

    Args:
        pairs: Targets by source.
        source: The language of the text.
        target: The language wanted.
        remedy: A sentence that says how to get pairs, for an engine that can have more.

    Raises:
        InputError: Code ``unsupported_pair``.
    """
    if target in pairs.get(source, ()):
        return
    if source == "auto":
        reason = "the language of the text is not detected: name it in place of 'auto'"
    elif source == target:
        reason = f"source and target are the same language, {source!r}"
    else:
        reason = f"there is no translation from {source!r} to {target!r}"
    message = ". ".join(part for part in (reason, _listing(pairs), remedy) if part)
    raise InputError("unsupported_pair", message, field="source" if source == "auto" else "target")


def _listing(pairs: Pairs) -> str:
    if not pairs:
        return "No pair is installed"
    if all_to_all(pairs):
        return f"Every pair goes of: {', '.join(languages_of(pairs))}"
    listed = (f"{source}-{target}" for source in sorted(pairs) for target in sorted(pairs[source]))
    return f"Pairs: {', '.join(listed)}"
