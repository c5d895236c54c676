"""Speech for a film: synthesised from a text, or read from a recording."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from graphs.avatar.sound import too_long
from graphs.common.concurrency import in_thread
from graphs.common.config import RecordingLimits, VideoSettings
from graphs.common.recordings import probe_recording
from graphs.common.roles import SpeechRole
from graphs.common.voices import Speaker
from models.audio import AudioInfo, AudioLimits, stream
from models.errors import InputError
from models.speech import SpeechChunk
from storage.objects import ObjectStore

CHARACTERS_PER_SECOND = 15.0
"""Of speech at a voice's own speed, about."""

_FASTEST = 2.0
_BLOCK_SECONDS = 5.0
_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def expected_seconds(text: str, speed: float) -> float:
    """Return how long a text takes to say, about."""
    return len(text) / CHARACTERS_PER_SECOND / speed


def check_text(text: str, speed: float, *, max_chars: int, settings: VideoSettings) -> None:
    """Check that a text can be said in a film, as far as that is known before it is said.

    Raises:
        InputError: It is empty (``empty_text``), or too long, or its film is sure to be (``too_long``).
    """
    if not text.strip():
        raise InputError("empty_text", "There is nothing to say.", field="text")
    if len(text) > max_chars:
        raise InputError("too_long", f"The text is longer than {max_chars} characters.", field="text")
    if expected_seconds(text, speed * _FASTEST) > settings.max_seconds:
        raise too_long(settings.max_seconds, "text")


async def spoken(
    speech: SpeechRole, text: str, speaker: Speaker, *, speed: float, correlation_id: str
) -> AsyncGenerator[SpeechChunk, None]:
    """Yield a text as a voice speaks it; closed early, the voice stops."""
    stream: Any = speech.synthesize(
        text,
        voice=speaker.voice,
        language=speaker.language,
        speed=speed,
        reference=speaker.reference,
        correlation_id=correlation_id,
    )
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            yield chunk


def film_limits(limits: RecordingLimits, settings: VideoSettings, *, allow_truncated: bool = False) -> AudioLimits:
    """Return what recordings can be said in a film."""
    return AudioLimits(
        min_seconds=limits.min_seconds,
        max_seconds=min(limits.max_seconds, settings.max_seconds),
        allow_truncated=allow_truncated,
    )


async def recorded(
    objects: ObjectStore, key: str, limits: AudioLimits
) -> tuple[AudioInfo, AsyncGenerator[SpeechChunk, None]]:
    """Return what a stored recording says of itself, and what is said in it, read as it is asked for.

    Raises:
        InputError: It is no recording that can be used; what shows only at its end, after its last sound.
        ObjectNotFound: There is no such object.
    """
    _size, info = await probe_recording(objects, key, limits)
    rate = next((rate for rate in _RATES if rate >= info.sample_rate), _RATES[-1])

    def read() -> Iterator[SpeechChunk]:
        with objects.open(key) as source:
            for samples in stream(source, limits, sample_rate=rate, block_seconds=_BLOCK_SECONDS):
                yield SpeechChunk(samples, rate)

    return info, in_thread(read())
