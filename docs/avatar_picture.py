"""Draws docs/avatar.jpg: the bundled portrait saying a sentence, above the sound of it.

    python docs/avatar_picture.py

It is made by the embedded engines, eSpeak NG and the mouth warp, in a few seconds.
"""

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from scipy.signal import resample_poly

from models.lipsync import FRAMES_PER_SECOND, Image, MouthWarpSettings, Shot, build
from models.samples import PORTRAIT
from models.speech import EspeakSettings, speak
from models.speech import build as build_speech
from models.video.avatar_file import read_avatar
from models.video.compositor import Compositor
from models.video.footage import open_footage
from models.video.types import AvatarLimits

TEXT = "Hello! How are you today?"
RATE = 16_000
LEAD_S = 0.2
SHOWN = 8
CROP = (slice(215, 590), slice(185, 535))
WIDTH, FRAME_HEIGHT, SOUND_HEIGHT, GAP = 1200, 159, 84, 4
INK, SOFT, PAPER = (27, 36, 38), (31, 111, 120), (255, 255, 255)


def speech() -> NDArray[np.float32]:
    """Return the sentence, mono at 16 kHz, with a little silence on both sides."""
    engine = build_speech(EspeakSettings())
    voice = next(voice for voice in engine.voices if "en" in voice.languages)
    chunks = list(speak(engine.load(voice.model), TEXT, voice=voice, language="en"))
    said = resample_poly(np.concatenate([chunk.samples for chunk in chunks]), RATE, chunks[0].sample_rate)
    return np.pad(said, round(LEAD_S * RATE)).astype(np.float32)


def film(pcm: NDArray[np.float32]) -> list[Image]:
    """Return the frames of the portrait that says it."""
    avatar = read_avatar(io.BytesIO(PORTRAIT.read_bytes()), AvatarLimits())
    footage = open_footage(avatar.data, avatar.kind)
    engine = build(MouthWarpSettings(blinks_per_minute=0))
    face = engine.prepare(footage.unique())
    loudness = float(20 * np.log10(np.sqrt(np.mean(pcm[np.abs(pcm) > 0.02] ** 2))))
    shot = Shot(pcm, 0, True, 0, round(len(pcm) / RATE * FRAMES_PER_SECOND), loudness)
    (patches,) = engine.animate([(face, shot)])
    return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in Compositor(footage, face).draw(patches)]


def picture(frames: list[Image], pcm: NDArray[np.float32]) -> Pillow.Image:
    """Return some of the frames, each above its place in the sound."""
    sheet = Pillow.new("RGB", (WIDTH, FRAME_HEIGHT + SOUND_HEIGHT + 26), PAPER)
    pen = ImageDraw.Draw(sheet)
    top, middle = FRAME_HEIGHT + 14, FRAME_HEIGHT + 14 + SOUND_HEIGHT // 2
    per_pixel = np.array_split(np.abs(pcm), WIDTH)
    for column, samples in enumerate(per_pixel):
        reach = float(samples.max()) / float(np.abs(pcm).max()) * SOUND_HEIGHT / 2
        pen.line((column, middle - reach, column, middle + reach), fill=SOFT)
    side = (WIDTH - GAP * (SHOWN - 1)) // SHOWN
    for number in range(SHOWN):
        centre = number * (side + GAP) + side // 2
        index = min(round(centre / WIDTH * len(frames)), len(frames) - 1)
        face = cv2.resize(frames[index][CROP], (side, FRAME_HEIGHT), interpolation=cv2.INTER_AREA)
        sheet.paste(Pillow.fromarray(np.ascontiguousarray(face[..., ::-1])), (centre - side // 2, 0))
        pen.line((centre, FRAME_HEIGHT, centre, top + SOUND_HEIGHT), fill=INK)
        pen.text(
            (centre, top + SOUND_HEIGHT), f"{index / FRAMES_PER_SECOND:.2f} s", INK, ImageFont.load_default(11), "ma"
        )
    return sheet


def main() -> None:
    """Write the picture."""
    pcm = speech()
    picture(film(pcm), pcm).save(Path(__file__).with_name("avatar.jpg"), quality=88, optimize=True)


if __name__ == "__main__":
    main()
