"""Word error rate and real-time factor of the speech recognisers.

python -m benchmarks.wer [--engine '{"engine": "faster-whisper", "model": "/models/large-v3"}' ...] [--folder FOLDER]
Prints JSON: for each engine and set of recordings the WER (lower case, no punctuation; over all words of the set), and
for a second of sound the seconds on the clock (rtf) and on the CPU, all processes together (cpu_rtf). The folder is
LibriSpeech's: FLAC files named by utterance, their words in files `*.txt` with a line `UTTERANCE WORDS` for each, in
any depth. The first engine is the default one, the baseline for those that the arguments add.
"""

import argparse
import json
import platform
import re
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jiwer
import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic import TypeAdapter

from models.asr import Asr, AsrSettings, PocketSphinxSettings, build
from models.audio import SAMPLE_RATE, decode

REPOSITORY = Path(__file__).resolve().parent.parent
LIBRISPEECH = REPOSITORY.parent / "shared" / "data" / "librispeech" / "test-clean"


class Utterance(NamedTuple):
    """A recording and what is said in it."""

    pcm: NDArray[np.float32]
    words: str


def normalised(text: str) -> str:
    """Return lower-case words without punctuation; apostrophes inside words stay."""
    return " ".join(re.findall(r"[\w']+", text.lower()))


def librispeech(folder: Path) -> Iterator[Utterance]:
    """Read a folder in LibriSpeech's layout."""
    for transcript in sorted(folder.rglob("*.txt")):
        for line in transcript.read_text().splitlines():
            name, _, words = line.partition(" ")
            with (transcript.parent / f"{name}.flac").open("rb") as file:
                yield Utterance(decode(file), normalised(words))


def sample() -> Utterance:
    """Read the bundled dialogue."""
    folder = files("models.samples")
    turns = json.loads(folder.joinpath("dialogue.json").read_text())["turns"]
    with folder.joinpath("dialogue.flac").open("rb") as file:
        return Utterance(decode(file), " ".join(normalised(turn["text"]) for turn in turns))


def cpu_seconds() -> float:
    """Return the CPU time that this process and its children have used."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(used.user + used.system for used in times)


def measured(asr: Asr, utterances: list[Utterance]) -> dict[str, Any]:
    """Recognise each recording alone, one after the other."""
    heard, busy, started = [], cpu_seconds(), time.perf_counter()
    for utterance in utterances:
        segments = asr.transcribe(utterance.pcm, language="en").segments
        heard.append(normalised(" ".join(segment.text for segment in segments)))
    seconds, busy = time.perf_counter() - started, cpu_seconds() - busy
    sound = sum(len(utterance.pcm) for utterance in utterances) / SAMPLE_RATE
    result = jiwer.process_words([utterance.words for utterance in utterances], heard)
    return {
        "recordings": len(utterances),
        "seconds_of_sound": round(sound, 1),
        "words": sum(len(utterance.words.split()) for utterance in utterances),
        "wer": round(result.wer, 4),
        "substitutions": result.substitutions,
        "deletions": result.deletions,
        "insertions": result.insertions,
        "rtf": round(seconds / sound, 3),
        "cpu_rtf": round(busy / sound, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", action="append", default=[], help="settings of an engine, as JSON")
    parser.add_argument("--folder", type=Path, default=LIBRISPEECH)
    arguments = parser.parse_args()
    adapter: TypeAdapter[AsrSettings] = TypeAdapter(AsrSettings)
    engines = [PocketSphinxSettings(), *(adapter.validate_json(text) for text in arguments.engine)]
    sets = {"sample": [sample()]}
    if arguments.folder.is_dir():
        sets[arguments.folder.name] = list(librispeech(arguments.folder))
    results = []
    for settings in engines:
        asr = build(settings)
        measured(asr, sets["sample"])  # warm
        results.append(
            {
                "settings": settings.model_dump(mode="json"),
                "sets": {name: measured(asr, utterances) for name, utterances in sets.items()},
            }
        )
    print(json.dumps({"cpu": platform.processor() or platform.machine(), "engines": results}, indent=2))


if __name__ == "__main__":
    main()
