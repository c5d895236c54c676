"""Clips as avatars: what is accepted, what is made of it, and what is refused with which words."""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, VideoReformatter
from PIL import Image as Pillow
from video_files import QUARTERS, clip, near, number_of, numbered, quarters, seen_quarters, turned

from models.audio.encoding import encode
from models.errors import InputError
from models.lipsync import Image
from models.video.avatar_file import read_avatar
from models.video.clips import GROUP_FRAMES
from models.video.footage import open_footage
from models.video.types import AvatarFile, AvatarLimits

pytestmark = [pytest.mark.unit, pytest.mark.slow]

LIMITS = AvatarLimits(max_bytes=3_000_000, max_pixels=100_000, max_side=320, max_clip_seconds=2.0)


def read(file: io.BytesIO, limits: AvatarLimits = LIMITS) -> AvatarFile:
    return read_avatar(file, limits)


def shown(avatar: AvatarFile) -> list[Image]:
    return list(open_footage(avatar.data, avatar.kind).unique())


def refused(file: io.BytesIO, limits: AvatarLimits = LIMITS) -> InputError:
    with pytest.raises(InputError) as caught:
        read_avatar(file, limits)
    assert caught.value.field == "file"
    return caught.value


def still(width: int = 200, height: int = 120, frames: int = 15) -> list[Image]:
    return [np.ascontiguousarray(np.asarray(quarters(width, height))[:, :, ::-1])] * frames


@pytest.mark.parametrize(
    ("format", "codec"),
    [("mp4", "libx264"), ("mov", "libx264"), ("matroska", "libx264"), ("webm", "libvpx"), ("mov", "mjpeg")],
)
def test_a_clip_keeps_its_frames(format: str, codec: str) -> None:
    avatar = read(clip(numbered(30), format=format, codec=codec))

    assert (avatar.kind, avatar.width, avatar.height, avatar.frames) == ("clip", 128, 96, 30)
    numbers = np.array([number_of(frame) for frame in shown(avatar)])
    assert np.abs(numbers - np.arange(30)).max() <= (codec == "libvpx")
    with Pillow.open(io.BytesIO(avatar.picture), formats=["JPEG"]) as picture:
        assert picture.size == (128, 96)
        assert number_of(np.asarray(picture)) == 0


