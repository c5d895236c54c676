"""Films: their fragments, their length, sound in step with the picture, and what they say of themselves."""

import io
from itertools import pairwise
from typing import Any, BinaryIO
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from video_files import boxes

from models.audio.encoding import TRAINED_ALGORITHMIC_MEDIA
from models.video.colours import Converter
from models.video.mark import FilmMark
from models.video.mp4 import FIRST_FRAGMENT_FRAMES, FRAGMENT_FRAMES, FRAGMENT_LAG_FRAMES, Mp4Writer

pytestmark = pytest.mark.unit

RATE = 22_050
WIDTH, HEIGHT = 128, 96
TAGS = FilmMark("mouth-warp", "espeak", "en-gb").tags()
CONVERTER = Converter()


def picture(grey: int = 40) -> VideoFrame:
    return CONVERTER.to_yuv(np.full((HEIGHT, WIDTH, 3), grey, np.uint8))


def writer(sink: BinaryIO | None = None, rate: int = RATE, **options: Any) -> Mp4Writer:
    return Mp4Writer(WIDTH, HEIGHT, rate, tags=TAGS, sink=sink, **options)


def silence(seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    return np.zeros(round(seconds * rate), np.float32)


def film(count: int, sound: NDArray[np.float32], *, fragmented: bool, rate: int = RATE, flash: int = -1) -> bytes:
    sink = None if fragmented else io.BytesIO()
    with writer(sink, rate) as target:
        target.write_audio(sound)
        data = b""
        for index in range(count):
            target.write_video(picture(230 if index == flash else 40))
            data += target.take()
        data += target.finish()
    return data if sink is None else sink.getvalue()


def pictures(data: bytes) -> list[tuple[float, float]]:
    """Return of each frame when it is seen, in seconds, and how light it is."""
    with av.open(io.BytesIO(data)) as container:
        return [(frame.time or 0.0, float(frame.to_ndarray()[:HEIGHT].mean())) for frame in container.decode(video=0)]


def sound_of(data: bytes) -> tuple[float, NDArray[np.float32]]:
    """Return when the sound begins, in seconds, and its samples at 48 kHz."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    return frames[0].time or 0.0, np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)


def test_a_streamed_film_is_its_index_and_then_fragments() -> None:
    kinds = [kind for kind, _ in boxes(film(60, silence(2.4), fragmented=True))]

    assert kinds == ["ftyp", "moov"] + ["moof", "mdat"] * 3 + ["uuid"]


def test_each_fragment_begins_with_a_key_frame_and_lasts_as_it_should() -> None:
    with av.open(io.BytesIO(film(80, silence(3.2), fragmented=True))) as container:
        keys = [
            packet.pts * packet.time_base for packet in container.demux(video=0) if packet.size and packet.is_keyframe
        ]
    numbers = [round(float(time) * 25) for time in keys]

    assert numbers == [0, *range(FIRST_FRAGMENT_FRAMES, 80, FRAGMENT_FRAMES)]


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_fragment_comes_out_with_the_second_frame_after_it(rate: int) -> None:
    """Sound is written frame by frame with the picture."""
    out: list[int] = []
    with writer(rate=rate) as target:
        for index in range(110):
            target.write_audio(silence(1 / 25, rate))
            target.write_video(picture())
            if target.take():
                out.append(index + 1)

    assert out == list(range(FIRST_FRAGMENT_FRAMES + FRAGMENT_LAG_FRAMES, 111, FRAGMENT_FRAMES))


def test_what_has_come_so_far_can_be_played() -> None:
    data = b""
    with writer() as target:
        target.write_audio(silence(2))
        for _ in range(40):
            target.write_video(picture())
            data += target.take()

    assert len(pictures(data)) == FIRST_FRAGMENT_FRAMES + FRAGMENT_FRAMES
    _, samples = sound_of(data)
    assert len(samples) / 48_000 == pytest.approx(36 / 25, abs=0.05)


def test_a_film_in_a_file_has_its_index_in_front() -> None:
    file = io.BytesIO()
    with writer(file) as target:
        target.write_audio(silence(1))
        for _ in range(25):
            target.write_video(picture())
        assert target.take() == b""
        assert target.finish() == b""

    assert not file.closed
    kinds = [kind for kind, _ in boxes(file.getvalue())]
    assert kinds[:2] == ["ftyp", "moov"]
    assert kinds[-2:] == ["mdat", "uuid"]
    assert len(pictures(file.getvalue())) == 25


@pytest.mark.parametrize("fragmented", [True, False])
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
def test_sound_and_picture_are_in_step(fragmented: bool, rate: int) -> None:
    """A click and a flash, both at 1.2 s."""
    sound = silence(2, rate)
    click = round(1.2 * rate)
    sound[click : click + rate // 100] = 0.9 * np.sin(np.arange(rate // 100) * 2 * np.pi * 1000 / rate)

    data = film(50, sound, fragmented=fragmented, rate=rate, flash=30)

    times = [time for time, light in pictures(data) if light > 150]
    start, samples = sound_of(data)
    heard = start + np.flatnonzero(np.abs(samples) > 0.3)[0] / 48_000
    assert times == [1.2]
    assert heard == pytest.approx(1.2, abs=0.002)


@pytest.mark.parametrize("fragmented", [True, False])
@pytest.mark.parametrize(("frames", "seconds"), [(30, 0.4), (10, 1.41), (25, 0.0), (25, 1.0)])
def test_picture_and_sound_end_together(fragmented: bool, frames: int, seconds: float) -> None:
    data = film(frames, silence(seconds), fragmented=fragmented)

    expected = max(frames, int(np.ceil(seconds * 25)))
    seen = pictures(data)
    start, samples = sound_of(data)
    assert [round(time * 25, 3) for time, _ in seen] == list(range(expected))
    assert start == pytest.approx(0.0, abs=0.001)
    assert start + len(samples) / 48_000 == pytest.approx(expected / 25, abs=1024 / 48_000)


@pytest.mark.parametrize("fragmented", [True, False])
def test_a_film_says_that_it_is_synthetic(fragmented: bool) -> None:
    data = film(15, silence(0.6), fragmented=fragmented)

    with av.open(io.BytesIO(data)) as container:
        tags = container.metadata
        picture_track, sound_track = container.streams.video[0].codec_context, container.streams.audio[0].codec_context
        assert (picture_track.name, picture_track.profile, picture_track.pix_fmt) == ("h264", "High", "yuv420p")
        assert (sound_track.name, sound_track.sample_rate, sound_track.layout.name) == ("aac", 48_000, "mono")
        assert not picture_track.has_b_frames
        colours = picture_track.color_range, picture_track.colorspace
        assert (*colours, picture_track.color_primaries, picture_track.color_trc) == (1, 1, 1, 1)
    assert tags["digital_source_type"] == TRAINED_ALGORITHMIC_MEDIA
    kind, xmp = boxes(data)[-1]
    assert kind == "uuid"
    description = ElementTree.fromstring(xmp[16:].decode()).find(".//{*}Description")
    assert description is not None
    assert TRAINED_ALGORITHMIC_MEDIA in description.attrib.values()
    assert tags["title"] == "Synthetic video"
    for word in ("mouth-warp", "espeak", "en-gb", TRAINED_ALGORITHMIC_MEDIA):
        assert word in tags["comment"]


def test_a_mark_of_sent_speech_names_no_voice() -> None:
    assert "speech as it was sent" in FilmMark("wav2lip").tags()["comment"]


def test_sound_that_is_no_number_or_too_loud_is_written_as_silence_or_clipped() -> None:
    sound = silence(1)
    sound[5000:6000], sound[10_000:11_000] = np.nan, 40.0

    _, samples = sound_of(film(25, sound, fragmented=True))

    assert np.isfinite(samples).all()
    assert np.abs(samples).max() < 2


def test_a_frame_of_another_size_is_refused() -> None:
    with writer() as target, pytest.raises(ValueError, match="96x96"):
        target.write_video(CONVERTER.to_yuv(np.zeros((96, 96, 3), np.uint8)))


def test_a_film_without_a_frame_is_refused() -> None:
    with writer() as target, pytest.raises(ValueError, match="frame"):
        target.finish()


@pytest.mark.parametrize("file", [None, io.BytesIO()])
def test_a_film_that_is_given_up_gets_no_end(file: BinaryIO | None) -> None:
    target = writer(file)
    target.write_audio(silence(2))
    for _ in range(30):
        target.write_video(picture())
    before = target.take()

    target.close()
    target.close()

    assert target.take() == b""
    assert [kind for kind, _ in boxes(before)][:1] == (["ftyp"] if file is None else [])
    assert file is None or b"moov" not in file.read()


def test_a_sink_that_fails_says_so() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            raise OSError(28, "No space left on device")

    with writer(Full()) as target, pytest.raises(OSError, match="No space left"):
        target.write_audio(silence(2))
        for _ in range(50):
            target.write_video(picture())
        target.finish()


def test_a_streamed_film_is_not_kept_in_memory() -> None:
    sizes: list[int] = []
    with writer() as target:
        for index in range(200):
            target.write_audio(silence(1 / 25))
            target.write_video(picture(40 + index % 3))
            sizes.append(len(target.take()))
    fragments = [size for size in sizes if size]

    assert len(fragments) == 8
    assert all(later < 3 * earlier for earlier, later in pairwise(fragments[1:]))


def test_an_encoder_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="x265"):
        writer(encoder="x265")


def test_hardware_that_is_not_there_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def add_stream(*arguments: Any, **options: Any) -> None:
        raise av.error.ExternalError(1, "no device")

    monkeypatch.setattr(
        "models.video.mp4._open", lambda sink: type("Nowhere", (), {"metadata": {}, "add_stream": add_stream})()
    )

    with pytest.raises(RuntimeError, match="libx264 works on every CPU"):
        writer(encoder="h264_nvenc")
