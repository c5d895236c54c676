"""Voice activity detection: where in a recording somebody speaks."""

from models.vad.settings import VadSettings
from models.vad.silero import SileroVad

__all__ = ["SileroVad", "VadSettings"]
