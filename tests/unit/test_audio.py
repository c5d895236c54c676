import io
import struct
import subprocess
import sys
import wave
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, AudioInfo, AudioLimits, decode, media_type, probe, stream
from models.errors import InputError

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
TONE_HZ = 440.0
LEVEL = 0.5
ALLOW_TRUNCATED = AudioLimits(allow_truncated=True)
CENC = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "0123456789abcdef0123456789abcdef",
}


@dataclass(frozen=True)
class Media:
    """How to write a recording, and what must be found out about it."""

    muxer: str
    codec: str
    sample_rate: int
    layout: str
    container: str
    declares_length: bool = True
    video: bool = False
    decoded_codec: str | None = None

    def __str__(self) -> str:
        return f"{self.muxer}-{self.codec}-{self.sample_rate}-{self.layout}{'-video' * self.video}"


MEDIA = [
    Media("wav", "pcm_s16le", 8_000, "mono", "wav"),
    Media("wav", "pcm_s16le", 16_000, "mono", "wav"),
    Media("wav", "pcm_s24le", 44_100, "stereo", "wav"),
    Media("wav", "pcm_f32le", 48_000, "5.1", "wav"),
    Media("wav", "pcm_mulaw", 8_000, "mono", "wav"),
    Media("wav", "adpcm_ms", 44_100, "stereo", "wav"),
    Media("wav", "libmp3lame", 44_100, "stereo", "wav", decoded_codec="mp3"),
    Media("mp3", "libmp3lame", 44_100, "stereo", "mp3", decoded_codec="mp3"),
    Media("mp3", "libmp3lame", 16_000, "mono", "mp3", decoded_codec="mp3"),
    Media("flac", "flac", 48_000, "stereo", "flac"),
    Media("ogg", "vorbis", 44_100, "stereo", "ogg"),
    Media("ogg", "libopus", 48_000, "stereo", "ogg", decoded_codec="opus"),
    Media("ogg", "flac", 44_100, "mono", "ogg"),
    Media("ipod", "aac", 44_100, "stereo", "mp4"),
    Media("ipod", "alac", 48_000, "stereo", "mp4"),
    Media("adts", "aac", 44_100, "stereo", "aac", declares_length=False),
    Media("webm", "libopus", 48_000, "mono", "matroska", decoded_codec="opus"),
    Media("webm", "vorbis", 44_100, "stereo", "matroska"),
    Media("mp4", "aac", 44_100, "stereo", "mp4", video=True),
    Media("mov", "pcm_s16be", 48_000, "stereo", "mp4", video=True),
    Media("matroska", "aac", 44_100, "stereo", "matroska", video=True),
]
media = pytest.mark.parametrize("kind", MEDIA, ids=str)


def tone(seconds: float, sample_rate: int) -> NDArray[np.float32]:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (LEVEL * np.sin(2 * np.pi * TONE_HZ * time)).astype(np.float32)


