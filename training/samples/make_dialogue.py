"""Makes the bundled sample: two synthetic voices talking on a train, with the words and times as a reference.

    python -m training.samples.make_dialogue [FOLDER]

writes ``dialogue.flac`` and ``dialogue.json``, into models/samples where no folder is named. The voices are eSpeak
NG's, from the library in the ``espeakng-loader`` wheel, a dependency for development only. The lines are such that a
small recogniser can follow them: how well one does here says that it works, not how good it is. The same versions of
eSpeak NG, NumPy, SciPy and FFmpeg make the same bytes.
"""

import argparse
import ctypes
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, resample_poly

import models.samples

SAMPLE_RATE = 16_000
TITLE = "Two passengers on a train"
SPEECH_LEVEL_DBFS = -28.0
NOISE_LEVEL_DBFS = -64.0
SEED = 1
VOICED_LEVEL = 0.01
LEAD_S = 0.5


@dataclass(frozen=True, slots=True)
class Voice:
    """One of eSpeak NG's voices.

    Attributes:
        name: Language and variant.
        words_per_minute: Speed.
        pitch: 0 to 100.
        pitch_range: 0 to 100; 0 is monotonous.
        reflections: Delay in ms and gain of the room's first reflections, by where the speaker sits.
    """

    name: str
    words_per_minute: int
    pitch: int
    pitch_range: int
    reflections: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Sentence of one speaker, and the pause after it in seconds."""

    speaker: str
    text: str
    pause: float


VOICES = {
    "SPEAKER_00": Voice("en-us+edward", 160, 40, 50, ((3.1, 0.20), (7.9, 0.10), (13.7, 0.05))),
    "SPEAKER_01": Voice("en-us+f5", 160, 55, 50, ((4.3, 0.18), (9.7, 0.09), (17.3, 0.05))),
}

LINES = (
    Line("SPEAKER_00", "Excuse me. Is this seat taken?", 0.4),
    Line("SPEAKER_01", "No, please sit down. The train is almost empty today.", 0.5),
    Line("SPEAKER_00", "Thank you. Are you going to the city?", 0.4),
    Line("SPEAKER_01", "Yes, I am going to a meeting with my company.", 0.5),
    Line("SPEAKER_00", "I am on my way to see my brother. He lives near the river.", 0.6),
    Line("SPEAKER_01", "That must be a beautiful place to live.", 0.4),
    Line("SPEAKER_00", "How often do you travel by train?", 0.5),
    Line("SPEAKER_01", "Two or three times a month.", 0.4),
    Line("SPEAKER_00", "This is my station. Have a good day.", 0.5),
    Line("SPEAKER_01", "Thank you. Have a wonderful day with your brother.", 0.6),
)


class ESpeak:
    """eSpeak NG in this process, through its C interface (``espeak-ng/speak_lib.h``)."""

    _RETRIEVAL = 1
    _UTF8 = 1
    _RATE, _PITCH, _RANGE = 1, 3, 4
    _CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

    def __init__(self) -> None:
        import espeakng_loader  # type: ignore[import-untyped]

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._chunks: list[NDArray[np.int16]] = []
        self._keep = self._CALLBACK(self._receive)
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate: int = self._library.espeak_Initialize(self._RETRIEVAL, 0, data, 0)
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG does not start with the data in {data.decode()}")
        self._library.espeak_SetSynthCallback(self._keep)

    def speak(self, text: str, voice: Voice) -> NDArray[np.float32]:
        """Speak a text; returns mono float32 in [-1, 1] at ``sample_rate``, shape [samples]."""
        if self._library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {voice.name!r}")
        settings = {self._RATE: voice.words_per_minute, self._PITCH: voice.pitch, self._RANGE: voice.pitch_range}
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        # Breath and friction are random: each text starts from the same seed, whatever was spoken before.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
        self._chunks = []
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, self._UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._chunks).astype(np.float32) / np.float32(32768)

    def _receive(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def main() -> None:
    """Write the sample and its reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(models.samples.__file__).parent)
    folder: Path = parser.parse_args().folder
    pcm, turns = dialogue()
    write_flac(folder / "dialogue.flac", pcm)
    reference = {
        "title": TITLE,
        "language": "en",
        "sample_rate": SAMPLE_RATE,
        "duration": round(len(pcm) / SAMPLE_RATE, 3),
        "turns": turns,
    }
    (folder / "dialogue.json").write_text(json.dumps(reference, indent=2) + "\n")


def dialogue() -> tuple[NDArray[np.float32], list[dict[str, object]]]:
    """Speak all lines in a quiet room; returns mono float32 at 16 kHz and the reference turns."""
    espeak = ESpeak()
    pieces = [np.zeros(round(LEAD_S * SAMPLE_RATE), np.float32)]
    turns: list[dict[str, object]] = []
    position = len(pieces[0])
    for line in LINES:
        voice = VOICES[line.speaker]
        sound = at_level(trimmed(resampled(espeak.speak(line.text, voice), espeak.sample_rate)), SPEECH_LEVEL_DBFS)
        turns.append(
            {
                "speaker": line.speaker,
                "start": round(position / SAMPLE_RATE, 3),
                "end": round((position + len(sound)) / SAMPLE_RATE, 3),
                "text": line.text,
                "words": re.findall(r"[a-z']+", line.text.lower()),
            }
        )
        pause = np.zeros(round(line.pause * SAMPLE_RATE), np.float32)
        pieces.append(in_room(np.concatenate([sound, pause]), voice))
        position += len(pieces[-1])
    pcm = np.concatenate(pieces)
    noise = np.random.default_rng(SEED).standard_normal(len(pcm)).astype(np.float32)
    return pcm + noise * np.float32(10 ** (NOISE_LEVEL_DBFS / 20)), turns


def resampled(pcm: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Resample to 16 kHz."""
    ratio = Fraction(SAMPLE_RATE, sample_rate)
    return resample_poly(pcm, ratio.numerator, ratio.denominator).astype(np.float32)


def trimmed(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the silence off both ends."""
    voiced = np.flatnonzero(np.abs(pcm) > VOICED_LEVEL)
    return pcm[voiced[0] : voiced[-1] + 1]


def at_level(pcm: NDArray[np.float32], dbfs: float) -> NDArray[np.float32]:
    """Scale to a root mean square level."""
    return pcm * np.float32(10 ** (dbfs / 20) / np.sqrt(np.mean(np.square(pcm))))


def in_room(pcm: NDArray[np.float32], voice: Voice) -> NDArray[np.float32]:
    """Add the room's first reflections; the length stays."""
    response = np.zeros(SAMPLE_RATE // 20, np.float32)
    response[0] = 1.0
    for delay_ms, gain in voice.reflections:
        response[round(delay_ms * SAMPLE_RATE / 1000)] += gain
    return fftconvolve(pcm, response)[: len(pcm)].astype(np.float32)


def write_flac(path: Path, pcm: NDArray[np.float32]) -> None:
    """Write mono 16-bit FLAC at 16 kHz."""
    samples = np.round(np.clip(pcm, -1.0, 1.0) * 32767).astype(np.int16)
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        stream.codec_context.format = "s16"
        stream.codec_context.options = {"compression_level": "12"}
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


if __name__ == "__main__":
    main()
