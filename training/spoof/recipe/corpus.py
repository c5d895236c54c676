r"""The corpus from which the compact spoof detector is trained: human speech and what synthesisers make of it.

    apt install flite sptk festival festvox-us-slt-hts festvox-ca-ona-hts festvox-ru festvox-czech-dita \
        festvox-czech-ph festvox-suopuhe-lj festvox-suopuhe-mv festvox-italp16k festvox-itapc16k festvox-hi-nsk \
        festvox-mr-nsk festvox-te-nsk festvox-kallpc16k festvox-kdlpc16k
    pip install 'voicegraph[recipe]'; pip install --no-deps samtts
    python -m training.spoof.recipe.corpus --human FOLDER --out FOLDER
    python -m training.spoof.recipe.neural_vocoders --human FOLDER --out VOCODERS
    python -m training.spoof.recipe.corpus --human FOLDER --out FOLDER --vocoders VOCODERS

The human folder holds recordings of one speaker each, ``<speaker>-....flac`` (LibriSpeech train-clean-100, CC BY 4.0).
The corpus is ``<system>/<utterance>.flac``, mono 16 kHz, with ``manifest.jsonl`` and, in ``READY``, the systems that
are done; a system done before is not made again. Vocoders resynthesise the human speech; synthesisers read sentences of
``texts``. What one system makes depends on its name and the utterance's alone, so it comes out alike on every run.
"""

import argparse
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np

from models.audio import SAMPLE_RATE, decode
from training.spoof.recipe import resynthesis
from training.spoof.recipe.codecs import Pcm
from training.spoof.recipe.splits import Split, speaker_of, split_of
from training.spoof.recipe.staging import restaged, staged
from training.spoof.recipe.synthesisers import (
    FESTIVAL_DIPHONE,
    FESTIVAL_HTS,
    FESTIVAL_UNIT_SELECTION,
    EspeakNg,
    Festival,
    Flite,
    Sam,
    Synthesiser,
)

__all__ = [
    "HUMAN",
    "SYSTEMS",
    "Corpus",
    "Row",
    "Split",
    "System",
    "load",
    "read_manifest",
    "rng_of",
    "speaker_of",
    "split_of",
    "write_flac",
]

Kind = Literal["human", "resynthesis", "tts"]
Vocoder = Callable[[Pcm, np.random.Generator], Pcm]

HUMAN = "human"
MAX_SECONDS = 15.0
MIN_SECONDS = 2.0
_TTS_UTTERANCES = 160


@dataclass(frozen=True)
class System:
    """One way to make synthetic speech.

    Args:
        kind: From human speech or from text.
        held_out: Never trained on: what it makes is for testing alone.
        licence: Of the program and of its voices.
        share: Of the human recordings of training and tuning that are resynthesised; of those for testing, all are.
    """

    kind: Kind
    held_out: bool
    licence: str
    share: float = 0.5


SYSTEMS: dict[str, System] = {
    "griffin_lim_linear": System("resynthesis", False, "this project"),
    "griffin_lim_mel": System("resynthesis", False, "this project"),
    "stft_phase": System("resynthesis", False, "this project"),
    "world_full": System("resynthesis", False, "WORLD: BSD-3-Clause, pyworld: MIT"),
    "world_coded": System("resynthesis", False, "WORLD: BSD-3-Clause, pyworld: MIT"),
    "lpc": System("resynthesis", False, "this project; f0 by WORLD"),
    "harmonic_noise": System("resynthesis", True, "this project; f0 by WORLD"),
    "mel_cepstral": System("resynthesis", True, "SPTK 3.9: BSD-3-Clause; f0 by WORLD"),
    "neural_vocos": System("resynthesis", False, "this project, trained on LibriSpeech (CC BY 4.0)", share=1.0),
    "neural_hifigan": System("resynthesis", True, "this project, trained on LibriSpeech (CC BY 4.0)"),
    "espeak": System("tts", False, "eSpeak NG: GPL-3.0-or-later"),
    "flite": System("tts", False, "flite and its voices: BSD-like (CMU)"),
    "festival_diphone": System("tts", False, "festival, kal, ked: MIT-like; Finnish: LGPL-2+; the rest: GPL-2+"),
    "espeak_klatt": System("tts", True, "eSpeak NG: GPL-3.0-or-later"),
    "festival_unit_selection": System("tts", True, "festival: MIT-like; msu_ru_nsh: BSD-like"),
    "festival_hts": System("tts", True, "festival: MIT-like; slt: BSD-like (CMU), ona: LGPL-2.1+"),
    "sam": System("tts", True, "SAM: none stated; for tests alone"),
}