class Writer:
    """Encodes media to bytes, the same only once; a real file, since some muxers reopen what they wrote."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "media.bin"
        self._written: dict[object, bytes] = {}

    def __call__(
        self,
        kind: Media,
        *,
        seconds: float = 3.0,
        offsets: tuple[tuple[float, float], ...] | None = None,
        video_seconds: float | None = None,
        options: dict[str, str] | None = None,
    ) -> bytes:
        """Write a tone; ``offsets`` lists (starting second, length) of its parts instead."""
        options, parts = options or {}, offsets or ((0.0, seconds),)
        what = (kind, seconds, parts, video_seconds, *options.items())
        if what not in self._written:
            with av.open(str(self._path), "w", format=kind.muxer, options=options) as container:
                pictures = add_video(container) if kind.video else None
                sound = add_sound(container, kind) if kind.codec else None
                if pictures is not None:
                    write_video(container, pictures, seconds if video_seconds is None else video_seconds)
                if sound is not None:
                    write_tone(container, sound, kind, parts)
            self._written[what] = self._path.read_bytes()
        return self._written[what]


def add_sound(container: Any, kind: Media) -> Any:
    options = {"strict": "experimental"}  # FFmpeg's own Vorbis encoder wants to be asked
    return container.add_stream(kind.codec, rate=kind.sample_rate, layout=kind.layout, options=options)


def add_video(container: Any) -> Any:
    track = container.add_stream("mpeg4", rate=25)
    track.width = track.height = 64
    track.pix_fmt = "yuv420p"
    return track


def write_tone(container: Any, track: Any, kind: Media, parts: tuple[tuple[float, float], ...]) -> None:
    rate = kind.sample_rate
    for start, length in parts:
        samples = np.tile(tone(length, rate), (track.layout.nb_channels, 1))
        for offset in range(0, samples.shape[1], rate // 10):
            piece = np.ascontiguousarray(samples[:, offset : offset + rate // 10])
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=kind.layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = round(start * rate) + offset
            container.mux(track.encode(frame))
    container.mux(track.encode(None))


def write_video(container: Any, track: Any, seconds: float) -> None:
    for index in range(round(seconds * 25)):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), index % 255, np.uint8), format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, 25)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return Writer(tmp_path_factory.mktemp("media"))


def find(**wanted: object) -> Media:
    return next(kind for kind in MEDIA if all(getattr(kind, name) == value for name, value in wanted.items()))


WAV = find(muxer="wav", sample_rate=16_000)
MP3 = find(muxer="mp3", sample_rate=44_100)
FLAC = find(muxer="flac")
VORBIS = find(muxer="ogg", codec="vorbis")
M4A = find(codec="aac", muxer="ipod")
ADTS = find(muxer="adts")
WEBM = find(muxer="webm", codec="libopus")
VIDEO = find(muxer="mp4", video=True)
MOV = find(muxer="mov", video=True)
MKV_VIDEO = find(muxer="matroska", video=True)
MKV_PCM = Media("matroska", "pcm_s16le", 16_000, "mono", "matroska")


def wav_bytes(samples: NDArray[Any], sample_rate: int = SAMPLE_RATE) -> bytes:
    """Write 16-bit samples of shape (time, channels) with the standard library."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def mono_wav(seconds: float) -> bytes:
    return wav_bytes(tone(seconds, SAMPLE_RATE)[:, None])


def with_data_size(wav: bytes, size: int) -> bytes:
    changed = bytearray(wav)
    struct.pack_into("<I", changed, wav.index(b"data") + 4, size)
    return bytes(changed)


def frequency(samples: NDArray[np.float32], sample_rate: int = SAMPLE_RATE) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * sample_rate / len(samples)


def amplitude(samples: NDArray[np.float32]) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return float(np.sqrt(2 * np.mean(middle.astype(np.float64) ** 2)))


def refusal(data: bytes, limits: AudioLimits | None = None, *, at_probe: bool = True) -> InputError:
    """Return the error of decoding, and check that streaming (and probing) raise the same."""
    limits = limits or AudioLimits()
    with pytest.raises(InputError) as decoded:
        decode(io.BytesIO(data), limits)
    with pytest.raises(InputError) as streamed:
        list(stream(io.BytesIO(data), limits))
    assert str(streamed.value) == str(decoded.value)
    assert streamed.value.code == decoded.value.code
    if at_probe:
        with pytest.raises(InputError) as probed:
            probe(io.BytesIO(data), limits)
        assert probed.value.code == decoded.value.code
    else:
        probe(io.BytesIO(data), limits)
    return decoded.value


# What is decoded


@pytest.mark.slow
@media
def test_a_tone_comes_back_with_its_length_pitch_and_level(kind: Media, write: Writer) -> None:
    samples = decode(io.BytesIO(write(kind)))
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert samples.flags.c_contiguous
    assert len(samples) == pytest.approx(3.0 * SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)
    assert frequency(samples) == pytest.approx(TONE_HZ, abs=1.0)
    assert amplitude(samples) == pytest.approx(LEVEL, rel=0.05)


@media
def test_probe_tells_what_the_recording_is(kind: Media, write: Writer) -> None:
    data = write(kind)
    info = probe(io.BytesIO(data), size=len(data))
    assert (info.container, info.codec) == (kind.container, kind.decoded_codec or kind.codec)
    assert info.sample_rate == kind.sample_rate
    assert info.channels == av.AudioLayout(kind.layout).nb_channels
    if kind.declares_length:
        assert info.duration == pytest.approx(3.0, abs=0.1)
    else:
        assert info.duration is None


@media
def test_a_player_is_told_what_the_recording_is(kind: Media, write: Writer) -> None:
    subtype = {"mp3": "mpeg", "ipod": "mp4", "adts": "aac", "mov": "mp4", "matroska": "x-matroska"}
    family = "video" if kind.video else "audio"
    assert media_type(io.BytesIO(write(kind))) == f"{family}/{subtype.get(kind.muxer, kind.muxer)}"


@pytest.mark.parametrize("data", [b"", b"<html><script>alert(1)</script></html>", b"\x1a\x45\xdf\xa3webm", b"%PDF-1.7"])
def test_a_player_is_told_nothing_of_what_is_no_recording(data: bytes) -> None:
    assert media_type(io.BytesIO(data)) == "application/octet-stream"


