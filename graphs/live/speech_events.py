"""Detection of speech in a client's audio."""

import asyncio
from collections.abc import Callable

from graphs.common.config import LiveSettings
from graphs.live.pcm import PcmReader
from graphs.live.protocol import Start
from models.vad.streaming import Endpointer, EndpointSettings, FrameScorer, Samples, SpeechEvent

NewScorer = Callable[[], FrameScorer]


def endpoint_settings(start: Start, settings: LiveSettings) -> EndpointSettings:
    """Return when an utterance ends: as the client wants it, else as configured."""
    return EndpointSettings(
        pause=(start.end_of_speech_ms or settings.end_of_speech_ms) / 1000,
        max_utterance=settings.max_utterance_seconds,
    )


class SpeechEventDetector:
    """Turns PCM into speech events. One call at a time; resampling and detection run in a thread.

    Args:
        sample_rate: Of the client's PCM, in Hz.
        scorer: Scores this client's frames.
        settings: When speech begins and ends.
    """

    def __init__(self, sample_rate: int, scorer: FrameScorer, settings: EndpointSettings) -> None:
        self._reader = PcmReader(sample_rate)
        self._endpointer = Endpointer(scorer, settings)

    @property
    def speaking(self) -> bool:
        """True during an utterance."""
        return self._endpointer.speaking

    def so_far(self) -> Samples | None:
        """The utterance so far; None while nobody speaks, and in a pause, however short."""
        # Where the pause turns out to be the end, the utterance is not to wait for the recognition of a part of it.
        return self._endpointer.so_far() if self._endpointer.voiced else None

    async def push(self, data: bytes) -> list[SpeechEvent]:
        """Take audio.

        Raises:
            InputError: It is no whole number of samples.
        """
        return await asyncio.to_thread(lambda: self._endpointer.push(self._reader.push(data)))

    async def commit(self) -> list[SpeechEvent]:
        """End the utterance now."""
        return await asyncio.to_thread(self._commit)

    def _commit(self) -> list[SpeechEvent]:
        return [*self._endpointer.push(self._reader.flush()), *self._endpointer.commit()]
