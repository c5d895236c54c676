import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from models.audio import decode
from models.diarization import ClusteringSettings, Diarizer, SpeakerTurn, build
from models.diarization.assignment import assign
from models.diarization.counts import SpeakerCount, speaker_count
from models.diarization.grouping import LARGEST_CLUSTERING, group
from models.diarization.rttm import read_rttm, write_rttm
from models.diarization.turns import turns_of
from models.diarization.windows import SHORTEST_WINDOW, Timeline, timeline
from models.errors import InputError
from models.spans import Span

pytestmark = [pytest.mark.unit, pytest.mark.slow]

DIALOGUE = Path(__file__).resolve().parents[2] / "models" / "samples" / "dialogue"
ANY = SpeakerCount(1, 20)


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return build(ClusteringSettings())


@pytest.fixture(scope="module")
def dialogue() -> NDArray[np.float32]:
    with DIALOGUE.with_suffix(".flac").open("rb") as source:
        pcm = decode(source)
    pcm.setflags(write=False)
    return pcm


def voices(*windows: int, seed: int = 0, spread: float = 0.12) -> NDArray[np.float32]:
    """Embeddings of so many windows of each voice, one voice after the other."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(np.linalg.qr(rng.normal(size=(40, len(windows))))[0].T, windows, axis=0)
    embeddings = centres + rng.normal(0, spread, centres.shape)
    return (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)


def grouped(embeddings: NDArray[np.float32], count: SpeakerCount = ANY) -> NDArray[np.float32]:
    return group(embeddings, count, similarity=0.45, merge_similarity=0.6, min_windows=3)


# --- the whole -------------------------------------------------------------------------------------------------


def test_both_speakers_of_the_bundled_dialogue_are_found_where_they_speak(
    diarizer: Diarizer, dialogue: NDArray[np.float32]
) -> None:
    truth = json.loads(DIALOGUE.with_suffix(".json").read_text())["turns"]
    turns = diarizer.diarize(dialogue)
    right = sum(
        Span(turn.start, turn.end).overlap(Span(true["start"], true["end"]))
        for true in truth
        for turn in turns
        if turn.speaker == true["speaker"]
    )
    assert {turn.speaker for turn in turns} == {"SPEAKER_00", "SPEAKER_01"}
    assert right > 0.9 * sum(true["end"] - true["start"] for true in truth)


def test_turns_are_in_order_and_lie_within_the_recording(diarizer: Diarizer, dialogue: NDArray[np.float32]) -> None:
    turns = diarizer.diarize(dialogue)
    assert all(turn.start < turn.end for turn in turns)
    assert all(before.end <= after.start for before, after in pairwise(turns))
    assert 0 <= turns[0].start
    assert turns[-1].end <= len(dialogue) / 16_000


@pytest.mark.parametrize("number", [1, 2, 3])
def test_as_many_speakers_as_asked_for_are_found(
    diarizer: Diarizer, dialogue: NDArray[np.float32], number: int
) -> None:
    turns = diarizer.diarize(dialogue, num_speakers=number)
    assert len({turn.speaker for turn in turns}) == number


def test_bounds_on_the_number_of_speakers_hold(diarizer: Diarizer, dialogue: NDArray[np.float32]) -> None:
    assert {turn.speaker for turn in diarizer.diarize(dialogue, max_speakers=1)} == {"SPEAKER_00"}
    assert len({turn.speaker for turn in diarizer.diarize(dialogue, min_speakers=3)}) >= 3


@pytest.mark.parametrize("samples", [0, 1, 160, 16_000])
def test_nobody_speaks_in_silence(diarizer: Diarizer, samples: int) -> None:
    assert diarizer.diarize(np.zeros(samples, dtype=np.float32)) == ()


@pytest.mark.parametrize("seconds", [0.3, 0.4, 0.5, 1.0, 1.7])
def test_a_few_words_belong_to_one_speaker(diarizer: Diarizer, dialogue: NDArray[np.float32], seconds: float) -> None:
    turns = diarizer.diarize(dialogue[16_000 : 16_000 + int(seconds * 16_000)])
    assert {turn.speaker for turn in turns} == {"SPEAKER_00"}


def test_threads_may_share_a_diarizer(diarizer: Diarizer, dialogue: NDArray[np.float32]) -> None:
    parts = [dialogue[i * 40_000 : (i + 4) * 40_000] for i in range(4)]
    expected = [diarizer.diarize(part) for part in parts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(diarizer.diarize, parts)) == expected


def test_numbers_are_checked_before_the_recording_is(diarizer: Diarizer) -> None:
    with pytest.raises(InputError):
        diarizer.diarize(np.zeros(0, dtype=np.float32), num_speakers=0)


def test_settings_refuse_windows_with_holes_between_them() -> None:
    with pytest.raises(ValidationError, match="hop must not be longer"):
        ClusteringSettings(window=1.0, hop=1.5)


def test_groups_merge_sooner_the_farther_the_speakers_are() -> None:
    thresholds = ClusteringSettings(merge_similarity=0.7).thresholds
    assert [thresholds.merged_at(farness) for farness in (0, 0.5, 1)] == pytest.approx([0.7, 0.65, 0.6])


# --- how many speakers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("num", "least", "most", "code", "field"),
    [
        (0, None, None, "speakers_out_of_range", "num_speakers"),
        (21, None, None, "speakers_out_of_range", "num_speakers"),
        (None, -1, None, "speakers_out_of_range", "min_speakers"),
        (None, None, 21, "speakers_out_of_range", "max_speakers"),
        (2, 1, None, "speakers_contradict", "num_speakers"),
        (2, None, 2, "speakers_contradict", "num_speakers"),
        (None, 3, 2, "speakers_contradict", "min_speakers"),
    ],
)
def test_impossible_numbers_are_refused_by_name(
    num: int | None, least: int | None, most: int | None, code: str, field: str
) -> None:
    with pytest.raises(InputError) as refused:
        speaker_count(num, least, most)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("numbers", "allowed"),
    [
        ((None, None, None), (1, 20)),
        ((4, None, None), (4, 4)),
        ((None, 2, None), (2, 20)),
        ((None, 2, 2), (2, 2)),
    ],
)
def test_missing_numbers_leave_the_range_open(
    numbers: tuple[int | None, int | None, int | None], allowed: tuple[int, int]
) -> None:
    assert speaker_count(*numbers) == SpeakerCount(*allowed)


# --- grouping --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", [(20,), (20, 20), (30, 8, 15), (9, 9, 9, 9, 9)])
def test_every_voice_gets_a_centroid(windows: tuple[int, ...]) -> None:
    embeddings = voices(*windows)
    nearest = (embeddings @ grouped(embeddings).T).argmax(axis=1)
    truth = np.repeat(np.arange(len(windows)), windows)
    assert len(set(zip(nearest.tolist(), truth.tolist(), strict=True))) == len(windows) == nearest.max() + 1


def test_a_voice_heard_once_is_no_speaker_unless_asked_for() -> None:
    embeddings = voices(20, 20, 1)
    assert len(grouped(embeddings)) == 2
    assert len(grouped(embeddings, SpeakerCount(3, 3))) == 3


def test_two_asked_for_are_the_two_voices_and_not_one_and_an_odd_window() -> None:
    centroids = grouped(voices(20, 20, 1), SpeakerCount(2, 2))
    nearest = (voices(20, 20, 1) @ centroids.T).argmax(axis=1)
    assert np.bincount(nearest[:40]).tolist() == [20, 20]


def test_fewer_windows_than_speakers_give_fewer_speakers() -> None:
    assert len(grouped(voices(1, 1), SpeakerCount(5, 5))) == 2
    assert len(grouped(voices(1), SpeakerCount(5, 5))) == 1


def test_long_recordings_are_clustered_in_bounded_pieces() -> None:
    windows = (LARGEST_CLUSTERING, LARGEST_CLUSTERING // 2, 400)
    embeddings = voices(*windows)
    shuffled = embeddings[np.random.default_rng(1).permutation(len(embeddings))]
    nearest = (embeddings @ grouped(shuffled).T).argmax(axis=1)
    assert sorted(np.bincount(nearest).tolist(), reverse=True) == list(windows)


# --- time ------------------------------------------------------------------------------------------------------


def test_every_step_of_speech_has_a_window_that_an_encoder_accepts() -> None:
    speech = [Span(0.0, 0.15), Span(1.0, 1.4), Span(2.0, 7.33), Span(9.9, 10.0)]
    times = timeline(speech, 10.0, window=1.5, hop=0.75)
    covered = {step for window in times.windows for step in range(window.first_step, window.last_step)}
    assert covered == set(range(len(times.starts)))
    assert all(window.span.duration >= SHORTEST_WINDOW - 1e-9 for window in times.windows)
    assert all(0 <= window.span.start and window.span.end <= 10.0 for window in times.windows)


def test_steps_are_the_speech_and_nothing_else() -> None:
    times = timeline([Span(0.5, 1.0), Span(1.0, 1.5), Span(2.0, 2.25)], 3.0, window=1.5, hop=0.75)
    assert (times.ends - times.starts).sum() == pytest.approx(1.25)
    np.testing.assert_allclose(times.starts[times.after_pause], [0.5, 2.0])


def test_a_recording_too_short_for_a_window_has_steps_alone() -> None:
    times = timeline([Span(0.0, 0.3)], 0.3, window=1.5, hop=0.75)
    assert times.windows == ()
    assert len(times.starts) == 3


def test_a_change_of_speaker_falls_into_the_pause() -> None:
    times = timeline([Span(0.0, 3.0), Span(3.5, 6.5)], 7.0, window=1.0, hop=0.5)
    centroids = np.eye(2, dtype=np.float32)
    embeddings = np.stack([centroids[int(window.span.start >= 3.5)] for window in times.windows])
    path = assign(times, embeddings, centroids, change_cost=3.0, pause_cost=1.0)
    np.testing.assert_array_equal(path, (times.starts >= 3.5).astype(int))


def test_one_odd_window_in_running_speech_changes_nothing() -> None:
    times = timeline([Span(0.0, 6.0)], 6.0, window=1.0, hop=0.5)
    centroids = np.eye(2, dtype=np.float32)
    embeddings = np.tile(centroids[0], (len(times.windows), 1))
    embeddings[5] = [0.6, 0.8]
    assert assign(times, embeddings, centroids, change_cost=3.0, pause_cost=1.0).tolist() == [0] * 60


# --- turns -----------------------------------------------------------------------------------------------------


def turns_from(*steps: tuple[float, float, int]) -> list[tuple[float, float, str]]:
    starts, ends, path = (np.array(column) for column in zip(*steps, strict=True))
    times = Timeline(starts, ends, np.zeros(len(starts), dtype=bool), ())
    turns = turns_of(times, path, merge_gap=0.3, min_turn=0.2)
    return [(turn.start, turn.end, turn.speaker) for turn in turns]


def test_speakers_are_named_in_order_of_appearance() -> None:
    turns = turns_from((0, 1, 7), (1, 2, 3), (2, 3, 7))
    assert turns == [(0, 1, "SPEAKER_00"), (1, 2, "SPEAKER_01"), (2, 3, "SPEAKER_00")]


def test_short_gaps_within_a_turn_are_closed_and_long_ones_are_not() -> None:
    assert turns_from((0, 1, 0), (1.2, 2, 0), (2.5, 3, 0)) == [(0, 2, "SPEAKER_00"), (2.5, 3, "SPEAKER_00")]


def test_a_gap_with_somebody_else_in_it_stays() -> None:
    turns = turns_from((0, 1, 0), (1, 1.25, 1), (1.25, 2, 0))
    assert [speaker for _, _, speaker in turns] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]


def test_a_tiny_turn_is_dropped_and_names_nobody() -> None:
    assert turns_from((0, 0.1, 5), (1, 2, 0), (2, 2.1, 1), (2.1, 3, 0)) == [(1, 3, "SPEAKER_00")]


# --- RTTM ------------------------------------------------------------------------------------------------------


def test_rttm_has_the_fields_of_the_standard() -> None:
    text = write_rttm([SpeakerTurn(0.5, 2.25, "SPEAKER_00")], "meeting")
    assert text == "SPEAKER meeting 1 0.500 1.750 <NA> <NA> SPEAKER_00 <NA> <NA>\n"


def test_rttm_reads_what_it_writes() -> None:
    turns = (SpeakerTurn(0.0, 1.5, "SPEAKER_00"), SpeakerTurn(1.25, 2.0, "SPEAKER_01"))
    assert read_rttm(write_rttm(turns, "a") + ";; comment\n\n" + write_rttm(turns[:1], "b")) == {
        "a": turns,
        "b": turns[:1],
    }


@pytest.mark.parametrize("line", ["SPEAKER a 1 0.5", "SPEAKER a 1 x 1.0 <NA> <NA> s <NA> <NA>"])
def test_broken_rttm_names_the_line(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_rttm(f";; comment\n{line}\n")


@pytest.mark.parametrize(("uri", "speaker"), [("two words", "s"), ("a", "Jo Ann"), ("", "s")])
def test_rttm_refuses_names_that_would_shift_its_fields(uri: str, speaker: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        write_rttm([SpeakerTurn(0, 1, speaker)], uri)
