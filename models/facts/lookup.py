"""Search for the facts of an engine."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal

from models.facts import asr, chat, diarization, lipsync, speaker, speech, spoof, translation
from models.facts.types import EngineFacts

RoleName = Literal["asr", "diarization", "spoof", "speaker", "translation", "speech", "lipsync", "chat"]

FACTS: Mapping[RoleName, tuple[EngineFacts, ...]] = {
    "asr": asr.FACTS,
    "diarization": diarization.FACTS,
    "spoof": spoof.FACTS,
    "speaker": speaker.FACTS,
    "translation": translation.FACTS,
    "speech": speech.FACTS,
    "lipsync": lipsync.FACTS,
    "chat": chat.FACTS,
}
"""Facts by role; of those of one engine, the first whose pattern fits the model holds."""


def facts_of(role: RoleName, engine: str, model: str) -> EngineFacts | None:
    """Return the facts of an engine with a model; None for an engine without any."""
    return next((f for f in FACTS[role] if f.engine == engine and fnmatchcase(model, f.models)), None)
