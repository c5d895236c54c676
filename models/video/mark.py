"""Metadata that mark a film as synthetic."""

from dataclasses import dataclass

from models.audio.encoding import synthetic_tags


@dataclass(frozen=True, slots=True)
class FilmMark:
    """The engines that made a film.

    Attributes:
        lipsync: The engine that moved the face.
        engine: The engine that spoke; None for speech that was sent as sound.
        voice: The voice that it spoke with; None likewise.
    """

    lipsync: str
    engine: str | None = None
    voice: str | None = None

    def tags(self) -> dict[str, str]:
        """Return the tags by FFmpeg's names for them."""
        speech = f"speech by {self.engine}, voice {self.voice}" if self.engine else "speech as it was sent"
        made = f"Synthetic video, made by a machine (face moved by {self.lipsync}; {speech})."
        return {"title": "Synthetic video", **synthetic_tags(made)}