@pytest.mark.slow
@media
def test_streamed_blocks_join_to_the_decoded_recording(kind: Media, write: Writer) -> None:
    data = write(kind)
    blocks = list(stream(io.BytesIO(data), block_seconds=0.7))
    assert all(len(block) == round(0.7 * SAMPLE_RATE) for block in blocks[:-1])
    assert 0 < len(blocks[-1]) <= round(0.7 * SAMPLE_RATE)
    np.testing.assert_array_equal(np.concatenate(blocks), decode(io.BytesIO(data)))


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 22_050, 44_100])
def test_any_sample_rate_can_be_asked_for(sample_rate: int, write: Writer) -> None:
    samples = decode(io.BytesIO(write(FLAC)), sample_rate=sample_rate)
    assert len(samples) == 3 * sample_rate
    assert frequency(samples, sample_rate) == pytest.approx(TONE_HZ, abs=1.0)


def test_samples_at_the_target_rate_are_not_changed() -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, size=(SAMPLE_RATE, 1)) / 32767
    expected = np.round(samples[:, 0] * 32767).clip(-32768, 32767) / 32768
    np.testing.assert_allclose(decode(io.BytesIO(wav_bytes(samples))), expected, atol=1e-7)


def test_stereo_is_the_mean_of_its_channels() -> None:
    left = tone(2.0, SAMPLE_RATE)
    samples = decode(io.BytesIO(wav_bytes(np.stack([left, np.zeros_like(left)], axis=1))))
    np.testing.assert_allclose(samples, left / 2, atol=1e-4)


@pytest.mark.parametrize("channels", [3, 6, 11, 32, 64])
def test_channels_without_names_count_equally(channels: int) -> None:
    recorded = np.zeros((SAMPLE_RATE, channels))
    recorded[:, -1] = 0.8
    samples = decode(io.BytesIO(wav_bytes(recorded)))
    np.testing.assert_allclose(samples[1000:-1000], 0.8 / channels, atol=1e-4)


def test_the_source_may_stand_anywhere_and_stays_open(write: Writer) -> None:
    source = io.BytesIO(write(MP3))
    expected = decode(source)
    source.seek(1000)
    probe(source)
    np.testing.assert_array_equal(decode(source), expected)
    next(stream(source, block_seconds=0.1))
    assert not source.closed


def test_the_name_of_a_file_has_no_say(tmp_path: Path, write: Writer) -> None:
    path = tmp_path / "list.m3u8"
    path.write_bytes(write(MP3))
    with path.open("rb") as source:
        assert probe(source).container == "mp3"


def test_the_default_sound_track_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        tracks = [container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono") for _ in range(2)]
        tracks[0].disposition = av.stream.Disposition(0)
        tracks[1].disposition = av.stream.Disposition.default
        for level, track in zip((0.1, 0.4), tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, SAMPLE_RATE), level, np.float32), format="flt", layout="mono"
            )
            frame.sample_rate, frame.pts = SAMPLE_RATE, 0
            container.mux(track.encode(frame))
    np.testing.assert_allclose(decode(io.BytesIO(path.read_bytes())), 0.4, atol=1e-3)


def test_a_picture_in_the_tags_is_not_in_the_way(write: Writer) -> None:
    picture = b"\x00image/png\x00\x03\x00" + b"\x89PNG\r\n\x1a\n" + bytes(400_000)
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    data = b"ID3\x03\x00\x00" + size + frame + write(MP3)
    assert probe(io.BytesIO(data)).duration == pytest.approx(3.0, abs=0.1)
    assert len(decode(io.BytesIO(data))) == pytest.approx(3 * SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)


# The time axis


@pytest.mark.parametrize("kind", [WEBM, VIDEO, M4A], ids=str)
def test_a_sound_track_that_starts_late_is_preceded_by_silence(kind: Media, write: Writer) -> None:
    samples = decode(io.BytesIO(write(kind, offsets=((2.0, 3.0),), video_seconds=5.0)))
    assert len(samples) == pytest.approx(5.0 * SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)
    assert np.abs(samples[: round(1.9 * SAMPLE_RATE)]).max() == 0
    assert amplitude(samples[round(2.1 * SAMPLE_RATE) :]) == pytest.approx(LEVEL, rel=0.05)


