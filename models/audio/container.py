"""Opening of recordings: detection of the format, checks against limits, and the declared length."""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import av
import av.error
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from models.audio.headers import Extent, is_xhe_aac, mp3_length, wav_extent
from models.audio.limits import AudioLimits
from models.audio.mono import is_nameless
from models.audio.source import BLOCK_BYTES, ByteSource
from models.errors import InputError

MAX_STREAMS = 64
MAX_CHANNELS = 64
SAMPLE_RATES = range(1_000, 768_001)

# FFmpeg's demuxer to the name we give. None of these opens another file or address; playlists, concat
# scripts, session descriptions and the like do, and are refused because they are not here.
_CONTAINERS = {
    "wav": "wav",
    "mp3": "mp3",
    "flac": "flac",
    "ogg": "ogg",
    "aac": "aac",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "matroska,webm": "matroska",
}
_CODECS = frozenset(
    "aac ac3 adpcm_ima_qt adpcm_ima_wav adpcm_ms alac amr_nb amr_wb eac3 flac gsm gsm_ms mp1 mp2 mp3 opus"
    " speex vorbis pcm_alaw pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_mulaw pcm_s16be pcm_s16le"
    " pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_s8 pcm_u8".split()
)
# Decoders that FFmpeg may try while it opens a file: sound only, so that no picture is ever decoded.
_PROBE_DECODERS = _CODECS | {"amrnb", "amrwb", "mp1float", "mp2float", "mp3float"}
_OPTIONS = {
    "format_whitelist": ",".join(_CONTAINERS),
    "codec_whitelist": ",".join(sorted(_PROBE_DECODERS)),
    "protocol_whitelist": "none",
    "analyzeduration": "1000000",  # microseconds; only the sound matters and its first frames describe it
}
_SIGNATURES = (
    ("WAV", 8, b"WAVE"),
    ("FLAC", 0, b"fLaC"),
    ("Ogg", 0, b"OggS"),
    ("WebM or Matroska", 0, b"\x1a\x45\xdf\xa3"),
    ("MP3", 0, b"ID3"),
    ("MP4", 4, b"ftyp"),
    ("QuickTime", 4, b"moov"),
    ("QuickTime", 4, b"mdat"),
    ("QuickTime", 4, b"wide"),
)


@dataclass(frozen=True)
class DeclaredLength:
    """Length of a recording according to its header.

    Attributes:
        seconds: The length it declares; None if it doesn't.
        exact: Decoding an intact file yields just that; otherwise it is a hint.
        present: Seconds that are in the file, where less than declared is known without decoding.
    """

    seconds: float | None = None
    exact: bool = False
    present: float | None = None


@dataclass(frozen=True)
class Recording:
    """An open recording whose header passed every check.

    Attributes:
        format: The container, by the names of ``AudioInfo``.
        codec: FFmpeg's name of the codec.
        container: PyAV's container; closed by ``open_recording``.
        stream: The sound track to decode.
        source: Where the bytes come from.
        length: What the header says about length.
        limits: What the caller accepts.
    """

    format: str
    codec: str
    container: InputContainer
    stream: AudioStream
    source: ByteSource
    length: DeclaredLength
    limits: AudioLimits


@contextmanager
def open_recording(file: BinaryIO, limits: AudioLimits, size: int | None = None) -> Iterator[Recording]:
    """Open a recording by its content and check all that its header tells.

    Raises:
        InputError: The file can't be used; ``code`` says why.
    """
    source = ByteSource(file, size)
    if source.size == 0:
        raise InputError("empty_file", "The file is empty: it has 0 bytes.")
    with _open_container(source, limits) as container:
        kind = _CONTAINERS[container.format.name]
        stream, codec = _choose_stream(container)
        length = _declared_length(kind, container, stream, source)
        recording = Recording(kind, codec, container, stream, source, length, limits)
        _check_length(length, limits)
        yield recording


