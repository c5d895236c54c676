"""Users' folders, scoring of them, the report and the command `evaluate`."""

import json
from pathlib import Path

import numpy as np
import pytest
from checkpoints.wavlm import build_tiny_classifier
from numpy.typing import NDArray
from spoof_folders import beating, dialogue, make_folders, write_cut_off, write_wav

from models.spoof.types import Bands
from models.vad import SileroVad
from training.spoof.det_plot import draw_det
from training.spoof.evaluate import main
from training.spoof.folders import BONA_FIDE, SPOOF, Recording, find_recordings, spoken_chunks
from training.spoof.metrics import det_curve
from training.spoof.report import as_markdown, make_report
from training.spoof.scoring import Scored, ScoredFile, score_recordings

pytestmark = [pytest.mark.unit, pytest.mark.slow]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_folders(tmp_path_factory.mktemp("folders"))


class HearsBeating:
    """Scores a chunk by how much its loudness beats, and remembers the batches it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def score(self, chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        self.batches.append(len(chunks))
        assert chunks.dtype == np.float32
        assert lengths.dtype == np.int64
        loudness = np.abs(np.fft.rfft(np.abs(chunks)))[:, 99:102].max(axis=1) / np.abs(chunks).sum(axis=1)
        return np.asarray(np.clip(loudness * 3, 0, 1), np.float32)


def scored_file(label: int, p_spoof: float, group: str | None = None, name: str = "x") -> ScoredFile:
    return ScoredFile(Recording(Path(name), label, group), p_spoof, np.array([p_spoof], np.float32))


def test_sub_folders_are_groups_and_other_files_are_left_out(tmp_path: Path) -> None:
    for name in (
        "real/a/deep/1.wav",
        "real/2.wav",
        "real/a/notes.txt",
        "real/.hidden/3.wav",
        "fake/x/4.mp3",
        "fake/x/4",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_recordings(tmp_path / "real", tmp_path / "fake")
    assert [(str(one.path.relative_to(tmp_path)), one.label, one.group) for one in found] == [
        ("real/2.wav", BONA_FIDE, None),
        ("real/a/deep/1.wav", BONA_FIDE, "a"),
        ("fake/x/4", SPOOF, "x"),
        ("fake/x/4.mp3", SPOOF, "x"),
    ]


@pytest.mark.parametrize(("real", "fake"), [("real", "none"), ("empty", "real"), ("real", "real"), ("real", "real/a")])
def test_folders_that_cannot_be_used_are_refused(tmp_path: Path, real: str, fake: str) -> None:
    for name in ("real/a/1.wav", "empty/.keep"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"no folder|no recordings|the same files"):
        find_recordings(tmp_path / real, tmp_path / fake)


def test_only_chunks_with_speech_are_heard(tmp_path: Path) -> None:
    pcm = dialogue()[:64_000]
    file = write_wav(tmp_path / "a.wav", np.concatenate((pcm, np.zeros(64_000, np.float32), pcm[:32_000])))
    heard = list(spoken_chunks(file, SileroVad()))
    assert [spoken.chunk.start for spoken in heard] == [0.0, 8.0]
    assert all(0.5 <= spoken.speech <= spoken.chunk.end - spoken.chunk.start for spoken in heard)


def test_chunks_of_several_files_share_batches(folders: tuple[Path, Path]) -> None:
    detector = HearsBeating()
    scored = score_recordings(detector, find_recordings(*folders), batch=5)
    total = sum(len(file.chunks) for file in scored.files)
    assert len(scored.files) == 12
    assert detector.batches == [5] * (total // 5) + [total % 5] * (total % 5 > 0)
    alone = score_recordings(HearsBeating(), find_recordings(*folders), batch=1)
    assert [file.p_spoof for file in scored.files] == pytest.approx([file.p_spoof for file in alone.files])


def test_a_file_that_turns_out_damaged_is_named_and_not_counted(tmp_path: Path) -> None:
    cut_off = write_cut_off(tmp_path / "cut.flac")
    silent = write_wav(tmp_path / "silent.wav", np.zeros(32_000, np.float32))
    recordings = [Recording(path, BONA_FIDE, None) for path in (cut_off, silent, tmp_path / "gone.wav")]
    told: list[Recording] = []
    detector = HearsBeating()
    scored = score_recordings(detector, recordings, batch=1, on_file=told.append)
    assert len(detector.batches) >= 2
    assert scored.files == ()
    assert [one.path for one in scored.unusable] == [cut_off, tmp_path / "gone.wav"]
    assert all(one.reason for one in scored.unusable)
    assert [one.path for one in scored.without_speech] == [silent]
    assert told == recordings


def test_the_report_counts_verdicts_by_class_and_by_group() -> None:
    files = [
        scored_file(BONA_FIDE, 0.1, "ann"),
        scored_file(BONA_FIDE, 0.3, "ann"),
        scored_file(BONA_FIDE, 0.8, "bob"),
        scored_file(SPOOF, 0.7, "tts"),
        scored_file(SPOOF, 0.9, None),
    ]
    report = make_report(Scored(tuple(files), (), ()), Bands(0.3, 0.7), "a model")
    assert report.files.confusion == {
        "bona_fide": {"bona_fide": 1, "inconclusive": 1, "spoof": 1},
        "spoof": {"bona_fide": 0, "inconclusive": 0, "spoof": 2},
    }
    assert (report.files.bona_fide, report.files.spoof) == (3, 2)
    by_group = {(row.label, row.group): row for row in report.groups}
    assert list(by_group) == [("bona_fide", "ann"), ("bona_fide", "bob"), ("spoof", ""), ("spoof", "tts")]
    assert by_group["bona_fide", "ann"].eer == 0
    assert by_group["bona_fide", "bob"].eer == 0.75
    assert by_group["bona_fide", "ann"].mean_p_spoof == pytest.approx(0.2)
    page = as_markdown(report)
    assert "| bona_fide | ann | 2 | 2 | 0.200 | 0.00 % | 1 | 1 | 0 |" in page


def test_a_report_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="class spoof"):
        make_report(Scored((scored_file(BONA_FIDE, 0.1),), (), ()), Bands(0.3, 0.7), "a model")


def test_the_plot_is_a_png_even_without_errors(tmp_path: Path) -> None:
    draw_det(tmp_path / "det.png", {"files": det_curve([0.1, 0.2], [0.8])}, "a model")
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_writes_a_report(
    folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = build_tiny_classifier(tmp_path / "model")
    (tmp_path / "fake").mkdir()
    for name in ("beating.wav", "broken.wav"):
        write_wav(tmp_path / "fake" / name, beating(dialogue()[:64_000]))
    (tmp_path / "fake" / "broken.wav").write_bytes(b"not sound")
    paths = ["--real", str(folders[0]), "--fake", str(tmp_path / "fake"), "--out", str(tmp_path / "out")]
    assert main(["--engine", "classifier", "--model", str(model), *paths, "--spoof-from", "0.9"]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["files"]["bona_fide"] == 6
    assert report["files"]["spoof"] == 1
    assert report["bands"] == {"bona_fide_below": 0.3, "spoof_from": 0.9}
    assert list(report["unusable"]) == [str(tmp_path / "fake" / "broken.wav")]
    assert (tmp_path / "out" / "report.md").read_text().startswith("# Spoof detection: classifier")
    assert (tmp_path / "out" / "det.png").stat().st_size > 1_000
    assert "1 files could not be read" in capfd.readouterr().err


def test_the_command_fails_when_no_file_of_a_class_can_be_read(
    folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "broken.wav").write_bytes(b"not sound")
    model = build_tiny_classifier(tmp_path / "model")
    paths = ["--real", str(folders[0]), "--fake", str(tmp_path / "fake"), "--out", str(tmp_path / "out")]
    assert main(["--engine", "classifier", "--model", str(model), *paths]) == 1
    told = capfd.readouterr().err
    assert "class spoof" in told
    assert "broken.wav" in told


@pytest.mark.parametrize(
    "arguments",
    [["--engine", "wavlm"], ["--bona-fide-below", "0.8"], ["--engine", "wavlm", "--model", "/none/chk3.pth"]],
)
def test_the_command_says_what_is_wrong(
    folders: tuple[Path, Path], tmp_path: Path, arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    paths = ["--real", str(folders[0]), "--fake", str(folders[1]), "--out", str(tmp_path / "out")]
    assert main([*arguments, *paths]) == 1
    told = capfd.readouterr().err
    assert told.startswith("evaluate: ")
    assert "Traceback" not in told