def test_a_hole_between_timestamps_becomes_silence(write: Writer) -> None:
    data = write(MKV_PCM, offsets=((0.0, 1.0), (3.0, 1.0)))
    samples = decode(io.BytesIO(data))
    assert len(samples) == pytest.approx(4.0 * SAMPLE_RATE, abs=20)
    assert np.abs(samples[SAMPLE_RATE + 20 : 3 * SAMPLE_RATE - 20]).max() == 0
    np.testing.assert_allclose(samples[-SAMPLE_RATE:], tone(1.0, SAMPLE_RATE), atol=2e-2)


def test_a_clock_that_starts_or_jumps_out_of_bounds_adds_no_silence(write: Writer) -> None:
    data = write(MKV_PCM, offsets=((5000.0, 1.0), (9000.0, 1.0)), options={"live": "1"})
    assert len(decode(io.BytesIO(data))) == 2 * SAMPLE_RATE


def test_silence_counts_towards_the_limit(write: Writer) -> None:
    data = write(MKV_PCM, offsets=((0.0, 1.0), (400.0, 1.0)), options={"live": "1"})
    error = refusal(data, AudioLimits(max_seconds=100), at_probe=False)
    assert error.code == "too_long"


def test_chained_ogg_streams_are_joined(write: Writer) -> None:
    samples = decode(io.BytesIO(write(VORBIS, seconds=2.0) + write(VORBIS, seconds=1.0)))
    assert len(samples) == pytest.approx(3 * SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)


# Bounded work


