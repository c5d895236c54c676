"""Time spans of a recording, exchanged by VAD, diarization and ASR."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval of time, in seconds from the start of the recording."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def overlap(self, other: "Span") -> float:
        """Return the seconds that both spans share; 0.0 where they don't meet."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))
