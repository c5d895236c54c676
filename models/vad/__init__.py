"""Voice activity detection: the spans of speech in a recording."""

from models.vad.settings import VadSettings
from models.vad.silero import SileroVad

__all__ = ["SileroVad", "VadSettings"]
