"""The diarized transcript as it is stored and served."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from graphs.common.engines import MadeByEngines
from graphs.spoof.report import SpeakerVerdicts

_OTHER_LANGUAGE = "ISO 639-1 code where it is not the recording's language."


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TranscriptWord(_Frozen):
    """A word; times are seconds from the start of the recording."""

    text: str
    start: float
    end: float
    probability: float | None = None


class TranscriptSegment(_Frozen):
    """A stretch of speech as the recogniser delivered it."""

    start: float
    end: float
    text: str
    language: str | None = Field(default=None, description=_OTHER_LANGUAGE)


class Turn(_Frozen):
    """Words of one speaker, not interrupted by another."""

    start: float
    end: float
    speaker: str
    text: str
    language: str | None = Field(default=None, description=_OTHER_LANGUAGE)
    words: tuple[TranscriptWord, ...] = Field(description="Empty where the recogniser gives no word times.")


class SpeechTurn(_Frozen):
    """Stretch of a speaker's speech as the diarizer found it, whether words were recognised in it or not."""

    start: float
    end: float
    speaker: str


class Transcript(MadeByEngines):
    """Diarized transcript: words by speaker turn, with times."""

    version: Literal[1] = 1
    duration: float = Field(description="Length of the recording in seconds.")
    language: str = Field(description="ISO 639-1 code, asked for or detected: the one that most is spoken in.")
    speakers: tuple[str, ...] = Field(description="Speakers in order of first appearance.")
    turns: tuple[Turn, ...]
    segments: tuple[TranscriptSegment, ...]
    diarization: tuple[SpeechTurn, ...]
    spoof: SpeakerVerdicts | None = Field(
        default=None, description="Whether each speaker's voice is real; null unless it was asked for."
    )
    timings: dict[str, float] = Field(description="Seconds each stage took.")

    def renamed(self, labels: dict[str, str]) -> "Transcript":
        """Return the transcript with speakers called by the names that the user gave them."""
        if not labels:
            return self

        def name(speaker: str) -> str:
            return labels.get(speaker, speaker)

        return self.model_copy(
            update={
                "speakers": tuple(dict.fromkeys(name(speaker) for speaker in self.speakers)),
                "turns": tuple(t.model_copy(update={"speaker": name(t.speaker)}) for t in self.turns),
                "diarization": tuple(t.model_copy(update={"speaker": name(t.speaker)}) for t in self.diarization),
                "spoof": self.spoof.renamed(labels) if self.spoof else None,
            }
        )
