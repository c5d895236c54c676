"""Sending of a reply's speech to the client."""

from collections.abc import Iterator
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from graphs.live.connection import Connection
from graphs.live.pcm import PcmWriter
from graphs.live.playback import Playback
from graphs.live.protocol import ReplyAudioHeader
from graphs.live.serializers import StartT

FRAME_MS = 200
"""Longest binary frame, so that little of a reply that is interrupted is on its way."""


class ReplyAudioSender(Generic[StartT]):
    """Sends one turn's speech as the client wants it, not much faster than it is heard.

    Args:
        connection: The client.
        turn: Whose speech it is.
        sample_rate: That the client wants, in Hz.
        playback: How much of the speech so far the client has heard.
    """

    def __init__(self, connection: Connection[StartT], turn: int, sample_rate: int, playback: Playback) -> None:
        self._connection = connection
        self._turn = turn
        self._rate = sample_rate
        self._playback = playback
        self._writer = PcmWriter(sample_rate)
        self._sequence = 0
        self._clause = ""

    async def say(self, samples: NDArray[np.float32], sample_rate: int, text: str) -> None:
        """Send a stretch of speech, once there is room for it; ``text`` is the clause that begins with it."""
        self._clause = text or self._clause
        for frame in self._frames(self._writer.push(samples, sample_rate)):
            await self._playback.room()
            self._send(frame)

    def finish(self) -> None:
        """Send what the resampler still holds."""
        for frame in self._frames(self._writer.flush()):
            self._send(frame)

    def _frames(self, pcm: bytes) -> Iterator[bytes]:
        size = 2 * (self._rate * FRAME_MS // 1000)
        return (pcm[first : first + size] for first in range(0, len(pcm), size))

    def _send(self, pcm: bytes) -> None:
        seconds = len(pcm) / 2 / self._rate
        header = ReplyAudioHeader(
            turn=self._turn,
            sequence=self._sequence,
            bytes=len(pcm),
            duration_ms=round(1000 * seconds, 1),
            text=self._clause,
        )
        self._sequence += 1
        self._connection.send_audio(header, pcm)
        self._playback.sent(seconds, self._clause)
        self._clause = ""
