"""Pictures and clips to make avatars of, and files that are none; everything is made of the bundled portrait."""

import io
import struct
import zlib
from functools import cache

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from models.samples import PORTRAIT

Picture = NDArray[np.uint8]
"""uint8[height, width, 3], BGR."""


@cache
def _portrait() -> Picture:
    picture = cv2.imdecode(np.frombuffer(PORTRAIT.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    picture.flags.writeable = False
    return picture.astype(np.uint8, copy=False)


def face_picture(width: int = 360, height: int = 400, *, flip: bool = False, warmth: float = 0.0) -> Picture:
    """Return a portrait that fills the picture; its middle, where the shapes differ.

    Args:
        width: In pixels.
        height: In pixels.
        flip: Whether it looks like in a mirror.
        warmth: -1 to 1: bluer or redder, so that two pictures of one size can be told apart.
    """
    source = _portrait()
    scale = max(width / source.shape[1], height / source.shape[0])
    whole = cv2.resize(
        source,
        (max(width, round(source.shape[1] * scale)), max(height, round(source.shape[0] * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )
    top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    picture = whole[top : top + height, left : left + width].astype(np.float32)
    picture *= 1 + 0.15 * warmth * np.array([-1, 0, 1], np.float32)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(picture[:, ::-1] if flip else picture)


def two_faces() -> tuple[Picture, tuple[int, int, int, int]]:
    """Return a picture with a large and a small face, uint8[400, 600, 3], and left, top, right, bottom of the large."""
    small = face_picture(180, 200, flip=True)
    picture = np.tile(small[:1, :1], (400, 600, 1))
    picture[:, :360] = face_picture(360, 400)
    picture[150:350, 400:580] = small
    return picture, (110, 90, 250, 282)


def no_face(width: int = 360, height: int = 400) -> Picture:
    """Return hills below a sky."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    hills = height * (0.6 + 0.08 * np.sin(columns / width * 5) + 0.03 * np.sin(columns / width * 13))
    sky = np.stack([225 - rows * 0.1, 190 - rows * 0.12, 150 - rows * 0.1], axis=2)
    land = np.stack([60 + rows * 0.02, 110 - rows * 0.05, 80 + rows * 0.03], axis=2)
    return np.clip(np.where((rows > hills)[..., None], land, sky), 0, 255).astype(np.uint8)


def as_png(picture: Picture) -> bytes:
    """Return a PNG file."""
    return _encoded(".png", picture)


def as_jpeg(picture: Picture, quality: int = 92) -> bytes:
    """Return a JPEG file."""
    return _encoded(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _encoded(ending: str, picture: Picture, options: list[int] | None = None) -> bytes:
    fine, data = cv2.imencode(ending, picture, options or [])
    assert fine
    return data.tobytes()


def bomb_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """Return a small, valid PNG of grey that unpacks to gigabytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(min(height, 2000))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def animated(kind: str = "GIF") -> bytes:
    """Return a moving picture of three frames: ``GIF``, ``WEBP`` or ``PNG``."""
    portrait = np.ascontiguousarray(face_picture(180, 200)[..., ::-1])
    frames = [Pillow.fromarray(np.roll(portrait, step, axis=1)) for step in (0, 4, 8)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=80, loop=0)
    return file.getvalue()


def moving_faces(count: int = 30, width: int = 240, height: int = 266) -> list[Picture]:
    """Return frames in which the head sways and comes a little nearer."""
    large = face_picture(width + 48, height + 54)
    frames = []
    for index in range(count):
        turn = 2 * np.pi * index / max(count, 2)
        zoom = 1 + 0.03 * np.sin(turn)
        across, down = -24 + 10 * np.sin(turn), -27 + 5 * np.cos(turn)
        shift = np.array([[zoom, 0, across * zoom], [0, zoom, down * zoom]])
        frames.append(cv2.warpAffine(large, shift, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8))
    return frames


@cache
def moving_clip(
    seconds: float = 1.2,
    rate: int = 25,
    width: int = 240,
    height: int = 266,
    *,
    container: str = "mp4",
    sound: bool = True,
) -> bytes:
    """Return a film of a moving face, with a tone where ``sound`` is asked for: ``mp4``, ``mov`` or ``webm``."""
    return as_clip(moving_faces(round(seconds * rate), width, height), rate, container=container, sound=sound)


def as_clip(frames: list[Picture], rate: int = 25, *, container: str = "mp4", sound: bool = False) -> bytes:
    """Return pictures of one size as a film."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as film:
        webm = container == "webm"
        video = film.add_stream("libvpx" if webm else "libx264", rate=rate)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.options = {"deadline": "realtime", "cpu-used": "8"} if webm else {"preset": "ultrafast", "crf": "20"}
        audio = film.add_stream("libopus" if webm else "aac", rate=48_000, layout="mono") if sound else None
        for picture in frames:
            film.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        film.mux(video.encode())
        if audio is not None:
            tone = np.sin(np.arange(round(48_000 * len(frames) / rate)) * 0.03).astype(np.float32) * 0.1
            heard = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            heard.sample_rate = 48_000
            film.mux(audio.encode(heard))
            film.mux(audio.encode())
    return file.getvalue()
