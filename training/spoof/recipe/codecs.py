"""Speech through the codecs that recordings go through on their way: in memory, same length, in time with the input."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Literal

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from models.audio import SAMPLE_RATE

Pcm = NDArray[np.float32]


@dataclass(frozen=True)
class _Codec:
    """An encoder of FFmpeg with its decoder.

    Args:
        encoder: FFmpeg's name.
        decoder: Likewise.
        sample_format: What the encoder takes.
        delay: Samples at the encoder's rate by which the output comes late and that the decoder doesn't cut itself.
        options: Of the encoder; those that make it fast.
    """

    encoder: str
    decoder: str
    sample_format: Literal["flt", "fltp", "s16"]
    delay: int = 0
    options: tuple[tuple[str, str], ...] = ()


_MP3 = _Codec("libmp3lame", "mp3float", "fltp", options=(("compression_level", "7"),))
_OPUS = _Codec("libopus", "opus", "flt", options=(("compression_level", "2"),))
_AAC = _Codec("aac", "aac", "fltp", delay=1024, options=(("aac_coder", "fast"),))
_AMR = _Codec("libopencore_amrnb", "amrnb", "s16", delay=40)
_G722 = _Codec("g722", "g722", "s16", delay=22)
_MU_LAW = _Codec("pcm_mulaw", "pcm_mulaw", "s16")
_A_LAW = _Codec("pcm_alaw", "pcm_alaw", "s16")


def mp3(pcm: Pcm, bitrate: int, sample_rate: int = SAMPLE_RATE) -> Pcm:
    """MP3, mono.

    Args:
        pcm: Mono float32 at 16 kHz, shape [samples].
        bitrate: Bits a second, 8000 to 160000.
        sample_rate: At which it is encoded: 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000.

    Returns:
        The same length, at 16 kHz.
    """
    return _round_trip(pcm, _MP3, sample_rate, bitrate)


def opus(pcm: Pcm, bitrate: int, sample_rate: int = SAMPLE_RATE) -> Pcm:
    """Opus, as in WebM and Ogg; parameters as of ``mp3``, the rate one of 8000, 12000, 16000, 24000 and 48000."""
    return _round_trip(pcm, _OPUS, sample_rate, bitrate)


def aac(pcm: Pcm, bitrate: int, sample_rate: int = SAMPLE_RATE) -> Pcm:
    """AAC-LC, as in MP4; parameters as of ``mp3``."""
    return _round_trip(pcm, _AAC, sample_rate, bitrate)


def amr(pcm: Pcm, bitrate: int = 12_200) -> Pcm:
    """AMR narrow-band at 8 kHz, as in mobile telephony; 4750 to 12200 bits a second."""
    return _round_trip(pcm, _AMR, 8000, bitrate)


def g722(pcm: Pcm) -> Pcm:
    """G.722 at 64 kbit/s, as in wide-band telephony."""
    return _round_trip(pcm, _G722, SAMPLE_RATE, None)


def telephone_8k(pcm: Pcm, law: Literal["mu", "a"] = "mu") -> Pcm:
    """G.711 at 8 kHz, as in fixed-line telephony."""
    return _round_trip(pcm, _MU_LAW if law == "mu" else _A_LAW, 8000, None)


def resampled(pcm: Pcm, source: int, target: int) -> Pcm:
    """Resample; shape [samples] at ``source`` Hz to [samples * target / source] at ``target`` Hz."""
    if source == target:
        return pcm
    ratio = Fraction(target, source)
    taps = _low_pass(max(ratio.numerator, ratio.denominator))
    resample: Any = resample_poly  # its stubs know no window of one's own
    return np.asarray(resample(pcm, ratio.numerator, ratio.denominator, window=taps), np.float32)


@cache
def _low_pass(factor: int) -> NDArray[np.float32]:
    """Three times as long as SciPy's own: a recording must not lose its highest 400 Hz by having been resampled."""
    return np.asarray(firwin(2 * 32 * factor + 1, 1 / factor, window=("kaiser", 6.0)), np.float32)


def fitted(pcm: Pcm, length: int) -> Pcm:
    """Cut off or fill up with zeros at the end."""
    return pcm[:length] if len(pcm) >= length else np.pad(pcm, (0, length - len(pcm)))


def _round_trip(pcm: Pcm, codec: _Codec, rate: int, bitrate: int | None) -> Pcm:
    encoder = _context(codec.encoder, "w", rate)
    encoder.format = av.AudioFormat(codec.sample_format)
    encoder.time_base = Fraction(1, rate)
    if bitrate is not None:
        encoder.bit_rate = bitrate
    encoder.options = dict(codec.options)
    encoder.open()
    decoder = _context(codec.decoder, "r", rate)
    decoder.extradata = encoder.extradata
    frames = _frames(resampled(pcm, SAMPLE_RATE, rate), encoder)
    packets = [packet for frame in [*frames, None] for packet in encoder.encode(frame)]
    decoded = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    samples = np.concatenate([frame.to_ndarray() for frame in decoded], axis=1)[0]
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / np.float32(32768)
    heard = decoded[0].sample_rate
    return fitted(resampled(samples[codec.delay * heard // rate :], heard, SAMPLE_RATE), len(pcm))


def _context(name: str, mode: Literal["r", "w"], rate: int) -> AudioCodecContext:
    context = av.CodecContext.create(name, mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = rate
    context.layout = "mono"
    return context


def _frames(pcm: Pcm, encoder: AudioCodecContext) -> list[AudioFrame]:
    """Frames of the size that the encoder wants, one more than needed: it flushes what a codec holds back."""
    size = encoder.frame_size or len(pcm)
    count = -(-len(pcm) // size) + bool(encoder.frame_size)
    samples = fitted(pcm, count * size).reshape(count, 1, size)
    if encoder.format.name == "s16":
        samples = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    frames = []
    for index, block in enumerate(samples):
        frame = AudioFrame.from_ndarray(block, format=encoder.format.name, layout="mono")
        frame.sample_rate = encoder.sample_rate
        frame.pts = index * size
        frames.append(frame)
    return frames
