"""Diarization error rate with each speaker encoder, as JSON: ``python -m benchmarks.der [--settings '{"hop": 0.5}']``.

Measured on the sample recording in pyannote.audio's wheel (two real speakers on a telephone, with overlap), on the
bundled dialogue, and on conversations mixed from speakers that no encoder was trained on and the diarizer's thresholds
were not tuned on (``--speakers tune`` takes those they were tuned on). The spectral encoder's band and sizes were
chosen with the sample recording and all held-out speakers in view: for it a new recording may do worse. The far-field
meetings are simulated too: rooms, noise, overlap, quiet speakers. Overlapping speech is counted. ``collar`` is the
tolerance at each side of a boundary of the reference, in seconds. The spectral encoder is the baseline; ``--settings``
adds a diarizer, ``--only`` leaves the shipped ones out, and ``--sets far-field`` measures on these alone.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from pydantic import TypeAdapter

from benchmarks.conversations import Conversation, mix, through_telephone
from benchmarks.far_field import meeting
from models.audio import decode
from models.diarization import ClusteringSettings, DiarizationSettings, Diarizer, SpeakerTurn, build
from models.diarization.rttm import read_rttm
from models.speaker import CompactSettings, SpectralSettings
from training.speaker.train_spectral import recordings

REPOSITORY = Path(__file__).resolve().parent.parent
DIALOGUE = REPOSITORY / "models" / "samples" / "dialogue"
LIBRISPEECH = REPOSITORY.parent / "shared" / "data" / "librispeech" / "train-clean-100"
COLLARS = (0.0, 0.25)
MIXES = 16
LONG_MIXES = 4
LONG_REPEATS = 15
MEETINGS = 2
MEETING_SECONDS = 200.0
SEED = 2
Voices = Sequence[NDArray[np.float32]]
SETS = ("samples", "mixes", "long-mixes", "far-field")


def samples() -> Iterator[tuple[str, Conversation]]:
    """The recordings with a reference that are installed or bundled."""
    pyannote = find_spec("pyannote")
    for folder in (pyannote.submodule_search_locations or ()) if pyannote else ():
        file = Path(folder) / "audio" / "sample" / "sample.wav"
        if file.is_file():
            turns = read_rttm(file.with_suffix(".rttm").read_text())["sample"]
            yield "pyannote sample", Conversation("sample", read(file), turns)
    if DIALOGUE.with_suffix(".json").is_file():
        described = json.loads(DIALOGUE.with_suffix(".json").read_text())["turns"]
        turns = tuple(SpeakerTurn(turn["start"], turn["end"], turn["speaker"]) for turn in described)
        yield "bundled dialogue", Conversation("dialogue", read(DIALOGUE.with_suffix(".flac")), turns)


def mixes(voices: Voices) -> Iterator[tuple[str, Conversation]]:
    """Short conversations of one to four speakers, in the studio and on the telephone."""
    rng = np.random.default_rng(SEED)
    for count, number, chosen in _groups(voices, (1, 2, 3, 4), MIXES, rng):
        conversation = mix(chosen, f"mix{count}-{number}", rng)
        yield f"mix of {count}", conversation
        yield f"mix of {count}, telephone", through_telephone(conversation)


def long_mixes(voices: Voices) -> Iterator[tuple[str, Conversation]]:
    """Long conversations of one to four speakers."""
    rng = np.random.default_rng(SEED)
    for count, number, chosen in _groups(voices, (1, 2, 3, 4), LONG_MIXES, rng):
        # Repeated speech is cut into other turns each time.
        yield (
            f"long mix of {count}",
            mix([np.tile(voice, LONG_REPEATS) for voice in chosen], f"long{count}-{number}", rng),
        )


def far_field(voices: Voices) -> Iterator[tuple[str, Conversation]]:
    """Meetings of two to four speakers across a room."""
    rng = np.random.default_rng(SEED)
    for count, number, chosen in _groups(voices, (2, 3, 4), MEETINGS, rng):
        yield f"far-field meeting of {count}", meeting(chosen, f"far{count}-{number}", MEETING_SECONDS, rng)


def _groups(
    voices: Voices, counts: Iterable[int], repeats: int, rng: np.random.Generator
) -> Iterator[tuple[int, int, Voices]]:
    for count in counts:
        for number in range(repeats):
            yield count, number, [voices[i] for i in rng.choice(len(voices), count, replace=False)]


def conversations(sets: Collection[str], speakers: str) -> dict[str, list[Conversation]]:
    """Return the chosen sets (of ``SETS``), by the names of their rows."""
    made: dict[str, list[Conversation]] = defaultdict(list)
    rows = [samples()] if "samples" in sets else []
    if LIBRISPEECH.is_dir():
        files = recordings(LIBRISPEECH, held_out=True)[0 if speakers == "test" else 1 :: 2]
        voices = [read(file) for file in files]
        makers = {"mixes": mixes, "long-mixes": long_mixes, "far-field": far_field}
        rows += [make(voices) for name, make in makers.items() if name in sets]
    for name, conversation in chain(*rows):
        made[name].append(conversation)
    return made


def read(file: Path) -> NDArray[np.float32]:
    with file.open("rb") as source:
        return decode(source)


def annotation(turns: tuple[SpeakerTurn, ...]) -> Annotation:
    result = Annotation()
    for number, turn in enumerate(turns):
        result[Segment(turn.start, turn.end), number] = turn.speaker
    return result


def measure(diarizer: Diarizer, conversations: list[Conversation], *, known: bool) -> dict[str, object]:
    """Error rates over several recordings, with the number of speakers given or not."""
    # pyannote's collar is the width of the whole strip around a boundary.
    metrics = {collar: DiarizationErrorRate(collar=2 * collar) for collar in COLLARS}
    found = []
    for conversation in conversations:
        turns = diarizer.diarize(conversation.pcm, num_speakers=conversation.speakers if known else None)
        found.append(len({turn.speaker for turn in turns}))
        heard = Timeline([Segment(0, len(conversation.pcm) / 16_000)])
        for metric in metrics.values():
            metric(annotation(conversation.turns), annotation(turns), uem=heard)
    strict = metrics[0.0]
    parts = ("missed detection", "false alarm", "confusion")
    return {
        "speakers_given": known,
        "speakers": [conversation.speakers for conversation in conversations],
        "speakers_found": found,
        **{f"der_collar_{collar}": round(abs(metric), 4) for collar, metric in metrics.items()},
        **{part.replace(" ", "_"): round(strict[part] / strict["total"], 4) for part in parts},
    }


def measured(settings: DiarizationSettings, sets: dict[str, list[Conversation]]) -> dict[str, object]:
    """Results of one diarizer over all sets."""
    diarizer = build(settings)
    started = time.process_time()
    rows = [
        {"set": name, "seconds": round(sum(len(c.pcm) for c in conversations) / 16_000), **row}
        for name, conversations in sets.items()
        for row in (measure(diarizer, conversations, known=known) for known in (False, True))
    ]
    cpu = time.process_time() - started
    return {"settings": settings.model_dump(mode="json"), "cpu_seconds": round(cpu, 1), "results": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", action="append", default=[], help="JSON of one more diarizer's settings")
    parser.add_argument("--only", action="store_true", help="measure those of --settings alone")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--speakers", choices=("test", "tune"), default="test")
    arguments = parser.parse_args()
    shipped = [ClusteringSettings(speaker=speaker) for speaker in (SpectralSettings(), CompactSettings())]
    diarizers: list[DiarizationSettings] = [] if arguments.only else [*shipped]
    adapter: TypeAdapter[DiarizationSettings] = TypeAdapter(DiarizationSettings)
    for text in arguments.settings:
        diarizers.append(adapter.validate_python({"engine": "clustering", **json.loads(text)}))
    sets = conversations(arguments.sets, arguments.speakers)
    print(json.dumps({"diarizers": [measured(settings, sets) for settings in diarizers]}, indent=2))


if __name__ == "__main__":
    main()