_VOCODERS: dict[str, Vocoder] = {
    "griffin_lim_linear": resynthesis.griffin_lim_linear,
    "griffin_lim_mel": resynthesis.griffin_lim_mel,
    "stft_phase": resynthesis.stft_phase,
    "world_full": resynthesis.world_full,
    "world_coded": resynthesis.world_coded,
    "lpc": resynthesis.lpc,
    "harmonic_noise": resynthesis.harmonic_noise,
    "mel_cepstral": resynthesis.mel_cepstral,
}
_SYNTHESISERS: dict[str, Synthesiser] = {
    "espeak": EspeakNg(klatt=False),
    "espeak_klatt": EspeakNg(klatt=True),
    "flite": Flite(),
    "festival_diphone": Festival(FESTIVAL_DIPHONE),
    "festival_unit_selection": Festival(FESTIVAL_UNIT_SELECTION),
    "festival_hts": Festival(FESTIVAL_HTS),
    "sam": Sam(),
}


@dataclass(frozen=True)
class Row:
    """One utterance of the manifest.

    Args:
        path: Relative to the corpus.
        label: The class.
        system: Name in ``SYSTEMS``, or ``human``.
        kind: Likewise.
        speaker: The human speaker, also of resynthesised speech; system and voice of speech from text.
        voice: Of the synthesiser; None for the rest.
        split: Of the speaker.
        held_out: Whether the system is never trained on.
        seconds: Length.
    """

    path: str
    label: Literal["bona_fide", "spoof"]
    system: str
    kind: Kind
    speaker: str
    voice: str | None
    split: Split
    held_out: bool
    seconds: float


def rng_of(*names: str) -> np.random.Generator:
    """A generator that depends on names alone."""
    return np.random.default_rng([zlib.crc32(name.encode()) for name in names])


def read_manifest(corpus: Path) -> list[Row]:
    """The utterances that are done."""
    return [Row(**json.loads(line)) for line in (corpus / "manifest.jsonl").read_text().splitlines()]


def load(recording: Path) -> Pcm:
    """Decode; mono float32 at 16 kHz, shape [samples]."""
    with recording.open("rb") as source:
        return decode(source)


