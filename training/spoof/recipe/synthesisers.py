"""Every synthesiser with voices of its own that Debian or PyPI installs: text in, synthetic speech out.

eSpeak NG comes with the ``espeakng-loader`` wheel, SAM with ``samtts``; flite and festival are Debian's (``apt install
flite festival festvox-us-slt-hts festvox-kallpc16k festvox-kdlpc16k ...``). One that is not there says so.
"""

import importlib.util
import io
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.audio import AudioLimits, decode
from models.speech.espeak_library import espeak_library
from training.spoof.recipe.codecs import Pcm, resampled
from training.spoof.recipe.degrade import speed
from training.spoof.recipe.splits import Split
from training.spoof.recipe.texts import Language, sentences

_LIMITS = AudioLimits(min_seconds=0.05)
_TIMEOUT_S = 120
_PAUSE_S = 0.25
_SAMPLE_RATE = 16_000
_ESPEAK_SEED = 1


@dataclass(frozen=True)
class Voice:
    """One voice of a synthesiser.

    Args:
        name: As the synthesiser calls it.
        language: Of the texts that it reads.
        encoding: That the synthesiser wants them in.
        splits: Where its utterances go, in turn; none named, the voice's name decides.
    """

    name: str
    language: Language = "en"
    encoding: str = "utf-8"
    splits: tuple[Split, ...] = ()


class Synthesiser(Protocol):
    """Reads texts aloud."""

    def missing(self) -> str | None:
        """Reason for which it can't be used here, and how to get it; None where it can be used."""
        ...

    def voices(self) -> Sequence[Voice]:
        """The voices that are installed."""
        ...

    def speak(self, voice: Voice, rng: np.random.Generator) -> Pcm:
        """Read a text of its own choosing; returns mono float32 at 16 kHz, shape [samples]."""
        ...


class EspeakNg:
    """eSpeak NG: formant synthesis, by its own spectra or by Klatt's cascade of resonators.

    Args:
        klatt: Which of the two.
    """

    def __init__(self, *, klatt: bool) -> None:
        self._klatt = klatt

    def missing(self) -> str | None:
        """See ``Synthesiser``."""
        if importlib.util.find_spec("espeakng_loader") is None:
            return "eSpeak NG is left out: pip install espeakng-loader."
        return None

    def voices(self) -> Sequence[Voice]:
        """Variants that mean to be people; English for half of them, another language for each of the rest."""
        import espeakng_loader  # type: ignore[import-untyped]

        folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
        variants = sorted(file for file in folder.iterdir() if not any(name in file.name for name in _NO_PEOPLE))
        names = [file.name for file in variants if (b"klatt" in file.read_bytes()) == self._klatt]
        english = [Voice(f"{_ENGLISH[i % len(_ENGLISH)]}+{name}") for i, name in enumerate(names)]
        foreign = [
            Voice(f"{code}+{names[(5 * i) % len(names)]}", language)
            for i, (code, language) in enumerate(_ESPEAK_LANGUAGES.items())
        ]
        return [*english, *foreign]

    def speak(self, voice: Voice, rng: np.random.Generator) -> Pcm:
        """See ``Synthesiser``; speed, pitch and its range are random."""
        library = espeak_library()
        pieces: list[NDArray[np.int16]] = []

        def receive(samples: NDArray[np.int16]) -> bool:
            pieces.append(samples)
            return True

        rate, pitch, pitch_range = (int(rng.integers(*bounds)) for bounds in ((120, 210), (20, 80), (20, 90)))
        library.speak(
            _text(voice, rng), voice.name, rate, receive, pitch=pitch, pitch_range=pitch_range, seed=_ESPEAK_SEED
        )
        pcm = np.concatenate(pieces).astype(np.float32) / np.float32(32768)
        return resampled(pcm, library.sample_rate, _SAMPLE_RATE)


class Flite:
    """Flite: a diphone voice (kal16) and statistical parametric voices (awb, rms, slt; CLUSTERGEN)."""

    def missing(self) -> str | None:
        """See ``Synthesiser``."""
        return None if shutil.which("flite") else "Flite is left out: apt install flite."

    def voices(self) -> Sequence[Voice]:
        """Slt is left to festival, whose voice of the same speaker is held out."""
        return [
            Voice("awb", splits=("train", "train", "dev")),
            Voice("kal16", splits=("train", "train", "dev")),
            Voice("rms", splits=("test",)),
        ]

    def speak(self, voice: Voice, rng: np.random.Generator) -> Pcm:
        """See ``Synthesiser``; speed and, for kal16, pitch are random; at times the whole voice is moved up or down."""
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "flite.wav"
            settings = [f"duration_stretch={rng.uniform(0.8, 1.3):.2f}"]
            if voice.name == "kal16":
                settings.append(f"int_f0_target_mean={rng.uniform(80, 150):.0f}")
            command = ["flite", "-voice", voice.name, *(word for one in settings for word in ("--setf", one))]
            _run([*command, "-t", _text(voice, rng), "-o", str(output)])
            return _varied(_decoded(output.read_bytes()), rng)


class Festival:
    """Festival's voices of one method.

    Args:
        voices: Those of the method, by name, with the Debian package that has each.
    """

    def __init__(self, voices: dict[Voice, str]) -> None:
        self._voices = voices

    def missing(self) -> str | None:
        """See ``Synthesiser``."""
        if shutil.which("text2wave") is None:
            return "Festival is left out: apt install festival."
        if not self.voices():
            return f"Festival has none of these voices: apt install {' '.join(sorted(set(self._voices.values())))}."
        return None

    def voices(self) -> Sequence[Voice]:
        """Those installed of the ones given."""
        installed = _festival_voices()
        return [voice for voice in self._voices if voice.name in installed]

    def speak(self, voice: Voice, rng: np.random.Generator) -> Pcm:
        """See ``Synthesiser``; speed is random; at times the whole voice is moved up or down."""
        with tempfile.TemporaryDirectory() as folder:
            text, output = Path(folder) / "text.txt", Path(folder) / "festival.wav"
            text.write_bytes(_text(voice, rng).encode(voice.encoding, "replace"))
            setting = f"(begin (voice_{voice.name}) (Parameter.set 'Duration_Stretch {rng.uniform(0.8, 1.25):.2f}))"
            _run(["text2wave", "-eval", setting, "-o", str(output), str(text)])
            return _varied(_decoded(output.read_bytes()), rng)