class CountingFile(io.BytesIO):
    """Counts what is asked of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[int] = []
        self.seeks = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.reads.append(len(data))
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.seeks += 1
        return super().seek(offset, whence)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [WAV, MP3, FLAC, VORBIS, WEBM, VIDEO], ids=str)
def test_probing_reads_a_small_part(kind: Media, write: Writer) -> None:
    data = write(kind, seconds=180.0 if kind is VORBIS else 60.0)
    assert len(data) > 600_000
    source = CountingFile(data)
    probe(source, size=len(data))
    assert sum(source.reads) < min(len(data) * 2 / 3, 1_200_000)
    assert source.seeks <= 6


def test_decoding_asks_for_large_blocks(write: Writer) -> None:
    source = CountingFile(write(MOV, seconds=30.0))
    decode(source)
    assert len(source.getvalue()) > 5_000_000
    assert len(source.reads) <= 3 * (len(source.getvalue()) // 262_144) + 10


def test_blocks_are_bounded_and_come_before_the_end_is_read() -> None:
    source = CountingFile(mono_wav(300.0))
    blocks = stream(source, block_seconds=5.0)
    assert len(next(blocks)) == 5 * SAMPLE_RATE
    assert sum(source.reads) < 1_500_000
    assert {len(block) for block in blocks} == {5 * SAMPLE_RATE}


def test_nothing_is_read_before_a_block_is_asked_for() -> None:
    source = CountingFile(mono_wav(1.0))
    stream(source)
    assert source.reads == []


def test_progress_rises_to_one() -> None:
    shares: list[float] = []
    decode(io.BytesIO(mono_wav(60.0)), on_progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) >= 4
    assert 0 < shares[0] < 0.5
    assert shares[-1] == 1.0


def test_an_undeclared_length_longer_than_the_first_buffer_is_decoded() -> None:
    silence = with_data_size(wav_bytes(np.zeros((SAMPLE_RATE * 400, 1))), 0xFFFFFFFF)
    assert len(decode(io.BytesIO(silence))) == 400 * SAMPLE_RATE


def test_a_length_that_grows_past_its_declaration_is_decoded(write: Writer) -> None:
    twice = write(MP3) + write(MP3, seconds=4.0)
    assert len(decode(io.BytesIO(twice))) > 6.5 * SAMPLE_RATE


def test_a_failure_of_the_source_reaches_the_caller_as_it_is() -> None:
    class Lost(CountingFile):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 600_000:
                raise ConnectionError("the store went away")
            return super().read(size)

    data = mono_wav(60.0)
    for use in (decode, lambda source: list(stream(source))):
        with pytest.raises(ConnectionError, match="the store went away"):
            use(Lost(data))
    assert len(decode(io.BytesIO(data))) == 60 * SAMPLE_RATE


def test_recordings_decode_at_the_same_time(write: Writer) -> None:
    data = [write(kind) for kind in (MP3, FLAC, WEBM, M4A)] * 2
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: decode(io.BytesIO(one)), data))
    for one, samples in zip(data, together, strict=True):
        np.testing.assert_array_equal(samples, decode(io.BytesIO(one)))


# What is refused


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"").code == "empty_file"


def png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"This is not a recording.\n" * 400,
        b"\0" * 100_000,
        np.random.default_rng(1).bytes(200_000),
        np.random.default_rng(2).bytes(31),
        b"x",
        png(),
        b"RIFF\x24\0\0\0AVI LIST" + bytes(100),
    ],
    ids=["text", "zeros", "noise", "short-noise", "byte", "png", "avi"],
)
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    error = refusal(data)
    assert error.code == "unsupported_media"
    assert "WAV, MP3, FLAC" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{path}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n{path}\n",
        "ffconcat version 1.0\nfile '{path}'\nduration 3\n",
        "file '{path}'\n",
        "[playlist]\nFile1={path}\nNumberOfEntries=1\nVersion=2\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{path}</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "rtsptextrtsp://127.0.0.1/{path}\n",
    ],
    ids=["hls", "m3u", "ffconcat", "concat", "pls", "dash", "sdp", "rtsp-redirect"],
)
def test_what_points_to_other_files_is_refused(text: str, tmp_path: Path) -> None:
    target = tmp_path / "secret.wav"
    target.write_bytes(mono_wav(3.0))
    assert refusal(text.format(path=target).encode()).code == "unsupported_media"


def referring_movie(movie: bytes, path: Path) -> bytes:
    """Rewrite a QuickTime file (index last) so that its sound is said to lie in another file."""
    name = str(path).encode()
    absolute = struct.pack(">HH", 2, len(name)) + name + bytes(len(name) % 2)
    record = bytes(10) + b"\0" + bytes(27 + 12) + b"\x06secret" + bytes(57 + 16 + 2 * 2 + 16) + absolute
    alias = b"alis" + bytes(4) + record + b"\xff\xff\0\0"
    reference = movie.index(b"dref") + 12  # past name, version, flags and count
    return replace_box(movie, reference, alias, (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"))


def replace_box(movie: bytes, position: int, box: bytes, parents: tuple[bytes, ...]) -> bytes:
    """Put another box (name and content) in the place of the one at a position; the index must come last."""
    data = bytearray(movie)
    (old_size,) = struct.unpack_from(">I", data, position)
    for parent in parents:
        size_field = data.rindex(parent, 0, position) - 4
        (size,) = struct.unpack_from(">I", data, size_field)
        struct.pack_into(">I", data, size_field, size + len(box) + 4 - old_size)
    data[position : position + old_size] = struct.pack(">I", len(box) + 4) + box
    return bytes(data)


def test_a_movie_whose_sound_lies_in_another_file_is_not_followed(tmp_path: Path, write: Writer) -> None:
    level = 0.25
    secret = tmp_path / "secret.raw"
    secret.write_bytes(np.full(200_000, level * 32768, ">i2").tobytes())
    movie = write(Media("mov", "pcm_s16be", SAMPLE_RATE, "mono", "mp4"))
    referring = referring_movie(movie, secret)
    path = tmp_path / "referring.mov"
    path.write_bytes(referring)
    with av.open(str(path), options={"enable_drefs": "1", "use_absolute_path": "1"}) as followed:
        assert (next(followed.decode(audio=0)).to_ndarray() == level * 32768).all()
    assert refusal(referring).code == "damaged"


def test_a_video_without_sound_is_refused(write: Writer) -> None:
    error = refusal(write(Media("mp4", "", 0, "", "mp4", video=True)))
    assert error.code == "no_audio"


def test_an_unknown_codec_is_refused() -> None:
    data = bytearray(mono_wav(2.0))
    struct.pack_into("<H", data, 20, 0x1234)
    assert refusal(bytes(data)).code == "unsupported_media"


def test_a_movie_that_lists_its_channels_one_by_one_is_decoded(tmp_path: Path, write: Writer) -> None:
    """Two channels both called left; a mistake here aborts the process, so another one decodes."""
    movie = write(Media("mov", "pcm_s16be", SAMPLE_RATE, "stereo", "mp4"))
    left = struct.pack(">II", 1, 0) + bytes(12)
    position = movie.index(b"chan", movie.index(b"stsd")) - 4
    channels = b"chan" + bytes(4) + struct.pack(">III", 0, 0, 2) + left * 2
    data = replace_box(movie, position, channels, (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"twos"))
    path = tmp_path / "two-lefts.mov"
    path.write_bytes(data)
    decoding = "import sys; from models.audio import decode; print(len(decode(open(sys.argv[1], 'rb'))))"
    ran = subprocess.run([sys.executable, "-c", decoding, str(path)], cwd=REPOSITORY, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{3 * SAMPLE_RATE}\n", "")


@pytest.mark.parametrize("config", ["f948400000", "2b927ca000"], ids=["plain", "behind-sbr"])
def test_xhe_aac_is_refused(config: str, write: Writer) -> None:
    data = write(M4A)
    own = bytes.fromhex("121056e500")
    assert data.count(own) == 1
    error = refusal(data.replace(own, bytes.fromhex(config)))
    assert error.code == "unsupported_media"
    assert "xHE-AAC" in error.message


@pytest.mark.slow
@pytest.mark.parametrize("sample_rate", [100, 2_000_000])
def test_sample_rates_of_no_recorder_are_refused(sample_rate: int) -> None:
    error = refusal(wav_bytes(np.zeros((sample_rate, 1)), sample_rate))
    assert error.code == "unsupported_media"
    assert "1000 to 768000" in error.message


@pytest.mark.slow
def test_too_many_channels_are_refused() -> None:
    error = refusal(wav_bytes(np.zeros((SAMPLE_RATE, 65))))
    assert error.code == "unsupported_media"
    assert "65 channels; 1 to 64" in error.message


@pytest.mark.parametrize("movflags", ["", "frag_keyframe+empty_moov+default_base_moof"])
def test_an_encrypted_mp4_is_refused(movflags: str, write: Writer) -> None:
    options = CENC | ({"movflags": movflags} if movflags else {})
    assert refusal(write(Media("mp4", "aac", 44_100, "stereo", "mp4"), options=options)).code == "encrypted"


def test_a_purchased_protected_m4a_is_refused(write: Writer) -> None:
    data = write(M4A)
    entry = data.index(b"mp4a", data.index(b"stsd"))
    assert refusal(data[:entry] + b"drms" + data[entry + 4 :]).code == "encrypted"


def test_an_encrypted_webm_is_refused() -> None:
    assert refusal(webm_track(encrypted=True)).code == "encrypted"
    assert len(decode(io.BytesIO(webm_track(encrypted=False)))) == SAMPLE_RATE


def webm_track(*, encrypted: bool) -> bytes:
    """Write a Matroska file of one second by hand, its track encrypted or not."""

    def element(name: str, *content: bytes) -> bytes:
        body = b"".join(content)
        return bytes.fromhex(name) + struct.pack(">Q", len(body) | 1 << 56) + body

    key = element("5035", element("47e1", b"\x05"), element("47e2", b"0123456789abcdef"))
    encoding = element("6240", element("5033", b"\x01"), key)
    track = element(
        "ae",
        *(element("d7", b"\x01"), element("73c5", b"\x01"), element("83", b"\x02")),
        element("86", b"A_PCM/INT/LIT"),
        element("e1", element("b5", struct.pack(">d", SAMPLE_RATE)), element("9f", b"\x01"), element("6264", b"\x10")),
        element("6d80", encoding) if encrypted else b"",
    )
    block = element("a3", b"\x81\x00\x00\x80", (tone(1.0, SAMPLE_RATE) * 32767).astype("<i2").tobytes())
    segment = element("18538067", element("1654ae6b", track), element("1f43b675", element("e7", b"\x00"), block))
    return element("1a45dfa3", element("4282", b"matroska")) + segment


# Lengths


def test_a_recording_below_the_limit_is_refused() -> None:
    error = refusal(mono_wav(0.25))
    assert error.code == "too_short"
    assert error.message == "The recording lasts 0.25 s; at least 0.5 s are needed."


def test_a_recording_at_the_limits_is_accepted() -> None:
    limits = AudioLimits(min_seconds=0.5, max_seconds=0.5)
    assert len(decode(io.BytesIO(mono_wav(0.5)), limits)) == SAMPLE_RATE // 2


def test_an_undeclared_short_length_is_refused_once_decoded(write: Writer) -> None:
    error = refusal(write(ADTS, seconds=0.2), at_probe=False)
    assert error.code == "too_short"


def test_a_wav_without_samples_is_too_short() -> None:
    assert refusal(wav_bytes(np.zeros((0, 1)))).code == "too_short"


@pytest.mark.parametrize("kind", [MP3, FLAC, VORBIS, M4A, WEBM], ids=str)
def test_a_declared_length_above_the_limit_is_refused_at_once(kind: Media, write: Writer) -> None:
    error = refusal(write(kind), AudioLimits(max_seconds=2.0))
    assert error.code == "too_long"
    assert "at most 2 s are accepted" in error.message


@cache
def flac_of_silence(seconds: int) -> bytes:
    """Write a FLAC of silence, tiny for its length."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        track = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, SAMPLE_RATE), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, second * SAMPLE_RATE
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return file.getvalue()


