"""Events that jobs of several kinds tell their followers."""

from collections.abc import Sequence
from typing import Any

from models.diarization import SpeakerTurn
from storage.jobs import Attempt


async def tell_turns(attempt: Attempt, turns: Sequence[SpeakerTurn]) -> None:
    """Tell who spoke when: the event ``diarized``."""
    told: list[dict[str, Any]] = [
        {"start": round(turn.start, 3), "end": round(turn.end, 3), "speaker": turn.speaker} for turn in turns
    ]
    await attempt.event("diarized", {"speakers": sorted({turn.speaker for turn in turns}), "turns": told})
