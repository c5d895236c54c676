"""Pictures as avatars: what is accepted, what is made of it, and what is refused with which words."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms, PngImagePlugin
from video_files import QUARTERS, near, quarters, saved, seen_quarters

from models.errors import InputError
from models.lipsync import Image
from models.video.avatar_file import read_avatar
from models.video.footage import open_footage
from models.video.stills import BACKGROUND
from models.video.types import AvatarFile, AvatarLimits

pytestmark = pytest.mark.unit

LIMITS = AvatarLimits(max_bytes=1_000_000, max_pixels=400_000, min_side=96, max_side=320)


def read(file: io.BytesIO, limits: AvatarLimits = LIMITS) -> AvatarFile:
    return read_avatar(file, limits)


def shown(avatar: AvatarFile) -> Image:
    return next(open_footage(avatar.data, avatar.kind).unique())


def refused(file: io.BytesIO, limits: AvatarLimits = LIMITS) -> InputError:
    with pytest.raises(InputError) as caught:
        read_avatar(file, limits)
    assert caught.value.field == "file"
    return caught.value


@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"quality": 95})])
def test_a_picture_is_kept_as_it_is_where_it_is_small_enough(format: str, options: dict[str, Any]) -> None:
    avatar = read(saved(quarters(200, 120), format, **options))

    assert (avatar.kind, avatar.frames, avatar.width, avatar.height) == ("still", 1, 200, 120)
    assert avatar.data.startswith(b"\x89PNG")
    assert near(seen_quarters(shown(avatar)), QUARTERS)
    with Pillow.open(io.BytesIO(avatar.picture), formats=["JPEG"]) as picture:
        assert picture.size == (200, 120)


def test_equal_pictures_give_equal_avatars_and_others_do_not() -> None:
    first, again = read(saved(quarters(200, 120), "JPEG")), read(saved(quarters(200, 120), "JPEG"))
    other = read(saved(quarters(202, 120), "JPEG"))

    assert first == again
    assert len(first.content_hash) == 64 != other.content_hash
    assert first.content_hash != other.content_hash


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_large_picture_is_made_smaller(format: str) -> None:
    avatar = read(saved(quarters(700, 500), format))

    assert (avatar.width, avatar.height) == (320, 228)
    assert near(seen_quarters(shown(avatar)), QUARTERS)


def test_a_huge_jpeg_is_decoded_at_a_part_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(quarters(2000, 1600), "JPEG")
    decoded: list[tuple[int, int]] = []
    load = Pillow.Image.load
    monkeypatch.setattr(Pillow.Image, "load", lambda self: (decoded.append(self.size), load(self))[1])

    read(file, AvatarLimits(max_side=160))

    assert max(max(size) for size in decoded) == 500


def test_odd_sides_lose_a_line() -> None:
    avatar = read(saved(quarters(201, 121), "PNG"))

    assert (avatar.width, avatar.height) == (200, 120)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says_and_loses_its_metadata(orientation: int) -> None:
    upright = quarters(200, 120)
    undo = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "taken at home"
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright

    avatar = read(saved(stored, "JPEG", quality=95, exif=exif))

    assert (avatar.width, avatar.height) == (200, 120)
    assert near(seen_quarters(shown(avatar)), QUARTERS)
    for data in (avatar.data, avatar.picture):
        assert b"taken at home" not in data
        assert b"Exif" not in data


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_spoil_a_picture() -> None:
    avatar = read(saved(quarters(200, 120), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\xff\xff"))

    assert near(seen_quarters(shown(avatar)), QUARTERS)


def test_transparent_parts_show_a_plain_wall() -> None:
    picture = quarters(200, 120).convert("RGBA")
    picture.paste((255, 0, 0, 0), (0, 0, 100, 60))
    palette = quarters(200, 120).quantize(4)
    hidden = palette.getpixel((10, 10))

    for file in (
        saved(picture, "PNG"),
        saved(picture, "WEBP", lossless=True),
        saved(palette, "PNG", transparency=hidden),
    ):
        assert near(seen_quarters(shown(read(file))), (BACKGROUND, *QUARTERS[1:]))


@pytest.mark.parametrize(
    ("picture", "wanted"),
    [
        (Pillow.new("CMYK", (128, 128), (0, 0, 0, 128)), 127),
        (Pillow.new("L", (128, 128), 90), 90),
        (Pillow.new("1", (128, 128), 1), 255),
        (Pillow.fromarray(np.full((128, 128), 100 * 257, np.uint16)), 100),
        (Pillow.new("LA", (128, 128), (90, 255)), 90),
    ],
    ids=["CMYK", "grey", "two colours", "16 bits", "grey with transparency"],
)
def test_every_kind_of_picture_becomes_one_of_eight_bits(picture: Pillow.Image, wanted: int) -> None:
    avatar = read(saved(picture, "JPEG" if picture.mode == "CMYK" else "PNG"))

    assert near([tuple(int(value) for value in shown(avatar)[60, 60])], [(wanted,) * 3], 2)


def test_colours_of_a_profile_become_those_of_the_web() -> None:
    with_profile = quarters(200, 120)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"temp").replace(b"bXYZ", b"rXYZ").replace(b"temp", b"bXYZ")

    same = shown(read(saved(with_profile, "PNG", icc_profile=srgb)))
    other = shown(read(saved(with_profile, "PNG", icc_profile=swapped)))
    broken = shown(read(saved(with_profile, "PNG", icc_profile=b"no profile")))

    assert near(seen_quarters(same), QUARTERS, 2)
    assert near(seen_quarters(other), [colour[::-1] for colour in QUARTERS], 2)
    assert near(seen_quarters(broken), QUARTERS, 0)


def test_what_is_not_a_picture_nor_a_clip_is_refused() -> None:
    gif = saved(quarters(200, 120), "GIF")

    assert refused(io.BytesIO()).code == "empty_file"
    assert refused(io.BytesIO(b"hello" * 100)).code == "unsupported_media"
    assert refused(gif).code == "unsupported_media"
    assert "JPEG" in refused(gif).message
    assert refused(io.BytesIO(b"\0\0\0\x1cftypheic" + bytes(100))).code == "unsupported_media"


def test_a_file_over_the_limit_of_bytes_is_not_read() -> None:
    error = refused(io.BytesIO(bytes(2000)), AvatarLimits(max_bytes=1999))

    assert error.code == "too_large"
    assert "1999" in error.message


@pytest.mark.parametrize(("width", "height"), [(90, 200), (200, 90)])
def test_a_picture_that_is_too_small_is_refused(width: int, height: int) -> None:
    error = refused(saved(quarters(width, height), "PNG"))

    assert error.code == "too_small"
    assert "96" in error.message


def test_a_picture_that_is_too_small_once_it_is_bounded_is_refused() -> None:
    assert refused(saved(quarters(1000, 100), "PNG")).code == "too_small"


def png_of_size(width: int, height: int) -> io.BytesIO:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def jpeg_of_size(width: int, height: int) -> io.BytesIO:
    data = bytearray(saved(quarters(128, 128), "JPEG").getvalue())
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return io.BytesIO(bytes(data))


def webp_of_size(width: int, height: int) -> io.BytesIO:
    data = bytearray(saved(quarters(128, 128), "WEBP", lossless=True).getvalue())
    data[21:25] = (int.from_bytes(data[21:25], "little") & ~0xFFFFFFF | width - 1 | height - 1 << 14).to_bytes(
        4, "little"
    )
    return io.BytesIO(bytes(data))


@pytest.mark.parametrize("bomb", [png_of_size, jpeg_of_size, webp_of_size])
def test_a_bomb_is_refused_by_its_header(bomb: Any) -> None:
    error = refused(bomb(16_000, 16_000))

    assert error.code == "too_many_pixels"
    assert "400000" in error.message


def test_texts_and_profiles_that_unpack_to_much_more_are_refused() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("comment", "x" * 5_000_000, zip=True)

    assert refused(saved(quarters(128, 128), "PNG", pnginfo=texts)).code == "damaged"
    assert refused(saved(quarters(128, 128), "PNG", icc_profile=bytes(5_000_000))).code == "damaged"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    data = saved(quarters(128, 128), "JPEG", progressive=True).getvalue()
    scan = data.rindex(b"\xff\xda")
    file = io.BytesIO(data[:scan] + data[scan:-2] * 200 + data[-2:])

    assert "100" in refused(file).message
    assert read(io.BytesIO(data)).kind == "still"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_picture_is_refused(format: str) -> None:
    data = saved(Pillow.effect_noise((200, 200), 90).convert("RGB"), format).getvalue()

    for kept in (40, len(data) // 2, len(data) - 100):
        assert refused(io.BytesIO(data[:kept])).code == "damaged"


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_an_animated_picture_is_refused(format: str) -> None:
    file = saved(quarters(128, 128), format, save_all=True, append_images=[quarters(128, 128).rotate(90)])

    assert refused(file).code == "animated"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_noise_in_a_picture_never_raises_anything_else() -> None:
    rng = np.random.default_rng(1)
    for format in ("PNG", "JPEG", "WEBP"):
        data = saved(quarters(128, 128), format).getvalue()
        for _ in range(20):
            noisy = bytearray(data)
            for position in rng.integers(12, len(data), 5):
                noisy[position] ^= int(rng.integers(1, 256))
            try:
                read(io.BytesIO(bytes(noisy)))
            except InputError as error:
                assert error.code in {"damaged", "too_many_pixels", "too_small", "unsupported_media", "animated"}


def test_a_source_that_fails_is_not_taken_for_a_bad_picture() -> None:
    class Failing(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            if self.tell():
                raise ConnectionError("the store is away")
            return super().read(count)

    noise = Pillow.effect_noise((600, 600), 90)
    with pytest.raises(ConnectionError):
        read(Failing(saved(noise, "PNG").getvalue()))