def declaring(flac: bytes, declared_samples: int) -> bytes:
    """Have a FLAC declare any length (0: none)."""
    data = bytearray(flac)
    data[21] = data[21] & 0xF0 | declared_samples >> 32
    struct.pack_into(">I", data, 22, declared_samples & 0xFFFFFFFF)
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("declared_samples", [SAMPLE_RATE, 0], ids=["lies", "silent"])
def test_a_recording_longer_than_it_declares_is_stopped_at_the_limit(declared_samples: int) -> None:
    bomb = declaring(flac_of_silence(3600), declared_samples)
    assert len(bomb) < 1_000_000
    error = refusal(bomb, AudioLimits(max_seconds=60), at_probe=False)
    assert error.code == "too_long"
    assert error.message == "The recording is longer than the limit of 60 s."
    blocks = stream(io.BytesIO(bomb), AudioLimits(max_seconds=60), block_seconds=10)
    received = 0
    with pytest.raises(InputError):
        for _ in blocks:
            received += 1
    assert received <= 6


# Damage and truncation


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("kind", [WAV, MP3], ids=str)
def test_a_file_cut_off_is_found_at_probe(kind: Media, write: Writer) -> None:
    error = refusal(half(write(kind, seconds=10.0)))
    assert error.code == "damaged"
    assert "declares 10" in error.message
    assert "allow_truncated=true" in error.message


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FLAC, WEBM, MKV_VIDEO], ids=str)
def test_a_file_cut_off_is_found_while_decoding(kind: Media, write: Writer) -> None:
    error = refusal(half(write(kind, seconds=10.0)), at_probe=False)
    assert error.code == "damaged"
    assert "declares 10" in error.message
    assert "allow_truncated=true" in error.message


