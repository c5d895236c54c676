"""Report of a speech translation, as it is stored and served."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from graphs.common.engines import MadeByEngines
from graphs.transcription.formats import Cue, timed_cues
from models.translation import Quality


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TranslationQuality(_Frozen):
    """Confidence of the model in a translation, over the probabilities of its tokens."""

    perplexity: float
    average_probability: float
    minimum_probability: float

    @classmethod
    def of(cls, quality: Quality) -> Self:
        """Return the engine's word on its hypothesis."""
        return cls(
            perplexity=quality.perplexity,
            average_probability=quality.average_probability,
            minimum_probability=quality.minimum_probability,
        )


class TranslatedUtterance(_Frozen):
    """Utterance and its translation; times are seconds from the start of the recording."""

    start: float
    end: float
    source_text: str
    target_text: str
    quality: TranslationQuality | None = Field(description="Null where the engine has no probabilities.")
    suspect: bool = Field(description="Whether the translation looks like none; look at it before it is used.")
    audio_start: float | None = Field(
        default=None, description="Where the translated audio speaks it; null where it does not."
    )
    audio_end: float | None = None
    speed: float | None = Field(default=None, description="1.0 is the voice's own; more where it had to hurry.")
    speech_error: str | None = Field(default=None, description="Why it is not spoken, where it should be.")


class TranslatedAudio(_Frozen):
    """The translated recording."""

    sample_rate: int = Field(description="Of the voice, in Hz; the file's may differ where its format asks for it.")
    duration: float = Field(description="Seconds; longer than the recording only where its last words end later.")
    spoken: int = Field(description="Utterances that are spoken.")
    hurried: int = Field(description="Utterances spoken faster than the voice's own speed, to fit.")
    failed: int = Field(description="Utterances that could not be spoken; their text stands.")
    max_drift: float = Field(description="Most seconds by which an utterance begins later than in the recording.")


class SpeechTranslation(MadeByEngines):
    """A recording's translation, utterance by utterance."""

    version: Literal[1] = 1
    duration: float = Field(description="Length of the recording in seconds.")
    source: str | None = Field(description="ISO 639-1 code, asked for or detected; null where nobody speaks.")
    target: str = Field(description="ISO 639-1 code of the translation.")
    voice: str | None = Field(description="Id of the voice that speaks it; null where nothing should be spoken.")
    utterances: tuple[TranslatedUtterance, ...]
    audio: TranslatedAudio | None = Field(description="Null where nothing should be spoken.")
    timings: dict[str, float] = Field(description="Seconds each stage was at work.")

    def lines(self, translated: bool) -> Iterator[Cue]:
        """Yield what was said, or its translation, one cue an utterance; without those that have no text."""
        for utterance in self.utterances:
            text = utterance.target_text if translated else utterance.source_text
            if text:
                yield Cue(utterance.start, utterance.end, "", text)

    def subtitles(self, translated: bool) -> Iterator[Cue]:
        """Yield what was said, or its translation, as subtitles for the recording, of readable length."""
        for line in self.lines(translated):
            yield from timed_cues(line.start, line.end, line.text)
