"""Rules by which a decoded window counts as wrong, or as text that nobody said."""

from dataclasses import dataclass
from typing import Any

from models.asr.non_speech import is_learnt_phrase
from models.asr.repetition import repeats
from models.asr.settings import FasterWhisperSettings

# Below this, a window at its own length is less certain than nearly all that are right.
_SHORT_LOG_PROB = -0.8
_SHORT_COMPRESSION = 2.4
# Speech, under noise as loud as itself too, has less of the one and more of the other; measured on Whisper base.
_SURE_NO_SPEECH = 0.8
_SURE_LOG_PROB = -0.5
# Phrases of subtitles, where a person does say them, are more likely than this, and silence less.
_PHRASE_LOG_PROB = -0.4
_PHRASE_NO_SPEECH = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A window as it was decoded once.

    Attributes:
        pieces: Its segments, as faster-whisper makes them: with ``text``, ``start``, ``end`` and perhaps ``words``.
        text: Its whole text.
        log_prob: Mean log probability of its tokens.
        no_speech_prob: Probability that it holds no speech, by the first token.
        is_cut: The text was still going on where it had to end.
        seconds: Length of the window.
    """

    pieces: list[dict[str, Any]]
    text: str
    log_prob: float
    no_speech_prob: float
    is_cut: bool
    seconds: float


class Judgement:
    """Judges decoded windows by the thresholds of the settings."""

    def __init__(self, settings: FasterWhisperSettings) -> None:
        self._settings = settings

    def looks_wrong(self, decoded: Decoded) -> bool:
        """Tell whether a window that was decoded at its own length is to be decoded at 30 s.

        Without the silence that Whisper was trained with, it now and then loses the end of the speech.
        """
        return (
            not decoded.text.strip()
            or decoded.is_cut
            or decoded.log_prob < _SHORT_LOG_PROB
            or compression_ratio(decoded.text) > _SHORT_COMPRESSION
            or repeats(decoded.text)
        )

    def has_failed(self, decoded: Decoded) -> bool:
        """Tell whether a window is to be decoded by another search."""
        return not self._is_silence(decoded) and (self._is_unlikely(decoded) or self.repeats_itself(decoded))

    def repeats_itself(self, decoded: Decoded) -> bool:
        """Tell whether the text of a window shrinks by more than the settings' threshold."""
        most = self._settings.compression_ratio_threshold
        return most is not None and compression_ratio(decoded.text) > most

    def is_unsaid(self, decoded: Decoded) -> bool:
        """Tell whether nobody said the text of a window.

        That is so where silence is more likely than the settings' threshold and the text less, or repeats itself;
        where silence is all but certain; and where the whole text is a phrase that Whisper learnt from subtitles, and
        there is any doubt.
        """
        most = self._settings.no_speech_threshold
        if most is None:
            return False
        silence, log_prob = decoded.no_speech_prob, decoded.log_prob
        return (
            self._is_silence(decoded)
            or (silence > most and repeats(decoded.text))
            or (silence > max(most, _SURE_NO_SPEECH) and log_prob < _SURE_LOG_PROB)
            or ((silence > _PHRASE_NO_SPEECH or log_prob < _PHRASE_LOG_PROB) and is_learnt_phrase(decoded.text))
        )

    def _is_unlikely(self, decoded: Decoded) -> bool:
        least = self._settings.log_prob_threshold
        return least is not None and decoded.log_prob < least

    def _is_silence(self, decoded: Decoded) -> bool:
        most = self._settings.no_speech_threshold
        return most is not None and decoded.no_speech_prob > most and self._is_unlikely(decoded)


def compression_ratio(text: str) -> float:
    """Return how much a text shrinks in zlib; see ``FasterWhisperSettings.compression_ratio_threshold``."""
    from faster_whisper.transcribe import get_compression_ratio

    ratio: float = get_compression_ratio(text)
    return ratio
