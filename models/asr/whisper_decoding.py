"""Decoding of Whisper's windows, again where the outcome looks wrong (Radford et al., 2022, 4.5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.asr.settings import FasterWhisperSettings
from models.asr.types import Segment
from models.asr.whisper_features import FRAMES_PER_SECOND, SAMPLE_RATE, WINDOW_S, features
from models.asr.whisper_judgement import Decoded, Judgement
from models.asr.whisper_language import PROBE_S, STRETCH_S
from models.asr.whisper_words import segment_of
from models.spans import Span

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

# Twice what fast speech takes. A window that needs more most likely repeats itself; at 30 s it may have all it wants.
_TOKENS_PER_SECOND = 12
_TOKENS_AT_LEAST = 24
_SAMPLES = 5
_NO_REPEATED_WORDS = 3
_PROBES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Hints:
    """Texts that the model is told to follow, None for none.

    Attributes:
        hotwords: Names and terms to expect.
        prompt: Text whose spelling, punctuation and style the transcript goes on with.
    """

    hotwords: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Windows after the encoder: its output, and the seconds that each input was filled up to."""

    output: Any
    seconds: float


class WindowDecoder:
    """Decodes windows of one recording.

    Args:
        model: The network.
        settings: How to decode.
        pcm: The recording, mono float32 at 16 kHz, shape [samples].
        hints: Names and style to expect.
        short: Decode windows at their own length, and at 30 s only where the outcome looks wrong.
    """

    def __init__(
        self,
        model: "WhisperModel",
        settings: FasterWhisperSettings,
        pcm: NDArray[np.float32],
        hints: Hints,
        *,
        short: bool,
    ) -> None:
        self._model = model
        self._settings = settings
        self._pcm = pcm
        self._duration = pcm.size / SAMPLE_RATE
        self._hints = hints
        self._short = short
        self._judgement = Judgement(settings)
        library = signature(type(model).transcribe).parameters
        self._punctuation = [library[f"{place}_punctuations"].default for place in ("prepend", "append")]
        self._encoded: tuple[Span, Encoded] | None = None

    def encode(self, windows: Sequence[Span], *, short: bool | None = None) -> Encoded:
        """Run the encoder over windows together; ``short`` is the decoder's own where it is None."""
        sound = [self._pcm[int(window.start * SAMPLE_RATE) : int(window.end * SAMPLE_RATE)] for window in windows]
        mel = features(self._model, sound, short=self._short if short is None else short)
        return Encoded(self._model.encode(mel), mel.shape[-1] / FRAMES_PER_SECOND)

    def languages(self, stretches: Sequence[Span]) -> list[Mapping[str, float]]:
        """Return the probabilities of the languages (ISO 639-1) for each stretch, by its first seconds."""
        if len(stretches) == 1 and stretches[0].duration <= STRETCH_S:
            # Most likely the only window of a short recording.
            self._encoded = (stretches[0], self.encode(stretches))
            return self._languages(self._encoded[1])
        beginnings = [Span(stretch.start, min(stretch.end, stretch.start + PROBE_S)) for stretch in stretches]
        heard: list[Mapping[str, float]] = []
        for first in range(0, len(beginnings), _PROBES_AT_ONCE):
            heard += self._languages(self.encode(beginnings[first : first + _PROBES_AT_ONCE]))
        return heard

    def _languages(self, encoded: Encoded) -> list[Mapping[str, float]]:
        heard = self._model.model.detect_language(encoded.output)
        return [{token.strip("<|>"): float(probability) for token, probability in window} for window in heard]

    def decode(self, windows: Sequence[Span], language: str) -> list[Segment]:
        """Decode windows together; return their segments in order of time.

        Args:
            windows: Up to 30 s each.
            language: ISO 639-1 code of all of them.
        """
        from faster_whisper.tokenizer import Tokenizer

        tokenizer = Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
        )
        return [
            segment_of(piece, language, self._duration)
            for decoded in self._repeated_until_right(windows, tokenizer, self._once_encoded(windows))
            if not self._judgement.is_unsaid(decoded)
            for piece in decoded.pieces
            if piece["text"].strip()
        ]

    def _once_encoded(self, windows: Sequence[Span]) -> Encoded:
        """Return the windows after the encoder, which has run over a short recording's only one already."""
        kept, self._encoded = self._encoded, None
        return kept[1] if kept and [kept[0]] == list(windows) else self.encode(windows)

    def _repeated_until_right(self, windows: Sequence[Span], tokenizer: "Tokenizer", encoded: Encoded) -> list[Decoded]:
        """Decode windows together, then those that came out wrong: at 30 s, then by other searches."""
        passes = self._pass(windows, tokenizer, encoded)
        if encoded.seconds < WINDOW_S:
            wrong = [index for index, decoded in enumerate(passes) if self._judgement.looks_wrong(decoded)]
            if wrong:
                again = [windows[index] for index in wrong]
                repeated = self._pass(again, tokenizer, self.encode(again, short=False))
                for index, decoded in zip(wrong, repeated, strict=True):
                    passes[index] = decoded
        return [
            self._searched_otherwise(window, tokenizer, decoded) if self._judgement.has_failed(decoded) else decoded
            for window, decoded in zip(windows, passes, strict=True)
        ]

    def _searched_otherwise(self, window: Span, tokenizer: "Tokenizer", failed: Decoded) -> Decoded:
        """Decode a failed window by sampling at higher and higher temperatures, as Whisper does.

        Without temperatures, one that repeats itself is decoded so that no three words come twice.
        """
        temperatures = self._settings.fallback_temperatures
        if not temperatures and not self._judgement.repeats_itself(failed):
            return failed
        encoded = self.encode([window], short=False)
        if not temperatures:
            return self._pass([window], tokenizer, encoded, no_repeat_ngram_size=_NO_REPEATED_WORDS)[0]
        tried = [failed]
        for temperature in temperatures:
            options = {
                "beam_size": 1,
                "num_hypotheses": _SAMPLES,
                "sampling_topk": 0,
                "sampling_temperature": temperature,
            }
            tried.append(self._pass([window], tokenizer, encoded, **options)[0])
            if not self._judgement.has_failed(tried[-1]):
                return tried[-1]
        return max([decoded for decoded in tried if not self._judgement.repeats_itself(decoded)] or tried, key=_likely)

    def _pass(self, windows: Sequence[Span], tokenizer: "Tokenizer", encoded: Encoded, **options: Any) -> list[Decoded]:
        """Decode windows once, together."""
        from faster_whisper.transcribe import get_suppressed_tokens

        hints, timed = self._hints, self._settings.word_timestamps
        prompt = self._model.get_prompt(
            tokenizer,
            tokenizer.encode(f" {hints.prompt.strip()}") if hints.prompt else [],
            without_timestamps=timed,
            hotwords=hints.hotwords,
        )
        most = self._model.max_length
        if encoded.seconds < WINDOW_S:
            longest = max(window.duration for window in windows)
            most = min(most, len(prompt) + _TOKENS_AT_LEAST + round(_TOKENS_PER_SECOND * longest))
        results = self._model.model.generate(
            encoded.output,
            [prompt] * len(windows),
            **{
                "beam_size": self._settings.beam_size,
                "sampling_temperature": 0.0,
                "max_length": most,
                "return_scores": True,
                "return_no_speech_prob": True,
                "suppress_blank": True,
                "suppress_tokens": get_suppressed_tokens(tokenizer, [-1]),
                **options,
            },
        )
        pieces = [
            self._pieces(window, tokenizer, result.sequences_ids[0])
            for window, result in zip(windows, results, strict=True)
        ]
        if timed:
            # Words end with their window, however much silence was added to it.
            frames = [min(round(encoded.seconds * 100), int(np.ceil(window.duration * 100))) for window in windows]
            self._model.add_word_timestamps(pieces, tokenizer, encoded.output, frames, *self._punctuation, 0.0)
        return [
            Decoded(
                pieces=found,
                text=tokenizer.decode(tokens := result.sequences_ids[0]),
                log_prob=result.scores[0] * len(tokens) / (len(tokens) + 1),
                no_speech_prob=result.no_speech_prob,
                is_cut=len(prompt) + len(tokens) >= most,
                seconds=window.duration,
            )
            for window, found, result in zip(windows, pieces, results, strict=True)
        ]

    def _pieces(self, window: Span, tokenizer: "Tokenizer", tokens: list[int]) -> list[dict[str, Any]]:
        """Cut a window's tokens at Whisper's marks of time, where it was asked for them."""
        start = int(window.start * SAMPLE_RATE) / SAMPLE_RATE
        found, *_ = self._model._split_segments_by_timestamps(
            tokenizer=tokenizer,
            tokens=tokens,
            time_offset=start,
            segment_size=int(np.ceil(window.duration) * FRAMES_PER_SECOND),
            segment_duration=window.duration,
            seek=0,
        )
        frame = int(start * FRAMES_PER_SECOND)
        return [{**piece, "seek": frame, "text": tokenizer.decode(piece["tokens"])} for piece in found]


def _likely(decoded: Decoded) -> float:
    return decoded.log_prob
