"""Word error rate and real-time factor of the speech recognisers.

python -m benchmarks.wer [--engine JSON ...] [--folder FOLDER ...]
Prints JSON: for each engine and set of recordings the WER (lower case, no punctuation; over all words of the set), and
for a second of sound the seconds on the clock (rtf) and on the CPU, all processes together (cpu_rtf). A folder is
LibriSpeech's: FLAC files named by utterance, their words in files `*.txt` with a line `UTTERANCE WORDS` for each, in
any depth; left out, test-clean and test-other. The Russian set is spoken by Festival's recorded voice, where that is
installed: it tells how an engine follows that voice, not how it follows people. Engines: PocketSphinx, Whisper tiny.en
and base as far as their weights are here, and those that the
arguments add as JSON; sets in a language that an engine does not
have are left out.
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
from scipy.signal import resample_poly

from models import speech
from models.asr import Asr, AsrSettings, build
from models.audio import SAMPLE_RATE, decode
from models.errors import MissingWeights
from models.speech import FestivalSettings

REPOSITORY = Path(__file__).resolve().parent.parent
LIBRISPEECH = REPOSITORY.parent / "shared" / "data" / "librispeech"
ENGINES = (
    '{"engine": "pocketsphinx"}',
    '{"engine": "faster-whisper", "model": "tiny.en", "device": "cpu", "compute_type": "int8"}',
    '{"engine": "faster-whisper", "model": "base", "device": "cpu", "compute_type": "int8", "beam_size": 1}',
    '{"engine": "faster-whisper", "model": "base", "device": "cpu", "compute_type": "int8", "beam_size": 5}',
)
# ruff: noqa: RUF001 - Cyrillic
RUSSIAN = (
    "Поезд до Москвы отправляется поздно вечером со второго пути.",
    "Пожалуйста, пришлите мне отчёт до конца недели.",
    "Утром она купила на рынке свежий хлеб и яблоки.",
    "Мы не слышали докладчика из-за шума на улице.",
    "По понедельникам музей закрыт, но парк открыт каждый день.",
    "Он спросил врача, действительно ли нужно это лекарство.",
    "Завтра будет облачно, вечером возможен небольшой дождь.",
    "Дети играли в футбол за старой школой.",
    "Мой брат живёт в небольшом доме у реки.",
    "Вчера вечером мы долго говорили о новой книге.",
    "Скажите, пожалуйста, где находится ближайшая аптека.",
    "Зимой здесь рано темнеет и часто идёт снег.",
    "Учитель попросил учеников открыть тетради.",
    "Самолёт приземлился точно по расписанию.",
    "Бабушка испекла пирог с капустой и грибами.",
    "Нам нужно успеть на последний автобус.",
)


class Utterance(NamedTuple):
    """A recording and what is said in it."""

    pcm: NDArray[np.float32]
    words: str
    language: str = "en"


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


def russian() -> Iterator[Utterance]:
    """Let Festival speak the Russian sentences; none where its voice is not installed."""
    try:
        engine = speech.build(FestivalSettings())
    except MissingWeights:
        return
    voice = engine.voices[0]
    model = engine.load(voice.model)
    for sentence in RUSSIAN:
        chunks = [chunk.samples for chunk in speech.speak(model, sentence, voice=voice, language="ru")]
        pcm = resample_poly(np.concatenate(chunks), SAMPLE_RATE, voice.sample_rate).astype(np.float32)
        yield Utterance(pcm, normalised(sentence), "ru")


def cpu_seconds() -> float:
    """Return the CPU time that this process and its children have used."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(used.user + used.system for used in times)


def measured(asr: Asr, utterances: list[Utterance]) -> dict[str, Any]:
    """Recognise each recording alone, one after the other."""
    heard, busy, started = [], cpu_seconds(), time.perf_counter()
    for utterance in utterances:
        segments = asr.transcribe(utterance.pcm, language=utterance.language).segments
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
    parser.add_argument("--folder", type=Path, action="append", help="a folder like LibriSpeech's")
    arguments = parser.parse_args()
    adapter: TypeAdapter[AsrSettings] = TypeAdapter(AsrSettings)
    sets = {"sample": [sample()], "russian": list(russian())}
    for folder in arguments.folder or (LIBRISPEECH / "test-clean", LIBRISPEECH / "test-other"):
        sets[folder.name] = list(librispeech(folder))
    results = []
    for text in (*ENGINES, *arguments.engine):
        settings = adapter.validate_json(text)
        try:
            asr = build(settings)
        except MissingWeights as error:
            results.append({"settings": json.loads(text), "skipped": str(error)})
            continue
        measured(asr, sets["sample"])  # warm
        known = {name: found for name, found in sets.items() if found and found[0].language in asr.languages}
        measurements = {name: measured(asr, utterances) for name, utterances in known.items()}
        results.append({"settings": json.loads(text), "sets": measurements})
    print(json.dumps({"cpu": platform.processor() or platform.machine(), "engines": results}, indent=2))


if __name__ == "__main__":
    main()
