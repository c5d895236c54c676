"""Files written while their samples come: what they hold, when their bytes come, and what they say of themselves."""

import io
import struct

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio import AUDIO_FORMATS, AudioEncoder, AudioFormat, SyntheticMark, decode, encode
from models.audio.encoding import TRAINED_ALGORITHMIC_MEDIA, sample_rate_of
from models.errors import InputError

pytestmark = pytest.mark.unit

RATE = 22_050
MARK = SyntheticMark("espeak", "en-us")
CONTAINERS: tuple[AudioFormat, ...] = tuple(name for name in AUDIO_FORMATS if name != "pcm")


def tone(seconds: float = 1.0, rate: int = RATE, level: float = 0.4) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def streamed(format: AudioFormat, samples: NDArray[np.float32], rate: int | None = None, block: int = 500) -> bytes:
    encoder = AudioEncoder(format, RATE, rate, MARK)
    written = [encoder.write(samples[start : start + block]) for start in range(0, len(samples), block)]
    return b"".join([*written, encoder.finish()])


def pitch(samples: NDArray[np.float32], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * rate / len(samples))


def described(file: bytes) -> dict[str, str]:
    with av.open(io.BytesIO(file)) as container:
        return {**container.metadata, **container.streams[0].metadata}


@pytest.mark.parametrize("format", CONTAINERS)
@pytest.mark.parametrize("rate", [None, 16_000, 48_000])
def test_a_streamed_file_holds_the_sound_that_was_written(format: AudioFormat, rate: int | None) -> None:
    heard = decode(io.BytesIO(streamed(format, tone(), rate)))
    assert len(heard) / 16_000 == pytest.approx(1.0, abs=0.12)
    assert pitch(heard[2000:14_000], 16_000) == pytest.approx(440, abs=3)
    assert np.sqrt(np.mean(heard[4000:12_000] ** 2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("format", CONTAINERS)
def test_a_whole_file_tells_its_length_and_its_rate(format: AudioFormat) -> None:
    with av.open(io.BytesIO(encode([tone(), tone()], format, RATE, 24_000, MARK))) as container:
        stream = container.streams.audio[0]
        assert stream.rate == (48_000 if format == "opus" else 24_000)
        assert stream.channels == 1
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(2.0, abs=0.12)


@pytest.mark.parametrize("format", CONTAINERS)
@pytest.mark.parametrize("whole", [True, False])
def test_every_file_says_that_it_is_synthetic(format: AudioFormat, whole: bool) -> None:
    tags = described(encode([tone()], format, RATE, tags=MARK) if whole else streamed(format, tone()))
    assert "Synthetic speech" in tags["comment"]
    assert TRAINED_ALGORITHMIC_MEDIA in tags["comment"]
    assert "espeak" in tags["comment"] and "en-us" in tags["comment"]
    assert tags["encoded_by"] == "VoiceGraph"
    if format != "wav":
        assert tags["digital_source_type"] == TRAINED_ALGORITHMIC_MEDIA


@pytest.mark.parametrize("format", CONTAINERS)
def test_a_file_without_a_mark_says_nothing_of_the_kind(format: AudioFormat) -> None:
    assert b"ynthetic" not in encode([tone(0.2)], format, RATE)


@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_sound_is_not_held_back_for_half_a_second(format: AudioFormat) -> None:
    encoder = AudioEncoder(format, RATE, tags=MARK)
    block = tone(0.05)
    sizes = [len(encoder.write(block)) for _block in range(40)]
    # Half of a second after the first header, and in every half second from then on.
    assert all(sum(sizes[start : start + 10]) for start in range(31))


def test_a_streamed_wav_is_of_unknown_length_and_a_whole_one_of_its_own() -> None:
    unknown, known = streamed("wav", tone()), encode([tone()], "wav", RATE, tags=MARK)
    assert unknown[4:8] == b"\xff" * 4
    assert unknown[-2 * RATE - 4 : -2 * RATE] == b"\xff" * 4
    assert struct.unpack("<I", known[4:8])[0] == len(known) - 8
    assert struct.unpack("<I", known[-2 * RATE - 4 : -2 * RATE])[0] == 2 * RATE
    assert unknown[-2 * RATE :] == known[-2 * RATE :]


def test_bare_samples_are_little_endian_and_their_media_type_says_what_they_are() -> None:
    encoder = AudioEncoder("pcm", 24_000)
    data = encoder.write(np.array([0, 0.5, -0.5, 1, -1], np.float32)) + encoder.finish()
    np.testing.assert_array_equal(np.frombuffer(data, "<i2"), [0, 16_384, -16_384, 32_767, -32_767])
    assert encoder.media_type == "audio/pcm;rate=24000;channels=1;bits=16"


@pytest.mark.parametrize("rate", [RATE, 16_000])
def test_what_is_too_loud_is_clipped_and_what_is_no_number_is_silent(rate: int) -> None:
    loud = np.concatenate([tone(level=5.0), np.full(100, np.nan, np.float32), np.full(100, np.inf, np.float32)])
    samples = np.frombuffer(encode([loud], "pcm", RATE, rate), "<i2")
    # A sample that wrapped around would be as loud, of the other sign.
    smooth = samples[: rate // 2].astype(np.int64)
    assert smooth.max() == 32_767 and smooth.min() == -32_767
    assert np.abs(np.diff(smooth)).max() < 40_000
    expected = np.clip(tone(0.5, rate, 5.0), -1, 1) * 32_767
    assert np.corrcoef(smooth[: len(expected)], expected)[0, 1] > 0.99


@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_no_samples_make_a_file_all_the_same(format: AudioFormat) -> None:
    encoder = AudioEncoder(format, RATE, tags=MARK)
    assert encoder.write(np.empty(0, np.float32)) is not None
    file = encoder.finish() if format != "wav" else encode([], format, RATE, tags=MARK)
    if format == "pcm":
        assert file == b""
    else:
        assert "Synthetic" in described(file)["comment"]


def test_samples_of_several_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        AudioEncoder("wav", RATE).write(np.zeros((2, 100), np.float32))


@pytest.mark.parametrize(
    ("format", "input_rate", "output_rate", "expected"),
    [
        ("wav", 22_050, None, 22_050),
        ("wav", 96_000, None, 48_000),
        ("flac", 8_000, 44_100, 44_100),
        ("opus", 22_050, None, 24_000),
        ("opus", 44_100, None, 48_000),
        ("mp3", 16_000, None, 16_000),
        ("mp3", 20_000, None, 22_050),
    ],
)
def test_the_rate_is_the_one_asked_for_or_the_least_that_loses_nothing(
    format: AudioFormat, input_rate: int, output_rate: int | None, expected: int
) -> None:
    assert sample_rate_of(format, input_rate, output_rate) == expected


@pytest.mark.parametrize(
    ("format", "rate", "said"), [("opus", 44_100, "24000"), ("wav", 7_999, "8000 to 48000"), ("pcm", 96_000, "48000")]
)
def test_a_rate_that_a_format_lacks_is_refused(format: AudioFormat, rate: int, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        AudioEncoder(format, RATE, rate)
    assert (refused.value.code, refused.value.field) == ("unsupported_sample_rate", "sample_rate")
