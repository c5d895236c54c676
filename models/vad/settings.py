"""Settings of the voice activity detector."""

from pydantic import Field

from models.settings import Settings


class VadSettings(Settings):
    """Settings of voice activity detection; times in seconds."""

    threshold: float = Field(0.5, gt=0.0, lt=1.0, description="Speech starts at this probability.")
    min_speech: float = Field(0.1, ge=0.0, description="Speech shorter than this is ignored.")
    min_silence: float = Field(0.2, ge=0.0, description="Silence shorter than this doesn't end the speech.")
    speech_pad: float = Field(0.06, ge=0.0, description="Added at both ends, at most half the pause.")
    max_speech: float = Field(30.0, ge=1.0, description="Longer speech is cut where it is least likely.")
    threads: int = Field(1, ge=1, description="CPU threads that one call may use.")
