"""Synthesis of texts clause by clause, with the pauses between clauses."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.speech.clauses import clauses, weight
from models.speech.normalisation import normalise
from models.speech.types import Reference, SpeechChunk, SpeechModel, Voice

MAX_CHARACTERS = 20_000
"""Longest text of one synthesis."""

MIN_SPEED = 0.25
MAX_SPEED = 4.0
SENTENCE_PAUSE_S = 0.25
CLAUSE_PAUSE_S = 0.15

_CUT_WEIGHT = 50
# After the first, pieces of a clause are gathered up to this length: each is a message.
_PIECE_S = 0.4
_FADE_S = 0.005
# Quieter than this, an end does not click.
_AUDIBLE = 0.005
_SENTENCE_ENDS = ".!?…。！？｡؟۔।॥։።"  # noqa: RUF001 - the marks of many scripts look alike
_CLAUSE_ENDS = ",;:–—-،؛，、；："  # noqa: RUF001
_CLOSERS = "\"'”’»)]}」』）】》*_`"  # noqa: RUF001

Floats = NDArray[np.float32]


def speak(
    model: SpeechModel,
    text: str,
    *,
    voice: Voice,
    language: str,
    speed: float = 1.0,
    reference: Reference | None = None,
) -> Iterator[SpeechChunk]:
    """Speak a text; the first sound comes when the first clause has begun.

    Args:
        model: The loaded model of the voice.
        text: As people write it; markup, addresses and emoji are taken care of.
        voice: One of the engine's voices.
        language: One of the voice's languages.
        speed: 1.0 is the voice's own; 0.25 to 4.
        reference: Whom to sound like; None for a voice that does not clone.

    Yields:
        The clauses' speech, and silence between them; nothing for a text without a letter or a digit.

    Raises:
        InputError: The text is too long (field ``text``), the speed out of range (``speed``), the language not one of
            the voice's (``language``), or the reference can't be used (``reference``).
    """
    _check(text, voice, language, speed)
    pause = 0.0
    for clause in clauses(text, language):
        spoken = normalise(clause, language, spell_numbers=not voice.reads_digits, stress_marks=voice.stress_marks)
        if not spoken:
            continue
        if pause:
            yield _silence(pause / speed, voice.sample_rate)
        said = clause
        pieces = model.synthesize(spoken, voice=voice, language=language, speed=speed, reference=reference)
        for samples in _soft(pieces, voice.sample_rate):
            yield SpeechChunk(samples, voice.sample_rate, said)
            said = ""
        pause = pause_after(clause)


def _check(text: str, voice: Voice, language: str, speed: float) -> None:
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            "text_too_long", f"The text has {len(text)} characters; at most {MAX_CHARACTERS} are spoken.", field="text"
        )
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise InputError("bad_speed", f"The speed must be {MIN_SPEED} to {MAX_SPEED}, not {speed}.", field="speed")
    if language not in voice.languages:
        raise InputError(
            "unsupported_language",
            f"The voice {voice.id} speaks {', '.join(voice.languages)}, not {language}.",
            field="language",
        )


def pause_after(clause: str) -> float:
    """Return the seconds of silence that belong after a clause when another follows, at speed 1."""
    last = clause.rstrip(_CLOSERS)[-1:]
    if last and last in _CLAUSE_ENDS:
        return CLAUSE_PAUSE_S
    # Without a mark, a short clause is a line of its own, and a long one was cut at a space.
    ends = bool(last) and last in _SENTENCE_ENDS
    return SENTENCE_PAUSE_S if ends or weight(clause) < _CUT_WEIGHT else 0.0


def _silence(seconds: float, sample_rate: int) -> SpeechChunk:
    return SpeechChunk(np.zeros(round(seconds * sample_rate), np.float32), sample_rate)


def _soft(pieces: Iterator[Floats], sample_rate: int) -> Iterator[Floats]:
    """Fade a clause in and out where it would begin or end with a click, its first piece at once, then longer ones."""
    fade = round(_FADE_S * sample_rate)
    held: list[Floats] = []
    wanted = 1
    for piece in pieces:
        if not held and wanted == 1 and len(piece):
            piece = _faded_in(piece, fade)
        held.append(piece)
        if sum(map(len, held)) >= wanted + fade:
            joined = np.concatenate(held)
            # The end is held back: it may be the clause's.
            yield joined[:-fade]
            held = [joined[-fade:]]
            wanted = round(_PIECE_S * sample_rate)
    rest = np.concatenate(held) if held else np.empty(0, np.float32)
    if len(rest):
        yield _faded_in(rest[::-1], fade)[::-1].copy()


def _faded_in(samples: Floats, fade: int) -> Floats:
    if abs(samples[0]) <= _AUDIBLE:
        return samples
    ramp = np.linspace(0, 1, min(fade, len(samples)), dtype=np.float32)
    return np.concatenate([samples[: len(ramp)] * ramp, samples[len(ramp) :]])
