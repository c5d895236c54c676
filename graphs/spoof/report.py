"""The answer to whether a voice is real: scores over time, and verdicts by the bands of the engine that scored."""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from graphs.common.engines import MadeByEngines
from models.spoof import Bands

VoiceVerdict = Literal["bona_fide", "spoof", "inconclusive"]
Verdict = Literal[VoiceVerdict, "no_speech"]

_PLACES = 4


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpoofBands(_Frozen):
    """Thresholds that turn P(spoof) into a verdict."""

    bona_fide_below: float = Field(description="Below this P(spoof) a voice is taken for real.")
    spoof_from: float = Field(description="From this P(spoof) on it is taken for synthetic; between, inconclusive.")

    @classmethod
    def of(cls, bands: Bands) -> "SpoofBands":
        """Return an engine's bands."""
        return cls(bona_fide_below=bands.bona_fide_below, spoof_from=bands.spoof_from)


class SpoofChunk(_Frozen):
    """A stretch of the recording; times are seconds from its start."""

    start: float
    end: float
    p_spoof: float | None = Field(description="P(spoof), 4 decimals; null where too little is spoken to tell.")
    speech_seconds: float


class SpeakerVerdict(_Frozen):
    """Verdict on one speaker's voice."""

    speaker: str
    p_spoof: float | None = Field(description="Mean P(spoof) by duration; null for who hardly ever speaks alone.")
    verdict: VoiceVerdict
    speech_seconds: float = Field(description="Seconds of this speaker alone that were scored.")


class SpeakerVerdicts(_Frozen):
    """Verdicts on the speakers of a recording, in order of their names."""

    speakers: tuple[SpeakerVerdict, ...]
    bands: SpoofBands | None = Field(description="null where nothing could be scored.")
    engine: str | None = Field(description="Name of the detector; null where nothing could be scored.")

    def renamed(self, labels: Mapping[str, str]) -> "SpeakerVerdicts":
        """Return the verdicts with speakers called by the names that the user gave them."""
        return self.model_copy(update={"speakers": renamed_speakers(self.speakers, labels)})


class SpoofReport(MadeByEngines):
    """A recording's scores and verdict."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 1,
                    "duration": 7.5,
                    "speech_seconds": 6.42,
                    "verdict": "spoof",
                    "p_spoof": 0.9513,
                    "bands": {"bona_fide_below": 0.3, "spoof_from": 0.7},
                    "engine": "compact",
                    "chunks": [
                        {"start": 0.0, "end": 4.0, "p_spoof": 0.9721, "speech_seconds": 3.52},
                        {"start": 4.0, "end": 7.5, "p_spoof": 0.926, "speech_seconds": 2.9},
                    ],
                    "speakers": [
                        {"speaker": "SPEAKER_00", "p_spoof": 0.9513, "verdict": "spoof", "speech_seconds": 6.1}
                    ],
                    "timings": {"decode": 0.02, "vad": 0.03, "diarization": 0.4, "spoof": 0.11},
                    "engines": {
                        "spoof": {"engine": "compact", "model": None},
                        "diarization": {"engine": "clustering", "model": "compact"},
                    },
                    "notices": [],
                }
            ]
        }
    )

    version: Literal[1] = 1
    duration: float = Field(description="Length of the recording in seconds.")
    speech_seconds: float
    verdict: Verdict
    p_spoof: float | None = Field(description="Mean P(spoof) of the scored chunks, weighted by their speech.")
    bands: SpoofBands | None = Field(description="null where nothing could be scored.")
    engine: str | None = Field(description="Name of the detector; null where nothing could be scored.")
    chunks: tuple[SpoofChunk, ...] = Field(
        description="Consecutive stretches of 4 s; the last one ends with the recording."
    )
    speakers: tuple[SpeakerVerdict, ...] | None = Field(description="null unless diarization was asked for.")
    timings: dict[str, float] = Field(description="Seconds each stage took.")

    def renamed(self, labels: Mapping[str, str]) -> "SpoofReport":
        """Return the report with speakers called by the names that the user gave them."""
        if not labels or self.speakers is None:
            return self
        return self.model_copy(update={"speakers": renamed_speakers(self.speakers, labels)})


def renamed_speakers(speakers: Iterable[SpeakerVerdict], labels: Mapping[str, str]) -> tuple[SpeakerVerdict, ...]:
    """Return the verdicts with speakers called by the names that the user gave them."""
    return tuple(s.model_copy(update={"speaker": labels.get(s.speaker, s.speaker)}) for s in speakers)


def rounded(p_spoof: float) -> float:
    """Return a score as it is told."""
    return round(p_spoof, _PLACES)


def weighted_mean(scores: Iterable[tuple[float, float]]) -> float | None:
    """Return the mean of (score, weight) pairs as it is told; None where nothing has weight."""
    pairs = list(scores)
    weight = sum(weight for _score, weight in pairs)
    return rounded(sum(score * weight for score, weight in pairs) / weight) if weight > 0 else None


def verdict(p_spoof: float, bands: SpoofBands) -> VoiceVerdict:
    """Judge a score by the bands, as it is told, so that a reader who compares them comes to the same verdict."""
    if p_spoof < bands.bona_fide_below:
        return "bona_fide"
    return "spoof" if p_spoof >= bands.spoof_from else "inconclusive"