def check_shape(sample_rate: int, channels: int) -> None:
    """Refuse sample rates and channel counts that no recorder makes."""
    if sample_rate not in SAMPLE_RATES:
        raise InputError(
            "unsupported_media",
            f"The sound has {sample_rate} samples a second; {SAMPLE_RATES[0]} to {SAMPLE_RATES[-1]} are supported.",
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError("unsupported_media", f"The sound has {channels} channels; 1 to {MAX_CHANNELS} are supported.")


def check_codec_config(codec: str, config: bytes | None) -> None:
    """Refuse xHE-AAC: it can list its channels one by one in every frame, which PyAV frees twice."""
    if codec == "aac" and config and is_xhe_aac(config):
        raise InputError("unsupported_media", "The sound is in the codec xHE-AAC, which is not supported.")


def check_complete(present: float, length: DeclaredLength, limits: AudioLimits) -> None:
    """Refuse a recording that ends well before its header says, unless the caller allows it."""
    if length.seconds is None or limits.allow_truncated:
        return
    if length.seconds - present > max(1.0, 0.02 * length.seconds):
        raise InputError(
            "damaged",
            f"The recording is cut off: its header declares {in_seconds(length.seconds)} but only "
            f"{in_seconds(present)} are there. With allow_truncated=true what is there is used.",
        )


def too_short(seconds: float, limits: AudioLimits) -> InputError:
    """Say that a recording is below the limit."""
    return InputError(
        "too_short",
        f"The recording lasts {in_seconds(seconds)}; at least {in_seconds(limits.min_seconds)} are needed.",
    )


def unreadable(head: bytes) -> InputError:
    """Say what is wrong with a file that can't be read at all."""
    for name, offset, signature in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return InputError(
                "damaged",
                f"The file begins as {name} does, but it is incomplete or damaged: nothing can be decoded.",
            )
    return InputError(
        "unsupported_media",
        "The file is not a recording in a supported format: WAV, MP3, FLAC, Ogg, AAC, M4A, WebM, MP4 or MOV.",
    )


def encrypted() -> InputError:
    """Say that a recording is encrypted."""
    return InputError("encrypted", "The sound is encrypted (protected content) and can't be decoded.")


def in_seconds(seconds: float) -> str:
    """Format seconds for a person: two decimals at most."""
    return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"


def _open_container(source: ByteSource, limits: AudioLimits) -> InputContainer:
    try:
        return av.open(source, mode="r", options=_OPTIONS, metadata_errors="replace", buffer_size=BLOCK_BYTES)
    except av.error.FFmpegError as error:
        source.raise_failure()
        if (extent := wav_extent(source)) and not extent.declared and not extent.present:
            raise too_short(0.0, limits) from error
        raise unreadable(source.head) from error


def _choose_stream(container: InputContainer) -> tuple[AudioStream, str]:
    """Pick the default sound track, else the first, and check that it can be decoded."""
    if len(container.streams) > MAX_STREAMS:
        raise InputError(
            "unsupported_media",
            f"The file has {len(container.streams)} tracks; at most {MAX_STREAMS} are read.",
        )
    tracks = container.streams.audio
    if not tracks:
        raise InputError("no_audio", "The file has no sound track.")
    stream = next((track for track in tracks if track.disposition & Disposition.default), tracks[0])
    context = stream.codec_context
    if context is None or context.codec.canonical_name not in _CODECS:
        name = "an unknown codec" if context is None else f"the codec {context.codec.canonical_name}"
        raise InputError("unsupported_media", f"The sound is in {name}, which is not supported.")
    if _codec_tag(stream) == "drms" or "enc_key_id" in stream.metadata:
        raise encrypted()
    check_codec_config(context.codec.canonical_name, context.extradata)
    _make_layout_safe(context)
    context.thread_count = 1
    if context.sample_rate and context.layout.nb_channels:  # else the first frame tells
        check_shape(context.sample_rate, context.layout.nb_channels)
    return stream, context.codec.canonical_name


def _codec_tag(stream: AudioStream) -> str:
    try:
        return stream.codec_context.codec_tag
    except UnicodeDecodeError:  # PyAV reads tags as ASCII; AAC in WAV has 0xFF
        return ""


def _make_layout_safe(context: AudioCodecContext) -> None:
    """Replace a layout without a name by a bare count of channels, before any frame carries it.

    A MOV can list its channels one by one. PyAV copies the pointer to such a list but not the list, and aborts
    the process when both copies are freed. Here the old layout keeps the only pointer.
    """
    layout = context.layout
    if layout.nb_channels and is_nameless(layout.name):
        context.layout = f"{layout.nb_channels} channels"


def _declared_length(kind: str, container: InputContainer, stream: AudioStream, source: ByteSource) -> DeclaredLength:
    track = _to_seconds(stream, stream.duration)
    if kind == "wav":
        return _wav_length(track, stream.codec_context.codec.canonical_name, source)
    if kind == "mp3":
        length = mp3_length(source)
        return (
            DeclaredLength(length.seconds, True, _present(length.seconds, length.extent))
            if length
            else DeclaredLength()
        )
    if kind == "matroska":
        # FFmpeg fills in the track's length only when it has to guess it from the bit rate.
        total = container.duration if track is None else None
        return DeclaredLength() if total is None else DeclaredLength(total / av.time_base, True)
    if kind == "ogg":
        # The last page's position, which counts from wherever the stream was joined.
        start = _to_seconds(stream, stream.start_time) or 0.0
        return DeclaredLength(track - start if track is not None and 0 < start < track else track)
    if kind == "mp4":
        return DeclaredLength(track, track is not None, _mp4_present(stream, source.size))
    return DeclaredLength(track, True) if kind == "flac" and track is not None else DeclaredLength()


def _wav_length(track: float | None, codec: str, source: ByteSource) -> DeclaredLength:
    """Return the length of a WAVE file: FFmpeg measures what is there, the header may declare more."""
    extent = wav_extent(source)
    if track is None or extent is None or extent.declared is None:
        return DeclaredLength(track)
    seconds = track * max(1.0, extent.declared / extent.present) if extent.present else track
    # The rate of packed codecs is an average, so only their bytes can be compared.
    return DeclaredLength(seconds, codec.startswith("pcm_"), _present(seconds, extent))


def _present(seconds: float, extent: Extent) -> float | None:
    if not extent.declared or extent.present >= extent.declared:
        return None
    return seconds * extent.present / extent.declared


def _mp4_present(stream: AudioStream, size: int) -> float | None:
    """Find where the sample table leaves the file, if it does."""
    entries = stream.index_entries
    if not len(entries) or entries[-1].pos + entries[-1].size <= size:
        return None
    first_missing = bisect_left(
        range(len(entries)), True, key=lambda index: entries[index].pos + entries[index].size > size
    )
    return max(0.0, _to_seconds(stream, entries[first_missing].timestamp) or 0.0)


def _check_length(length: DeclaredLength, limits: AudioLimits) -> None:
    if length.present is not None:
        check_complete(length.present, length, limits)
    seconds = length.seconds if length.present is None else length.present
    if seconds is None:
        return
    if seconds > limits.max_seconds:
        raise InputError(
            "too_long",
            f"The recording lasts {in_seconds(seconds)}; at most {in_seconds(limits.max_seconds)} are accepted.",
        )
    if length.exact and seconds < limits.min_seconds:
        raise too_short(seconds, limits)


def _to_seconds(stream: AudioStream, ticks: int | None) -> float | None:
    if ticks is None or stream.time_base is None:
        return None
    return float(ticks * stream.time_base)