class Sam:
    """Software Automatic Mouth of 1982: three formants, 4-bit amplitudes."""

    def missing(self) -> str | None:
        """See ``Synthesiser``."""
        if importlib.util.find_spec("samtts") is None:
            return "SAM is left out: pip install samtts (its dependency pyaudio, which only plays, may be left out)."
        return None

    def voices(self) -> Sequence[Voice]:
        """The presets of its manual: speed, pitch, throat, mouth."""
        return [Voice(name) for name in _SAM_PRESETS]

    def speak(self, voice: Voice, rng: np.random.Generator) -> Pcm:
        """See ``Synthesiser``; sentence by sentence, since it takes no more at a time."""
        from samtts import SamTTS

        rate, pitch, throat, mouth = (int(value * rng.uniform(0.9, 1.1)) for value in _SAM_PRESETS[voice.name])
        sam = SamTTS(speed=rate, pitch=pitch, mouth=min(mouth, 255), throat=min(throat, 255), buffer_size=_SAM_BUFFER)
        pieces = []
        for sentence in _text(voice, rng).replace(";", ",").replace(",", ".").split(". "):
            spoken = np.frombuffer(bytes(sam.get_audio_data(sentence.strip(".?! "))), np.uint8)
            pieces.append(
                resampled((spoken.astype(np.float32) - np.float32(128)) / np.float32(128), 22_050, _SAMPLE_RATE)
            )
            pieces.append(np.zeros(round(rng.uniform(0.5, 1.5) * _PAUSE_S * _SAMPLE_RATE), np.float32))
        return np.concatenate(pieces)


# The three NSK voices are one speaker.
FESTIVAL_DIPHONE = {
    Voice("kal_diphone", splits=("train",)): "festvox-kallpc16k",
    Voice("ked_diphone", splits=("test",)): "festvox-kdlpc16k",
    Voice("czech_dita", "cs", "iso-8859-2", splits=("train",)): "festvox-czech-dita",
    Voice("czech_ph", "cs", "iso-8859-2", splits=("test",)): "festvox-czech-ph",
    Voice("hy_fi_mv_diphone", "fi", "iso-8859-1", splits=("dev",)): "festvox-suopuhe-mv",
    Voice("suo_fi_lj_diphone", "fi", "iso-8859-1", splits=("train",)): "festvox-suopuhe-lj",
    Voice("lp_diphone", "it", "iso-8859-1", splits=("train",)): "festvox-italp16k",
    Voice("pc_diphone", "it", "iso-8859-1", splits=("dev",)): "festvox-itapc16k",
    Voice("hindi_NSK_diphone", "hi", splits=("train",)): "festvox-hi-nsk",
    Voice("marathi_NSK_diphone", "mr", splits=("train",)): "festvox-mr-nsk",
    Voice("telugu_NSK_diphone", "te", splits=("train",)): "festvox-te-nsk",
}
FESTIVAL_UNIT_SELECTION = {Voice("msu_ru_nsh_clunits", "ru"): "festvox-ru"}
FESTIVAL_HTS = {
    Voice("cmu_us_slt_arctic_hts"): "festvox-us-slt-hts",
    Voice("upc_ca_ona_hts", "ca", "iso-8859-1"): "festvox-ca-ona-hts",
}

_NO_PEOPLE = ("robo", "Robo", "Robot", "Demonic", "croak", "whisper", "Tweaky", "fast", "kaukovalta")
_ENGLISH = ("en-us", "en", "en-gb-scotland", "en-us", "en-gb-x-rp", "en-us", "en-029")
_ESPEAK_LANGUAGES: dict[str, Language] = {
    "de": "de",
    "fr": "fr",
    "es": "es",
    "es-419": "es",
    "it": "it",
    "pt": "pt",
    "pt-br": "pt",
    "nl": "nl",
    "pl": "pl",
    "sv": "sv",
    "tr": "tr",
    "ru": "ru",
    "cs": "cs",
    "fi": "fi",
    "ca": "ca",
    "hi": "hi",
}
_SAM_BUFFER = 60 * 22_050
_SAM_PRESETS = {
    "sam": (72, 64, 128, 128),
    "elf": (72, 64, 110, 160),
    "little_robot": (92, 60, 190, 190),
    "stuffy_guy": (82, 72, 110, 105),
    "little_old_lady": (82, 32, 145, 145),
    "extra_terrestrial": (100, 64, 150, 200),
}


def _text(voice: Voice, rng: np.random.Generator) -> str:
    return sentences(voice.language, int(rng.integers(1, 5)), rng)


def _varied(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Few voices: half of the utterances come from a slightly larger or smaller speaker."""
    return speed(pcm, float(rng.uniform(0.9, 1.12))) if rng.random() < 0.5 else pcm


def _decoded(data: bytes) -> Pcm:
    return decode(io.BytesIO(data), _LIMITS)


def _run(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S).stdout  # noqa: S603 - our own words


@cache
def _festival_voices() -> frozenset[str]:
    listed = _run(["festival", "-b", "(print (voice.list))"]).decode()
    return frozenset(listed.strip().strip("()").split())
