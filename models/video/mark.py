"""What is written into a film to say that a machine has made it."""

from dataclasses import dataclass

from models.audio.encoding import TRAINED_ALGORITHMIC_MEDIA

_SOFTWARE = "VoiceGraph"


@dataclass(frozen=True, slots=True)
class FilmMark:
    """Who made a film.

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
        return {
            "title": "Synthetic video",
            "comment": f"Synthetic video, made by a machine (face moved by {self.lipsync}; {speech}). "
            f"Digital source type: {TRAINED_ALGORITHMIC_MEDIA}",
            "digital_source_type": TRAINED_ALGORITHMIC_MEDIA,
            "encoded_by": _SOFTWARE,
            "software": _SOFTWARE,
        }
