"""Streaming encoding of samples to common file formats."""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, cast, get_args

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from models.audio.frames import audio_frame, clean
from models.errors import InputError

AudioFormat = Literal["wav", "pcm", "mp3", "opus", "flac", "aac"]
AUDIO_FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)
MIN_SAMPLE_RATE = 8_000
MAX_SAMPLE_RATE = 48_000
TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""The IPTC's word for media that a model has made (https://cv.iptc.org/newscodes/digitalsourcetype/)."""

_SOFTWARE = "VoiceGraph"
_UNKNOWN_SIZE = 0xFFFFFFFF
_MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

Floats = NDArray[np.float32]


def synthetic_tags(sentence: str) -> dict[str, str]:
    """Return the tags of a file that a machine has made, by FFmpeg's names for them.

    Args:
        sentence: What was made, and by what.
    """
    return {
        "comment": f"{sentence} Digital source type: {TRAINED_ALGORITHMIC_MEDIA}",
        "digital_source_type": TRAINED_ALGORITHMIC_MEDIA,
        "encoded_by": _SOFTWARE,
        "software": _SOFTWARE,
    }


@dataclass(frozen=True, slots=True)
class SyntheticMark:
    """Metadata that mark a file as synthetic speech.

    Attributes:
        engine: The engine that spoke.
        voice: The voice that it spoke with.
    """

    engine: str
    voice: str

    def tags(self) -> dict[str, str]:
        """Return the tags by FFmpeg's names for them."""
        return synthetic_tags(f"Synthetic speech, made by a machine ({self.engine}, voice {self.voice}).")


@dataclass(frozen=True, slots=True)
class _Format:
    """A format: its media type, the file name's ending, and its rates; empty for any within the limits."""

    media_type: str
    extension: str
    rates: tuple[int, ...] = ()


_FORMATS: dict[AudioFormat, _Format] = {
    "wav": _Format("audio/wav", "wav"),
    "pcm": _Format("audio/pcm", "pcm"),
    "mp3": _Format("audio/mpeg", "mp3", _MPEG_RATES),
    "opus": _Format("audio/ogg", "opus", (8_000, 12_000, 16_000, 24_000, 48_000)),
    "flac": _Format("audio/flac", "flac"),
    "aac": _Format("audio/aac", "aac", _MPEG_RATES),
}


def sample_rate_of(format: AudioFormat, input_rate: int, output_rate: int | None = None) -> int:
    """Return the rate that a file will have, in Hz.

    Args:
        format: Of the file.
        input_rate: Of the samples.
        output_rate: What was asked for; None for the least rate of the format that loses nothing.

    Raises:
        InputError: The format has no such rate (field ``sample_rate``).
    """
    rates = _FORMATS[format].rates
    if output_rate is None:
        wanted = min(max(input_rate, MIN_SAMPLE_RATE), MAX_SAMPLE_RATE)
        return min((rate for rate in rates if rate >= wanted), default=wanted)
    if rates and output_rate not in rates:
        raise InputError(
            "unsupported_sample_rate",
            f"A file of the format {format} can have {', '.join(map(str, rates))} Hz, not {output_rate}.",
            field="sample_rate",
        )
    if not MIN_SAMPLE_RATE <= output_rate <= MAX_SAMPLE_RATE:
        raise InputError(
            "unsupported_sample_rate",
            f"The sample rate must be {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz, not {output_rate}.",
            field="sample_rate",
        )
    return output_rate


def media_type_of(format: AudioFormat, sample_rate: int) -> str:
    """Return the media type of a file; that of bare samples says what they are."""
    media_type = _FORMATS[format].media_type
    return f"{media_type};rate={sample_rate};channels=1;bits=16" if format == "pcm" else media_type


def extension_of(format: AudioFormat) -> str:
    """Return the ending of a file's name, without the dot."""
    return _FORMATS[format].extension


class AudioEncoder:
    """Writes mono audio to a file of a common format, incrementally.

    At most a few hundred milliseconds of sound are held back. A WAV says of its length that it is unknown; a file whose
    length is known in time comes from ``encode``. Samples outside of [-1, 1] are clipped; what is not a number is
    silence. Tags go into every format but ``pcm``, which has no place for them.

    Args:
        format: ``wav`` and ``pcm`` hold signed 16-bit samples, ``opus`` is in Ogg, ``aac`` in ADTS.
        input_rate: Of the samples that are written, in Hz.
        output_rate: Of the file; None for the least rate of the format that loses nothing.
        tags: Says that the audio is synthetic; None for audio that isn't.

    Raises:
        InputError: The format has no such rate (field ``sample_rate``).
    """

    def __init__(
        self,
        format: AudioFormat,
        input_rate: int,
        output_rate: int | None = None,
        tags: SyntheticMark | None = None,
    ) -> None:
        self.sample_rate = sample_rate_of(format, input_rate, output_rate)
        self.media_type = media_type_of(format, self.sample_rate)
        self._sink = _Pipe()
        self._writer = _writer(format, input_rate, self.sample_rate, tags, self._sink)

    def write(self, samples: Floats) -> bytes:
        """Add samples, float32[n]; return the bytes that are ready, which may be none."""
        self._writer.write(_clean(samples))
        return self._sink.take()

    def finish(self) -> bytes:
        """End the file; return the rest of it."""
        self._writer.finish()
        return self._sink.take()


