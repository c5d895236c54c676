"""Conversion of decoded frames to mono at one sample rate, on the recording's own time axis."""

from collections.abc import Iterator

import av
import av.error
import av.filter
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

GAP_SECONDS = 0.1
"""Smaller holes between timestamps are rounding, not silence."""

MAX_GAP_SECONDS = 600.0
"""Larger jumps of the timestamps mean another clock, not silence."""

MAX_OVERLAP_SECONDS = 1.0
"""Timestamps that step back further than this belong to another clock too."""

_SILENCE_SAMPLES = 65_536


class MonoTrack:
    """Resamples frames to mono and fills the holes between their timestamps with silence.

    Without the silence every time after a hole would be early: a browser pauses the packets of a muted
    microphone, a camera starts its sound track late.

    Args:
        sample_rate: Samples a second to produce.
        pad_start: Count time from timestamp 0, so that a late first frame is preceded by silence.
    """

    def __init__(self, sample_rate: int, *, pad_start: bool) -> None:
        self._sample_rate = sample_rate
        self._pad_start = pad_start
        self._origin: float | None = None
        self._position = 0.0
        self._produced = 0
        self._mixer: _Mixer | None = None

    def push(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        """Yield the samples that this frame completes."""
        gap = self._gap_before(frame.time)
        if gap or (self._mixer is not None and not self._mixer.accepts(frame)):
            yield from self.flush()
        self._position += gap
        yield from self._silence_until_position(gap)
        if self._mixer is None:
            self._mixer = _Mixer(frame, self._sample_rate)
        self._position += frame.samples / frame.sample_rate
        for samples in self._mixer.push(frame):
            self._produced += len(samples)
            yield samples

    def flush(self) -> Iterator[NDArray[np.float32]]:
        """Yield what the resampler still holds."""
        if self._mixer is not None:
            for samples in self._mixer.push(None):
                self._produced += len(samples)
                yield samples
            self._mixer = None

    def _gap_before(self, time: float | None) -> float:
        if time is None:
            return 0.0
        if self._origin is None:
            self._origin = 0.0 if self._pad_start and 0 <= time <= MAX_GAP_SECONDS else time
        offset = time - self._origin - self._position
        if offset > MAX_GAP_SECONDS or offset < -MAX_OVERLAP_SECONDS:
            self._origin += offset
            return 0.0
        return offset if offset > GAP_SECONDS else 0.0

    def _silence_until_position(self, gap: float) -> Iterator[NDArray[np.float32]]:
        missing = round(self._position * self._sample_rate) - self._produced if gap else 0
        while missing > 0:
            silence = np.zeros(min(missing, _SILENCE_SAMPLES), dtype=np.float32)
            missing -= len(silence)
            self._produced += len(silence)
            yield silence


class _Mixer:
    """One FFmpeg filter graph, for frames of one format: mix to mono, resample, make float32.

    The weights of the channels add up to 1, so that equal channels come out as loud as they went in: named
    layouts are mixed as ITU-R BS.775 says, channels without a name count equally. PyAV's ``AudioResampler``
    would make stereo 3 dB louder and can't mix unnamed layouts above 24 channels.
    """

    def __init__(self, frame: AudioFrame, sample_rate: int) -> None:
        self._format = self._describe(frame)
        self._graph = graph = av.filter.Graph()
        graph.threads = 1
        layout = frame.layout
        nodes = [
            graph.add(
                "abuffer",
                sample_rate=str(frame.sample_rate),
                sample_fmt=frame.format.name,
                channel_layout=layout.name,
                time_base=f"1/{frame.sample_rate}",
            )
        ]
        if is_nameless(layout.name):
            weights = "+".join(f"{1 / layout.nb_channels}*c{i}" for i in range(layout.nb_channels))
            nodes.append(graph.add("pan", f"mono|c0={weights}"))
        nodes.append(graph.add("aresample", rematrix_maxval="1.0"))
        nodes.append(graph.add("aformat", sample_rates=str(sample_rate), sample_fmts="flt", channel_layouts="mono"))
        nodes.append(graph.add("abuffersink"))
        graph.link_nodes(*nodes).configure()

    def accepts(self, frame: AudioFrame) -> bool:
        return self._describe(frame) == self._format

    def push(self, frame: AudioFrame | None) -> Iterator[NDArray[np.float32]]:
        self._graph.push(frame)
        while True:
            try:
                mixed = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if isinstance(mixed, AudioFrame):
                yield mixed.to_ndarray()[0]

    @staticmethod
    def _describe(frame: AudioFrame) -> tuple[str, str, int]:
        return frame.format.name, frame.layout.name, frame.sample_rate


def is_nameless(layout: str) -> bool:
    """Tell FFmpeg's names of layouts such as ``5.1`` from descriptions such as ``3 channels (FL+LFE+TC)``."""
    return "channels" in layout or layout.startswith(("ambisonic", "binaural", "downmix"))
