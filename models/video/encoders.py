"""The encoders of films: H.264 and AAC."""

from fractions import Fraction

import av.error
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.video.stream import VideoStream

from models.lipsync.types import FRAMES_PER_SECOND
from models.video.colours import tag

AUDIO_RATE = 48_000
"""Samples a second of every film's sound, whatever the voice has: all players and hardware decoders take it."""

_AUDIO_BITS_PER_SECOND = 128_000


def h264_options(encoder: str, quality: int, threads: int, *, streamed: bool) -> dict[str, str]:
    """Return an encoder's options.

    Args:
        encoder: ``libx264`` or ``h264_nvenc``.
        quality: Constant rate factor, or NVENC's constant quality; lower is better.
        threads: CPU threads.
        streamed: Every frame comes out as soon as it is in.

    Raises:
        ValueError: There is no such encoder.
    """
    # Key frames come where they are asked for and nowhere else, as each begins a fragment. Without B-frames a film
    # starts at 0 in every player; of a talking head they save nothing.
    if encoder == "libx264":
        common = {"preset": "veryfast", "crf": str(quality), "threads": str(threads), "bf": "0"}
        common |= {"profile": "high", "forced-idr": "1", "sc_threshold": "0"}
        return common | ({"tune": "zerolatency"} if streamed else {})
    if encoder == "h264_nvenc":
        common = {"preset": "p4", "rc": "vbr", "cq": str(quality), "bf": "0"}
        common |= {"profile": "high", "forced-idr": "1", "no-scenecut": "1"}
        return common | ({"tune": "ull", "delay": "0"} if streamed else {"tune": "hq"})
    raise ValueError(f"no encoder of films is called {encoder}")


def add_video(
    container: OutputContainer, encoder: str, options: dict[str, str], width: int, height: int, key_every: int
) -> VideoStream:
    """Add an H.264 track of 25 frames a second in the colours of ``colours``, its encoder open.

    Args:
        container: Of the film.
        encoder: FFmpeg's name of the encoder.
        options: Of the encoder.
        width: In pixels, even.
        height: In pixels, even.
        key_every: Most frames from one key frame to the next.

    Raises:
        RuntimeError: The encoder doesn't work on this machine; the message says what to do.
    """
    try:
        stream = container.add_stream(encoder, rate=FRAMES_PER_SECOND, options=options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, FRAMES_PER_SECOND)
        context.gop_size = key_every
        tag(context)
        context.open()
    except (av.error.FFmpegError, UnknownCodecError) as error:
        reason = error.strerror if isinstance(error, av.error.FFmpegError) else error
        raise RuntimeError(
            f"The encoder {encoder} can't encode {width}x{height} pixels on this machine: {reason}. h264_nvenc needs "
            "an NVIDIA GPU with an encoder and its driver; libx264 works on every CPU (setting video.encoder)."
        ) from error
    return stream


def add_audio(container: OutputContainer) -> AudioStream:
    """Add a mono AAC track, its encoder open."""
    stream = container.add_stream("aac", rate=AUDIO_RATE, bit_rate=_AUDIO_BITS_PER_SECOND, layout="mono")
    assert isinstance(stream, AudioStream)
    stream.codec_context.open()
    return stream
