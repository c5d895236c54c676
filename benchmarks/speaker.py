"""Verification error and speed of the speaker encoders, as JSON: ``python -m benchmarks.speaker``.

Equal error rates over all pairs of windows of the held-out speakers that nothing was trained or tuned on, one recording
each: as recorded, each window through a random microphone of its own, and each through a random telephone. Both
windows of a same-voice pair come from one recording, so its room and microphone help, least of all on the telephone.
Speed is CPU time on one thread for windows of 1.5 s, 0.75 s apart, as the diarizer embeds them. The first encoder is
the baseline; ``--speakers tune`` takes the other half of the held-out speakers.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from models.audio import decode
from models.speaker import CompactSettings, SpeakerEncoder, SpeakerSettings, SpectralSettings, build
from training.speaker.train_spectral import recordings
from training.speaker.verification import CONDITIONS, Trials

REPOSITORY = Path(__file__).resolve().parent.parent
DIALOGUE = REPOSITORY / "models" / "samples" / "dialogue.flac"
LIBRISPEECH = REPOSITORY.parent / "shared" / "data" / "librispeech" / "train-clean-100"
SECONDS = (0.75, 1.5, 3.0)
WINDOW = 24_000
HOP = 12_000
SPEED_WINDOWS = 400
REPEATS = 3


def error_rates(encoder: SpeakerEncoder, trials: Trials) -> dict[str, dict[str, float]]:
    """EER by condition and length of a window."""
    return {
        condition: {
            f"{seconds} s": round(trials.equal_error_rate(encoder.embed, condition, seconds), 4) for seconds in SECONDS
        }
        for condition in CONDITIONS
    }


def cpu_seconds_for_ten_minutes(encoder: SpeakerEncoder) -> float:
    """CPU time that embedding ten minutes of speech takes, the best of a few."""
    with DIALOGUE.open("rb") as source:
        pcm = decode(source)
    pcm = np.tile(pcm, -(-SPEED_WINDOWS * HOP // len(pcm)) + 1)
    windows = [pcm[first : first + WINDOW] for first in range(0, SPEED_WINDOWS * HOP, HOP)]
    encoder.embed(windows[:10])
    taken = []
    for _ in range(REPEATS):
        started = time.process_time()
        encoder.embed(windows)
        taken.append(time.process_time() - started)
    return round(min(taken) * 600 * 16_000 / (SPEED_WINDOWS * HOP), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", action="append", default=[], help="JSON of one more encoder's settings")
    parser.add_argument("--speakers", choices=("test", "tune"), default="test")
    arguments = parser.parse_args()
    if not LIBRISPEECH.is_dir():
        parser.error(f"{LIBRISPEECH} is missing")
    adapter: TypeAdapter[Any] = TypeAdapter(SpeakerSettings)
    engines = [SpectralSettings(), CompactSettings(), *map(adapter.validate_json, arguments.engine)]
    files = recordings(LIBRISPEECH, held_out=True)[0 if arguments.speakers == "test" else 1 :: 2]
    trials = Trials(files)
    results = []
    for settings in engines:
        encoder = build(settings)
        results.append(
            {
                "settings": settings.model_dump(mode="json"),
                "dimension": encoder.dimension,
                "eer": error_rates(encoder, trials),
                "cpu_seconds_for_10_minutes": cpu_seconds_for_ten_minutes(encoder),
            }
        )
    print(json.dumps({"speakers": len(files), "results": results}, indent=2))


if __name__ == "__main__":
    main()
