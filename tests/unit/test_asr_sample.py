"""The bundled dialogue and its reference."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models.audio import SAMPLE_RATE, decode

pytestmark = [pytest.mark.unit, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = REPOSITORY / "models" / "samples"
ONE_STEP = 1.01 / 32768


def test_the_reference_describes_the_recording() -> None:
    reference = json.loads((SAMPLES / "dialogue.json").read_text())
    with (SAMPLES / "dialogue.flac").open("rb") as file:
        duration = len(decode(file)) / SAMPLE_RATE
    turns = reference["turns"]

    assert duration == pytest.approx(reference["duration"], abs=0.001)
    assert {turn["speaker"] for turn in turns} == {"SPEAKER_00", "SPEAKER_01"}
    assert turns[0]["start"] > 0.0 and turns[-1]["end"] < duration
    assert all(before["end"] < after["start"] for before, after in pairwise(turns))
    assert all(turn["start"] < turn["end"] and turn["words"] for turn in turns)


def test_the_recording_is_loud_where_the_reference_says_and_quiet_elsewhere() -> None:
    turns = json.loads((SAMPLES / "dialogue.json").read_text())["turns"]
    with (SAMPLES / "dialogue.flac").open("rb") as file:
        pcm = decode(file)
    spoken = np.zeros(len(pcm), bool)
    for turn in turns:
        spoken[int(turn["start"] * SAMPLE_RATE) : int((turn["end"] + 0.05) * SAMPLE_RATE)] = True

    level_of_speech, level_of_pauses = (np.sqrt(np.mean(np.square(pcm[where]))) for where in (spoken, ~spoken))

    assert level_of_speech > 20 * level_of_pauses


def test_the_script_makes_the_bundled_recording_again(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="espeakng-loader is a dependency for development only")
    subprocess.run([sys.executable, "-m", "training.samples.make_dialogue", str(tmp_path)], check=True, cwd=REPOSITORY)

    recordings = []
    for folder in (SAMPLES, tmp_path):
        with (folder / "dialogue.flac").open("rb") as file:
            recordings.append(decode(file))

    assert (tmp_path / "dialogue.json").read_text() == (SAMPLES / "dialogue.json").read_text()
    np.testing.assert_allclose(*recordings, rtol=0.0, atol=ONE_STEP)
