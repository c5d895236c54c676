"""The corpus: who is where, what is written, and that the recordings' circumstances don't give the class away."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from training.spoof.recipe import corpus as c
from training.spoof.recipe.codecs import Pcm
from training.spoof.recipe.degrade import level_dbfs, noise
from training.spoof.recipe.staging import restaged, room_noise, staged
from training.spoof.recipe.synthesisers import Voice

pytestmark = [pytest.mark.unit, pytest.mark.slow]

RATE = 16_000


def recording(seed: int, seconds: float = 3.0) -> Pcm:
    """Bursts of a buzz over room noise with mains hum."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.cos(2 * np.pi * (100 + seed) * k * at) / k for k in range(1, 30))
    voice = 0.05 * buzz * (np.sin(2 * np.pi * 1.5 * at) > 0)
    hum = 0.004 * np.sin(2 * np.pi * 50 * at)
    return (voice + hum + 0.002 * noise(len(at), rng, "pink")).astype(np.float32)


@pytest.fixture
def human(tmp_path: Path) -> Path:
    folder = tmp_path / "human"
    for speaker in range(12):
        c.write_flac(folder / f"{speaker}-1-0000.flac", recording(speaker))
    return folder


class Humming:
    """A synthesiser with two voices; it makes digital silence around a tone."""

    def missing(self) -> str | None:
        return None

    def voices(self) -> Sequence[Voice]:
        return [Voice("low", splits=("train", "dev")), Voice("high")]

    def speak(self, voice: Voice, rng: np.random.Generator) -> Pcm:
        tone = np.sin(np.arange(2 * RATE) * (0.1 if voice.name == "low" else 0.2))
        return np.pad(0.9 * tone, (RATE // 2, RATE // 2)).astype(np.float32)


def backwards(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    return pcm[::-1].copy()


def test_speakers_are_split_by_name_in_about_three_fifths_and_two_fifths() -> None:
    counts = Counter(c.split_of(str(speaker)) for speaker in range(2000))
    assert {name: count / 2000 for name, count in counts.items()} == pytest.approx(
        {"train": 0.6, "dev": 0.2, "test": 0.2}, abs=0.04
    )
    assert c.split_of("1034") == c.split_of("1034")


def test_a_corpus_says_of_every_utterance_what_it_is(human: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    made = c.Corpus(out, human)
    made.add_human()
    made.add_resynthesis("griffin_lim_linear", backwards)
    made.add_resynthesis("harmonic_noise", backwards)
    made.add_speech("espeak", Humming(), count=6)
    made.add_speech("sam", Humming(), count=4)
    rows = c.read_manifest(out)
    assert (out / "READY").read_text().split() == ["espeak", "griffin_lim_linear", "harmonic_noise", "human", "sam"]
    for row in rows:
        assert len(c.load(out / row.path)) == pytest.approx(row.seconds * RATE, abs=8)
        assert (row.label == "bona_fide") == (row.system == "human") == (row.kind == "human")
        assert row.held_out == (row.system in ("harmonic_noise", "sam"))
        if row.kind != "tts":
            assert row.split == c.split_of(row.speaker) and row.voice is None
    by_system = {name: [row for row in rows if row.system == name] for name in made.done()}
    assert len(by_system["human"]) == 12
    tested = {str(speaker) for speaker in range(12) if c.split_of(str(speaker)) == "test"}
    for name in ("griffin_lim_linear", "harmonic_noise"):
        assert tested <= {row.speaker for row in by_system[name]}
    assert {row.split for row in by_system["sam"]} == {"test"}
    low = [row.split for row in by_system["espeak"] if row.voice == "low"]
    assert low == ["train", "dev", "train"]
    assert {row.split for row in by_system["espeak"] if row.voice == "high"} == {c.split_of("espeak:high")}


def test_a_system_made_again_replaces_its_rows_and_sounds_the_same(human: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    c.Corpus(out, human).add_speech("espeak", Humming(), count=2)
    before = {row.path: (out / row.path).read_bytes() for row in c.read_manifest(out)}
    c.Corpus(out, human).add_speech("espeak", Humming(), count=2)
    after = {row.path: (out / row.path).read_bytes() for row in c.read_manifest(out)}
    assert before == after and len(after) == 2


def test_a_system_that_fails_leaves_the_manifest_as_it_was(human: Path, tmp_path: Path) -> None:
    def fails(pcm: Pcm, rng: np.random.Generator) -> Pcm:
        raise RuntimeError("no vocoder")

    out = tmp_path / "corpus"
    c.Corpus(out, human).add_human()
    with pytest.raises(RuntimeError, match="no vocoder"):
        c.Corpus(out, human).add_resynthesis("lpc", fails)
    assert {row.system for row in c.read_manifest(out)} == {"human"}


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.flac"):
        c.Corpus(tmp_path / "corpus", tmp_path)


def test_the_manifest_is_json_lines_with_the_documented_fields(human: Path, tmp_path: Path) -> None:
    c.Corpus(tmp_path, human).add_human()
    first = json.loads((tmp_path / "manifest.jsonl").read_text().splitlines()[0])
    assert set(first) >= {"path", "label", "system", "kind", "speaker", "voice", "seconds", "split", "held_out"}


def test_resynthesised_speech_keeps_the_level_and_the_rumble_of_its_original() -> None:
    human = recording(1)
    for seed in range(4):
        made = restaged(0.1 * human[::-1].copy(), human, np.random.default_rng(seed))
        assert made.shape == human.shape
        assert level_dbfs(made) == pytest.approx(level_dbfs(human), abs=6)
        assert _band_db(made, 40, 60) == pytest.approx(_band_db(human, 40, 60), abs=6)


def test_digital_silence_of_a_synthesiser_is_filled_with_the_rooms_noise() -> None:
    scene = recording(2)
    made = staged(Humming().speak(Voice("low"), np.random.default_rng(0)), scene, np.random.default_rng(0))
    pause = made[1000:7000]
    room = room_noise(scene, RATE, np.random.default_rng(0))
    assert level_dbfs(pause) == pytest.approx(level_dbfs(room), abs=5)
    assert _band_db(pause, 45, 55) > _band_db(pause, 200, 1000) + 10
    assert np.mean(pause == 0) < 0.01


def test_room_noise_is_as_loud_as_the_quietest_moments_at_any_length() -> None:
    scene = recording(3)
    for length in (500, 16_000, 200_000):
        made = room_noise(scene, length, np.random.default_rng(1))
        assert len(made) == length
        assert level_dbfs(made) < level_dbfs(scene) - 6
    assert _band_db(made, 45, 55) > _band_db(made, 60, 70) + 10


def _band_db(pcm: Pcm, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(pcm)) ** 2 / len(pcm)
    frequency = np.fft.rfftfreq(len(pcm), 1 / RATE)
    return float(10 * np.log10(power[(frequency >= low) & (frequency < high)].mean()))
