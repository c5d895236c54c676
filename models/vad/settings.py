"""Settings of the voice activity detector."""

from typing import NamedTuple, Self

from pydantic import Field, model_validator

from models.settings import Settings

HYSTERESIS = 0.15
"""Speech ends when the probability falls this far below where it starts, as in Silero's own iterator."""

LOWEST_OFFSET = 0.01


class Hysteresis(NamedTuple):
    """Probabilities at which speech starts and, once it has started, goes on."""

    onset: float
    offset: float


class VadSettings(Settings):
    """Settings of voice activity detection; times in seconds."""

    onset: float = Field(0.5, gt=0.0, lt=1.0, description="Speech starts at this probability.")
    offset: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Speech ends where the probability is below this; left out, 0.15 less than the onset.",
    )
    far_onset: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="The onset for recordings in which the detector is seldom sure, as of voices across a room; left "
        "out, the same as for all others.",
    )
    far_offset: float | None = Field(None, gt=0.0, lt=1.0, description="The offset for such recordings, likewise.")
    min_speech: float = Field(0.1, ge=0.0, description="Speech shorter than this is ignored.")
    min_silence: float = Field(0.2, ge=0.0, description="Silence shorter than this doesn't end the speech.")
    speech_pad: float = Field(0.06, ge=0.0, description="Added at both ends, at most half the pause.")
    max_speech: float = Field(30.0, ge=1.0, description="Longer speech is cut where it is least likely.")
    threads: int = Field(1, ge=1, description="CPU threads that one call may use.")

    @property
    def near(self) -> Hysteresis:
        """Thresholds of recordings in which speech is plain."""
        return _hysteresis(self.onset, self.offset)

    @property
    def far(self) -> Hysteresis:
        """Thresholds of recordings in which the detector is seldom sure."""
        if self.far_onset is None:
            return self.near
        return _hysteresis(self.far_onset, self.far_offset)

    @model_validator(mode="after")
    def _speech_ends_no_higher_than_it_starts(self) -> Self:
        if self.far_offset is not None and self.far_onset is None:
            raise ValueError("far_offset says nothing without far_onset")
        for name, (onset, offset) in (("", self.near), ("far_", self.far)):
            if offset > onset:
                raise ValueError(f"{name}offset must not be above {name}onset")
        return self


def _hysteresis(onset: float, offset: float | None) -> Hysteresis:
    return Hysteresis(onset, max(onset - HYSTERESIS, LOWEST_OFFSET) if offset is None else offset)
