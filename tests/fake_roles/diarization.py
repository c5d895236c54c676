"""A diarizer that needs no model."""

import asyncio
from typing import Any

from fake_roles.failures import Failing
from models.diarization import SpeakerTurn


class FakeDiarization(Failing):
    """Finds the turns that it was told to.

    Attributes:
        asked: The arguments of the calls.
        called: Set by the first call.
    """

    def __init__(self, *turns: SpeakerTurn) -> None:
        super().__init__()
        self.turns = turns
        self.asked: list[dict[str, Any]] = []
        self.called = asyncio.Event()

    async def diarize(
        self,
        recording: Any,
        *,
        num_speakers: int | None,
        min_speakers: int | None,
        max_speakers: int | None,
        correlation_id: str,
    ) -> tuple[SpeakerTurn, ...]:
        self.asked.append(
            {
                "recording": recording,
                "num_speakers": num_speakers,
                "min_speakers": min_speakers,
                "max_speakers": max_speakers,
                "correlation_id": correlation_id,
            }
        )
        self.called.set()
        self.raise_ordered("diarize")
        return self.turns