def write_flac(path: Path, pcm: Pcm) -> None:
    """Write mono 16-bit FLAC at 16 kHz; the file is there whole or not at all."""
    samples = np.round(np.clip(pcm, -1.0, 1.0) * 32767).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with av.open(str(partial), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        stream.codec_context.format = av.AudioFormat("s16")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    partial.replace(path)


class Corpus:
    """A corpus being made.

    Args:
        folder: Where it is or will be.
        human: Folder of the human recordings.
    """

    def __init__(self, folder: Path, human: Path) -> None:
        self._folder = folder
        self._recordings = sorted(human.glob("*.flac"))
        if not self._recordings:
            raise FileNotFoundError(f"{human} holds no .flac files.")
        self._rows = read_manifest(folder) if (folder / "manifest.jsonl").exists() else []

    def done(self) -> set[str]:
        """Systems that are finished."""
        return {row.system for row in self._rows}

    def add_human(self) -> None:
        """Take the human recordings over as they are."""
        self._finish(self._written(HUMAN, f, "human", load(f), speaker_of(f), None) for f in self._recordings)

    def add_resynthesis(self, system: str, vocoder: Vocoder) -> None:
        """Resynthesise the system's share of the recordings of every split."""
        self._finish(self._resynthesised(system, vocoder))

    def add_speech(self, system: str, synthesiser: Synthesiser, count: int = _TTS_UTTERANCES) -> None:
        """Let a synthesiser read texts, its voices in turn."""
        self._finish(self._spoken(system, synthesiser, count))

    def _resynthesised(self, system: str, vocoder: Vocoder) -> Iterator[Row]:
        for recording in self._recordings:
            rng = rng_of(system, recording.stem)
            if rng.random() >= SYSTEMS[system].share and split_of(speaker_of(recording)) != "test":
                continue
            human = load(recording)
            made = restaged(vocoder(human, rng), human, rng)
            yield self._written(system, recording, "resynthesis", made, speaker_of(recording), None)

    def _spoken(self, system: str, synthesiser: Synthesiser, count: int) -> Iterator[Row]:
        voices = synthesiser.voices()
        for index in range(count):
            voice = voices[index % len(voices)]
            speaker = f"{system}:{voice.name}"
            name = f"{index:04d}-{voice.name.replace('+', '-').replace(' ', '_')}"
            rng = rng_of(system, name)
            splits = ("test",) if SYSTEMS[system].held_out else voice.splits or (split_of(speaker),)
            split = splits[index // len(voices) % len(splits)]
            scenes = [f for f in self._recordings if split_of(speaker_of(f)) == split]
            spoken = synthesiser.speak(voice, rng)[: round(MAX_SECONDS * SAMPLE_RATE)]
            if len(spoken) < MIN_SECONDS * SAMPLE_RATE:
                continue
            made = staged(spoken, load(scenes[int(rng.integers(len(scenes)))]), rng)
            yield self._written(system, Path(name), "tts", made, speaker, voice.name, split)

    def _written(
        self,
        system: str,
        name: Path,
        kind: Kind,
        pcm: Pcm,
        speaker: str,
        voice: str | None,
        split: Split | None = None,
    ) -> Row:
        path = Path(system) / f"{name.stem}.flac"
        write_flac(self._folder / path, pcm)
        return Row(
            path=str(path),
            label="bona_fide" if kind == "human" else "spoof",
            system=system,
            kind=kind,
            speaker=speaker,
            voice=voice,
            split=split or split_of(speaker),
            held_out=kind != "human" and SYSTEMS[system].held_out,
            seconds=round(len(pcm) / SAMPLE_RATE, 3),
        )

    def _finish(self, rows: Iterator[Row]) -> None:
        """Make all of a system's utterances; they stand in the manifest at once or not at all."""
        made = list(rows)
        # Another run may have finished a system meanwhile.
        manifest = self._folder / "manifest.jsonl"
        before = read_manifest(self._folder) if manifest.exists() else []
        self._rows = [row for row in before if row.system != made[0].system] + made
        _replace(manifest, "".join(json.dumps(asdict(row)) + "\n" for row in self._rows))
        _replace(self._folder / "READY", "".join(f"{name}\n" for name in sorted(self.done())))
        seconds = sum(row.seconds for row in made)
        print(f"{made[0].system}: {len(made)} utterances, {seconds / 60:.0f} min", flush=True)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)


def _skip(reason: str) -> None:
    print(reason, file=sys.stderr, flush=True)


def main() -> None:
    """Make the systems that are missing, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--human", type=Path, required=True, help="folder of human recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), help="these alone, made again")
    parser.add_argument("--vocoders", type=Path, help="folder of trained neural vocoders")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(arguments.out, arguments.human)
    if HUMAN not in corpus.done():
        corpus.add_human()
    for system in arguments.systems or [name for name in SYSTEMS if name not in corpus.done()]:
        if system in _SYNTHESISERS:
            synthesiser = _SYNTHESISERS[system]
            if (reason := synthesiser.missing()) is not None:
                _skip(reason)
            else:
                corpus.add_speech(system, synthesiser)
        elif system == "mel_cepstral" and not resynthesis.has_sptk():
            _skip("The mel-cepstral vocoder is left out: apt install sptk.")
        elif system in _VOCODERS:
            corpus.add_resynthesis(system, _VOCODERS[system])
        elif arguments.vocoders is None:
            _skip(f"{system} is left out: train it with training.spoof.recipe.neural_vocoders and name --vocoders.")
        else:
            from training.spoof.recipe.neural_vocoders import load_vocoder

            corpus.add_resynthesis(system, load_vocoder(arguments.vocoders / f"{system}.pt"))


if __name__ == "__main__":
    main()
