"""Silero VAD v6 (https://github.com/snakers4/silero-vad) from the ONNX file in the faster-whisper wheel."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingWeights
from models.onnx_session import open_session
from models.spans import Span
from models.vad.settings import Hysteresis, VadSettings

SAMPLE_RATE = 16_000
FRAME = 512
"""Samples that one probability stands for (32 ms)."""

CONTEXT = 64
"""Samples of the frame before that the network sees in front of each frame."""

STATE = (1, 1, 128)
LEAST_DOUBT, MOST_DOUBT = 0.05, 0.5
"""Probabilities between which the network is not sure."""

NEAR_DOUBT, FAR_DOUBT = 0.25, 0.5
"""Share of doubtful frames among all that may be speech: up to the first a recording is near, from the second far.

Measured: 0.10 to 0.25 in studio and telephone recordings, 0.21 to 0.63 in simulated meetings across a room.
"""

BLOCK = 2048
"""Frames per run of the network (65 s): bounds the memory of its activations."""


class SileroVad:
    """Finds speech at 16 kHz. Safe to call from several threads at once.

    Args:
        settings: Thresholds and durations.

    Raises:
        MissingWeights: The installed faster-whisper ships no Silero v6 file.
    """

    def __init__(self, settings: VadSettings | None = None) -> None:
        self.settings = settings if settings is not None else VadSettings()
        # Frame after frame, a network this small gains nothing on a GPU. Recordings differ in length: the arena would
        # keep the largest block for ever.
        self._session = open_session(_weights(), device="cpu", threads=self.settings.threads, cpu_arena=False)

    def probabilities(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of speech in each 32 ms frame.

        Args:
            pcm: Mono float32 at 16 kHz, shape [samples]; never written to. The last frame is
                filled up with zeros.

        Returns:
            Shape [ceil(samples / 512)].
        """
        frames = -(-len(pcm) // FRAME)
        probabilities = np.empty(frames, dtype=np.float32)
        h = c = np.zeros(STATE, dtype=np.float32)
        for first in range(0, frames, BLOCK):
            last = min(first + BLOCK, frames)
            inputs = {"input": _windows(pcm, first, last), "h": h, "c": c}
            output, h, c = self._session.run(None, inputs)
            probabilities[first:last] = output.reshape(-1)
        return probabilities

    def speech(self, pcm: NDArray[np.float32]) -> list[Span]:
        """Find speech.

        Args:
            pcm: Mono float32 at 16 kHz, shape [samples]; never written to; may be empty.

        Returns:
            Spans in order of time that don't overlap and lie within the recording. They meet only where
            longer speech was cut at ``max_speech``.
        """
        return speech_spans(self.probabilities(pcm), len(pcm) / SAMPLE_RATE, self.settings)


def speech_spans(probabilities: NDArray[np.float32], duration: float, settings: VadSettings) -> list[Span]:
    """Turn frame probabilities into spans of speech.

    Args:
        probabilities: Probability of speech per 32 ms frame, shape [frames].
        duration: Length of the recording in seconds; no span ends later.
        settings: Thresholds and durations.
    """
    seconds = FRAME / SAMPLE_RATE
    spans = [
        Span(first * seconds, min(last * seconds, duration))
        for first, last in _runs(_with_hysteresis(probabilities, thresholds(probabilities, settings)))
    ]
    spans = _close_gaps(spans, settings.min_silence)
    spans = [span for span in spans if span.duration >= settings.min_speech]
    spans = _pad(spans, settings.speech_pad, duration)
    return [piece for span in spans for piece in _cut(span, probabilities, settings.max_speech)]


def _weights() -> Path:
    # find_spec does not import the package: faster_whisper would load CTranslate2 and more.
    spec = find_spec("faster_whisper")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / "assets" / "silero_vad_v6.onnx"
        if file.is_file():
            return file
    raise MissingWeights("silero_vad_v6.onnx was not found: install faster-whisper>=1.2.1, which ships it")


def _windows(pcm: NDArray[np.float32], first: int, last: int) -> NDArray[np.float32]:
    """Return frames ``first`` to ``last``, each after the last samples of the frame before it."""
    windows = np.zeros((last - first, CONTEXT + FRAME), dtype=np.float32)
    chunk = pcm[first * FRAME : last * FRAME]
    whole, rest = divmod(len(chunk), FRAME)
    windows[:whole, CONTEXT:] = chunk[: whole * FRAME].reshape(whole, FRAME)
    if rest:
        windows[whole, CONTEXT : CONTEXT + rest] = chunk[whole * FRAME :]
    windows[1:, :CONTEXT] = windows[:-1, -CONTEXT:]
    if first:
        windows[0, :CONTEXT] = pcm[first * FRAME - CONTEXT : first * FRAME]
    return windows


def thresholds(probabilities: NDArray[np.float32], settings: VadSettings) -> Hysteresis:
    """Return the thresholds for a recording, between those of near and of far ones."""
    share = farness(probabilities)
    return Hysteresis(*(a + share * (b - a) for a, b in zip(settings.near, settings.far, strict=True)))


def farness(probabilities: NDArray[np.float32]) -> float:
    """Tell by how much of a recording is in doubt how far away its speakers are.

    Speech near the microphone has probabilities next to 1, and few frames lie between. Across a room the network hears
    the same speech at any probability, and at 0.5 it would miss half of it.

    Args:
        probabilities: Of speech, shape [frames].

    Returns:
        0.0 for near speakers, 1.0 for those across a room.
    """
    heard = probabilities >= LEAST_DOUBT
    if not heard.any():
        return 0.0
    doubt = float((probabilities[heard] < MOST_DOUBT).mean())
    return min(max((doubt - NEAR_DOUBT) / (FAR_DOUBT - NEAR_DOUBT), 0.0), 1.0)


def _with_hysteresis(probabilities: NDArray[np.float32], limits: Hysteresis) -> NDArray[np.bool_]:
    """Return which frames are speech; between the two thresholds, a frame is what the frame before it was."""
    onset, offset = limits
    decided = (probabilities >= onset) | (probabilities < offset)
    latest = np.maximum.accumulate(np.where(decided, np.arange(len(probabilities)), -1))
    return (latest >= 0) & (probabilities[np.maximum(latest, 0)] >= onset)


def _runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], active, [False])).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _close_gaps(spans: list[Span], min_silence: float) -> list[Span]:
    closed: list[Span] = []
    for span in spans:
        if closed and span.start - closed[-1].end < min_silence:
            closed[-1] = Span(closed[-1].start, span.end)
        else:
            closed.append(span)
    return closed


def _pad(spans: list[Span], pad: float, duration: float) -> list[Span]:
    """Lengthen spans at both ends; neighbours too close for that share the pause between them."""
    padded = []
    for i, span in enumerate(spans):
        before = spans[i - 1].end if i else -span.start
        after = spans[i + 1].start if i + 1 < len(spans) else 2 * duration - span.end
        start = span.start - min(pad, (span.start - before) / 2)
        end = span.end + min(pad, (after - span.end) / 2)
        padded.append(Span(start, end))
    return padded


def _cut(span: Span, probabilities: NDArray[np.float32], max_speech: float) -> list[Span]:
    """Cut a span into pieces of at most ``max_speech`` where speech is least probable."""
    seconds = FRAME / SAMPLE_RATE
    pieces = []
    while span.duration > max_speech:
        # The second half of the window, so that pieces don't become needlessly short.
        first = int((span.start + max_speech / 2) / seconds) + 1
        last = int((span.start + max_speech) / seconds)
        at = (first + int(np.argmin(probabilities[first:last]))) * seconds
        pieces.append(Span(span.start, at))
        span = Span(at, span.end)
    return [*pieces, span]