def test_an_mp4_cut_off_is_found_by_its_sample_table(write: Writer) -> None:
    data = write(VIDEO, seconds=10.0, options={"movflags": "faststart"})
    error = refusal(data[: len(data) * 3 // 4])
    assert error.code == "damaged"
    assert "declares 10" in error.message


@pytest.mark.parametrize("kind", [WAV, MP3, FLAC, WEBM], ids=str)
def test_what_is_there_is_decoded_when_the_caller_allows_it(kind: Media, write: Writer) -> None:
    data = half(write(kind, seconds=10.0))
    probe(io.BytesIO(data), ALLOW_TRUNCATED)
    samples = decode(io.BytesIO(data), ALLOW_TRUNCATED)
    assert len(samples) == pytest.approx(5.0 * SAMPLE_RATE, abs=0.5 * SAMPLE_RATE)
    assert frequency(samples) == pytest.approx(TONE_HZ, abs=1.0)


def test_a_cut_off_mp4_is_decoded_when_the_caller_allows_it(write: Writer) -> None:
    data = half(write(M4A, seconds=10.0, options={"movflags": "faststart"}))
    assert len(decode(io.BytesIO(data), ALLOW_TRUNCATED)) == pytest.approx(5 * SAMPLE_RATE, rel=0.1)


@pytest.mark.parametrize("kind", [ADTS, VORBIS], ids=str)
def test_containers_that_declare_nothing_are_never_called_cut_off(kind: Media, write: Writer) -> None:
    assert len(decode(io.BytesIO(half(write(kind, seconds=10.0))))) > 3 * SAMPLE_RATE


def test_an_mp3_without_a_length_in_its_header_is_never_called_cut_off(write: Writer) -> None:
    data = half(write(MP3, seconds=10.0, options={"write_xing": "0"}))
    assert probe(io.BytesIO(data)).duration is None
    assert len(decode(io.BytesIO(data))) == pytest.approx(5 * SAMPLE_RATE, rel=0.05)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_streamed_without_a_length_is_accepted(size: int) -> None:
    data = with_data_size(mono_wav(3.0), size)
    probe(io.BytesIO(data))
    assert len(decode(io.BytesIO(data))) == 3 * SAMPLE_RATE


@pytest.mark.parametrize("kind", [WEBM, MKV_PCM], ids=str)
def test_a_browser_recording_without_a_length_is_accepted(kind: Media, write: Writer) -> None:
    data = write(kind, options={"live": "1"})
    assert probe(io.BytesIO(data)).duration is None
    assert len(decode(io.BytesIO(half(data)))) == pytest.approx(1.5 * SAMPLE_RATE, rel=0.1)


def test_a_sound_track_shorter_than_its_video_is_not_cut_off(write: Writer) -> None:
    for kind in (VIDEO, MKV_VIDEO):
        samples = decode(io.BytesIO(write(kind, seconds=2.0, video_seconds=10.0)))
        assert len(samples) == pytest.approx(2 * SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)


def test_a_64_bit_wav_is_measured_by_its_own_length_field(write: Writer) -> None:
    data = write(WAV, seconds=10.0, options={"rf64": "always"})
    assert data[:4] == b"RF64"
    assert len(decode(io.BytesIO(data))) == 10 * SAMPLE_RATE
    assert refusal(half(data)).code == "damaged"


@pytest.mark.parametrize("kind", [M4A, VIDEO], ids=str)
def test_an_mp4_without_its_index_is_damaged(kind: Media, write: Writer) -> None:
    assert refusal(half(write(kind))).code == "damaged"


@pytest.mark.parametrize("kind", [WAV, FLAC, VORBIS, M4A, WEBM], ids=str)
def test_a_header_alone_is_damaged(kind: Media, write: Writer) -> None:
    assert refusal(write(kind)[:40]).code == "damaged"


def spoil(data: bytes, start: float, end: float) -> bytes:
    """Overwrite a part of the file with noise."""
    first, last = round(start * len(data)), round(end * len(data))
    return data[:first] + np.random.default_rng(3).bytes(last - first) + data[last:]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MP3, FLAC, VORBIS], ids=str)