def encode(
    blocks: Iterable[Floats],
    format: AudioFormat,
    input_rate: int,
    output_rate: int | None = None,
    tags: SyntheticMark | None = None,
) -> bytes:
    """Return a whole file, whose header tells its length; arguments and errors are those of ``AudioEncoder``."""
    file = io.BytesIO()
    writer = _writer(format, input_rate, sample_rate_of(format, input_rate, output_rate), tags, file)
    for block in blocks:
        writer.write(_clean(block))
    writer.finish()
    return file.getvalue()


def _clean(samples: Floats) -> Floats:
    if samples.ndim != 1:
        raise ValueError(f"samples must be float32[n], not {samples.dtype}{list(samples.shape)}")
    return clean(samples)


class _Sink(Protocol):
    """Binary file that an encoder writes to; a seekable one gets the lengths into its headers."""

    def write(self, data: bytes, /) -> int: ...


class _Pipe:
    """A write-only buffer that is drained while the file grows, for streaming."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes, /) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


class _Writer(Protocol):
    """Writes clean samples into its sink."""

    def write(self, samples: Floats) -> None: ...

    def finish(self) -> None: ...


def _writer(
    format: AudioFormat, input_rate: int, sample_rate: int, tags: SyntheticMark | None, sink: "_Sink | io.BytesIO"
) -> _Writer:
    named = tags.tags() if tags else {}
    match format:
        case "wav":
            return _SampleWriter(input_rate, sample_rate, sink, _wav_header(sample_rate, named))
        case "pcm":
            return _SampleWriter(input_rate, sample_rate, sink, b"")
        case _:
            return _CodecWriter(format, input_rate, sample_rate, named, sink)


class _SampleWriter:
    """Signed 16-bit samples, little-endian, after a header."""

    def __init__(self, input_rate: int, sample_rate: int, sink: "_Sink | io.BytesIO", header: bytes) -> None:
        self._input_rate = input_rate
        self._resampler = (
            av.AudioResampler(format="fltp", layout="mono", rate=sample_rate) if input_rate != sample_rate else None
        )
        self._sink = sink
        self._header = header
        self._written = 0
        self._sink.write(header)

    def write(self, samples: Floats) -> None:
        if self._resampler is None:
            self._put(samples)
        elif len(samples):
            self._put_frames(self._resampler.resample(audio_frame(samples, self._input_rate)))

    def finish(self) -> None:
        if self._resampler is not None:
            self._put_frames(self._resampler.resample(None))
        if self._header and isinstance(self._sink, io.BytesIO):
            self._sink.getbuffer()[4:8] = struct.pack("<I", len(self._header) - 8 + self._written)
            self._sink.getbuffer()[len(self._header) - 4 : len(self._header)] = struct.pack("<I", self._written)

    def _put_frames(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self._put(frame.to_ndarray()[0])

    def _put(self, samples: Floats) -> None:
        data = np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        self._written += len(data)
        self._sink.write(data)


class _CodecWriter:
    """A compressed format, by FFmpeg."""

    def __init__(
        self,
        format: AudioFormat,
        input_rate: int,
        sample_rate: int,
        tags: dict[str, str],
        sink: "_Sink | io.BytesIO",
    ) -> None:
        codec, muxer, bit_rate, codec_options, muxer_options = _codec(format, sample_rate)
        self._input_rate = input_rate
        self._position = 0
        self._container = av.open(sink, "w", format=muxer, options={"flush_packets": "1", **muxer_options})
        self._container.metadata.update(tags)
        stream = self._container.add_stream(codec, rate=sample_rate, options=codec_options, layout="mono")
        self._stream = cast(AudioStream, stream)
        if bit_rate:
            self._stream.bit_rate = bit_rate

    def write(self, samples: Floats) -> None:
        if not len(samples):
            return
        frame = audio_frame(samples, self._input_rate)
        frame.pts = self._position
        self._position += len(samples)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        if not self._position:
            # Without a sample some formats have no header either.
            self.write(np.zeros(self._input_rate // 100, np.float32))
        self._container.mux(self._stream.encode(None))
        self._container.close()


def _codec(format: AudioFormat, sample_rate: int) -> tuple[str, str, int, dict[str, str], dict[str, str]]:
    """Return the codec, the container, bits a second (0: the codec's own), and the options of both."""
    match format:
        case "mp3":
            return "libmp3lame", "mp3", 64_000, {}, {}
        case "opus":
            # A page every 100 ms: a listener needn't wait for FFmpeg's full second.
            return "libopus", "ogg", 32_000, {"application": "voip"}, {"page_duration": "100000"}
        case "flac":
            return "flac", "flac", 0, {}, {}
        case "aac":
            # AAC holds at most 6 bits a sample; ADTS has no tags of its own but may follow those of ID3.
            return "aac", "adts", min(64_000, 6 * sample_rate), {}, {"write_id3v2": "1"}
        case _:
            raise ValueError(f"{format} has no codec")


def _wav_header(sample_rate: int, tags: dict[str, str]) -> bytes:
    """Return the header of a WAV of unknown length: RIFF, the format, the tags, and the beginning of the samples."""
    body = b"WAVE" + _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, sample_rate, 2 * sample_rate, 2, 16))
    if tags:
        body += _chunk(b"LIST", b"INFO" + b"".join(_wav_tags(tags)))
    return b"RIFF" + struct.pack("<I", _UNKNOWN_SIZE) + body + b"data" + struct.pack("<I", _UNKNOWN_SIZE)


def _wav_tags(tags: dict[str, str]) -> Iterator[bytes]:
    for identifier, name in ((b"ICMT", "comment"), (b"ISFT", "software"), (b"ITCH", "encoded_by")):
        if name in tags:
            yield _chunk(identifier, tags[name].encode() + b"\0")


def _chunk(identifier: bytes, data: bytes) -> bytes:
    return identifier + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