def test_what_is_kept_has_no_sound_and_a_key_frame_every_half_second() -> None:
    avatar = read(clip(numbered(30)))

    with av.open(io.BytesIO(avatar.data)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.streams.video[0].average_rate == 25
        keys = [packet.is_keyframe for packet in container.demux() if packet.size]
    assert [index for index, key in enumerate(keys) if key] == list(range(0, 30, GROUP_FRAMES))


def test_equal_clips_give_equal_avatars() -> None:
    rng = np.random.default_rng(3)
    noise = [rng.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(15)]

    assert read(clip(noise)) == read(clip(noise))


@pytest.mark.parametrize(("rate", "count"), [(50, 60), (30, 30), (10, 12)])
def test_any_frame_rate_becomes_25(rate: int, count: int) -> None:
    numbers = [number_of(frame) for frame in shown(read(clip(numbered(count), rate=rate)))]

    assert len(numbers) == pytest.approx(25 * count / rate, abs=1)
    for index, number in enumerate(numbers):
        assert abs(number / rate - index / 25) <= max(0.5 / 25 + 0.5 / rate, 1 / rate)


def test_frames_at_uneven_times_are_shown_at_their_times() -> None:
    times = [0.0, 0.04, 0.08, 0.5, 0.51, 0.52, 0.8]
    numbers = [number_of(frame) for frame in shown(read(clip(numbered(7), times=times)))]

    assert numbers[:3] == [0, 1, 2]
    assert set(numbers[3:12]) == {2}
    assert numbers[13:20] == [5] * 7
    assert numbers[20] == 6


@pytest.mark.parametrize(
    ("matrix", "transpose"),
    [
        ((0, 1, -1, 0), Pillow.Transpose.ROTATE_90),
        ((-1, 0, 0, -1), Pillow.Transpose.ROTATE_180),
        ((0, -1, 1, 0), Pillow.Transpose.ROTATE_270),
        ((-1, 0, 0, 1), Pillow.Transpose.FLIP_LEFT_RIGHT),
    ],
    ids=["a quarter to the right", "upside down", "a quarter to the left", "mirrored"],
)
def test_a_clip_is_turned_as_its_matrix_says(matrix: tuple[int, int, int, int], transpose: Pillow.Transpose) -> None:
    stored = np.ascontiguousarray(np.asarray(quarters(200, 120).transpose(transpose))[:, :, ::-1])

    avatar = read(turned(clip([stored] * 15), matrix))

    assert (avatar.width, avatar.height) == (200, 120)
    assert near(seen_quarters(shown(avatar)[0]), QUARTERS)


def test_a_large_clip_is_made_smaller() -> None:
    avatar = read(clip(still(402, 246)))

    assert (avatar.width, avatar.height) == (320, 196)
    assert near(seen_quarters(shown(avatar)[0]), QUARTERS)


def test_pixels_that_are_not_square_become_square() -> None:
    avatar = read(clip(still(100, 120), aspect=Fraction(2)))

    assert (avatar.width, avatar.height) == (200, 120)


def test_colours_of_a_clip_that_does_not_name_them_are_those_of_its_size() -> None:
    assert near(seen_quarters(shown(read(clip(still(), untagged=True)))[0]), QUARTERS)
    assert near(seen_quarters(shown(read(clip(still(), untagged=False)))[0]), QUARTERS)


def test_high_dynamic_range_is_brought_into_that_of_films(monkeypatch: pytest.MonkeyPatch) -> None:
    """What swscale is asked for; its table of colours takes it a second or two."""
    asked: list[object] = []

    class Reformatter:
        def reformat(self, frame: VideoFrame, **options: Any) -> VideoFrame:
            asked.append((options.pop("dst_color_trc"), options.pop("dst_color_primaries")))
            return VideoReformatter().reformat(frame, **options)

    monkeypatch.setattr("models.video.clips.VideoReformatter", Reformatter)

    read(clip(still(), hlg=True))
    read(clip(still()))

    assert asked == [(ColorTrc.BT709, ColorPrimaries.BT709)] * 15 + [(None, None)] * 15


def test_a_clip_of_the_wrong_length_is_refused() -> None:
    by_header, by_frames, short = (refused(clip(numbered(count))) for count in (90, 51, 12))

    assert (by_header.code, by_frames.code, short.code) == ("too_long", "too_long", "too_short")
    assert "2 s" in by_header.message
    assert "2 s" in by_frames.message
    assert "0.5 s" in short.message
    assert read(clip(numbered(50))).frames == 50


def test_a_clip_of_too_many_frames_is_refused() -> None:
    limits = AvatarLimits(min_clip_seconds=0.0, max_clip_seconds=0.1)

    assert refused(clip([next(numbered(1))] * 26, rate=500), limits).code == "too_many_frames"


def test_a_clip_of_the_wrong_size_is_refused() -> None:
    large, small = refused(clip(still(500, 300))), refused(clip(still(90, 120)))

    assert (large.code, small.code) == ("too_many_pixels", "too_small")
    assert "100000" in large.message
    assert "96" in small.message


def test_a_clip_that_is_cut_off_is_refused() -> None:
    rng = np.random.default_rng(4)
    file = clip([rng.integers(0, 256, (120, 200, 3), np.uint8) for _ in range(25)])
    with av.open(file) as container, av.open(io.BytesIO(), "w", format="mp4"):
        assert container.duration
    front = io.BytesIO()
    file.seek(0)
    with av.open(file) as source, av.open(front, "w", format="mp4", options={"movflags": "frag_keyframe"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)

    assert refused(io.BytesIO(file.getvalue()[:-2000])).code == "damaged"
    assert refused(io.BytesIO(front.getvalue()[: len(front.getvalue()) // 8])).code in ("damaged", "too_short")


def test_what_opens_other_files_is_refused() -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    concat = b"ffconcat version 1.0\nfile /etc/passwd\n"

    for script in (playlist, concat):
        assert refused(io.BytesIO(script)).code == "unsupported_media"


def test_sound_alone_is_no_avatar() -> None:
    tone = np.sin(np.arange(16_000) / 10).astype(np.float32)

    assert refused(io.BytesIO(encode([tone], "wav", 16_000))).code == "unsupported_media"
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert refused(file).code == "no_video"


def test_noise_in_a_clip_never_raises_anything_else() -> None:
    rng = np.random.default_rng(2)
    data = clip(still(frames=20)).getvalue()
    for _ in range(10):
        noisy = bytearray(data)
        for position in rng.integers(12, len(data), 5):
            noisy[position] ^= int(rng.integers(1, 256))
        try:
            read(io.BytesIO(bytes(noisy)))
        except InputError:
            continue