def test_a_few_bad_packets_are_passed_over(kind: Media, write: Writer) -> None:
    data = spoil(write(kind, seconds=20.0), 0.5, 0.51)
    samples = decode(io.BytesIO(data))
    assert len(samples) == pytest.approx(20 * SAMPLE_RATE, abs=SAMPLE_RATE)


def test_many_bad_packets_are_damage(write: Writer) -> None:
    data = write(M4A, seconds=10.0)
    start = data.index(b"mdat") + 8
    end = data.index(b"moov")
    middle = start + (end - start) // 2
    noise = b"\xff" * (end - middle)
    error = refusal(data[:middle] + noise + data[end:], at_probe=False)
    assert error.code == "damaged"
    assert "at most 10% may be lost" in error.message


def test_sound_that_can_not_be_decoded_at_all_is_damaged(write: Writer) -> None:
    data = write(M4A)
    start, end = data.index(b"mdat") + 8, data.index(b"moov")
    assert refusal(data[:start] + b"\xff" * (end - start) + data[end:]).code == "damaged"


def test_a_codec_tag_outside_ascii_is_no_obstacle(write: Writer) -> None:
    """AAC in WAV has the tag 0xFF; its packets have no borders, so nothing decodes."""
    assert refusal(write(Media("wav", "aac", 44_100, "stereo", "wav"))).code == "damaged"


def test_samples_that_are_no_numbers_are_damage(write: Writer) -> None:
    kind = Media("wav", "pcm_f32le", SAMPLE_RATE, "mono", "wav")
    data = bytearray(write(kind))
    struct.pack_into("<f", data, len(data) - 4000, float("nan"))
    assert refusal(bytes(data), at_probe=False).code == "damaged"


def test_tags_in_another_alphabet_do_not_matter() -> None:
    name = "Запись".encode("cp1251")
    info = b"INFOINAM" + struct.pack("<I", len(name)) + name
    data = mono_wav(1.0) + b"LIST" + struct.pack("<I", len(info)) + info
    assert len(decode(io.BytesIO(data))) == SAMPLE_RATE


@pytest.mark.slow
def test_noise_in_a_recording_never_raises_anything_else(write: Writer) -> None:
    random = np.random.default_rng(4)
    for kind in (WAV, MP3, FLAC, VORBIS, M4A, ADTS, WEBM):
        original = write(kind, seconds=1.0)
        for _ in range(40):
            data = bytearray(original)
            for position in random.integers(0, min(len(data), 4000), size=random.integers(1, 12)):
                data[position] = random.integers(0, 256)
            try:
                samples = decode(io.BytesIO(bytes(data)), AudioLimits(max_seconds=30))
            except InputError as error:
                assert error.message.endswith(".")
            else:
                assert np.isfinite(samples).all()


@pytest.mark.slow
def test_damage_is_not_reported_on_standard_error(write: Writer, capfd: pytest.CaptureFixture[str]) -> None:
    decode(io.BytesIO(spoil(write(MP3, seconds=20.0), 0.5, 0.51)))
    refusal(half(write(M4A)))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_info_is_a_plain_value(write: Writer) -> None:
    assert probe(io.BytesIO(mono_wav(3.0))) == AudioInfo("wav", "pcm_s16le", SAMPLE_RATE, 1, 3.0)
