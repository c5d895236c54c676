import pytest

from graphs.transcription.alignment import SpeakerLookup, merge
from models.asr import Segment, Word
from models.diarization import SpeakerTurn
from models.spans import Span

pytestmark = pytest.mark.unit

A, B = "SPEAKER_00", "SPEAKER_01"


def words(*items: tuple[str, float, float]) -> Segment:
    spoken = tuple(Word(text, start, end) for text, start, end in items)
    return Segment(spoken[0].start, spoken[-1].end, " ".join(w.text for w in spoken), spoken)


def test_a_segment_is_cut_where_the_speaker_changes() -> None:
    turns = [SpeakerTurn(0.0, 1.0, A), SpeakerTurn(1.1, 2.0, B)]
    merged = merge([words(("good", 0.1, 0.4), ("morning", 0.5, 0.9), ("hello", 1.2, 1.8))], turns)
    assert [(turn.speaker, turn.text) for turn in merged] == [(A, "good morning"), (B, "hello")]
    assert (merged[1].start, merged[1].end) == (1.2, 1.8)


def test_a_word_goes_to_whoever_overlaps_it_most() -> None:
    lookup = SpeakerLookup([SpeakerTurn(0.0, 1.0, A), SpeakerTurn(0.8, 3.0, B)])
    assert lookup.speaker(Span(0.7, 1.3)) == B
    assert lookup.speaker(Span(0.4, 0.9)) == A


def test_the_pad_decides_only_where_nobody_speaks() -> None:
    lookup = SpeakerLookup([SpeakerTurn(0.0, 1.0, A), SpeakerTurn(2.0, 3.0, B)])
    assert lookup.speaker(Span(1.05, 1.15)) == A
    assert lookup.speaker(Span(1.85, 1.95)) == B
    # With its pad on both sides the second turn would be the longer one.
    assert SpeakerLookup([SpeakerTurn(0.0, 0.3, A), SpeakerTurn(0.5, 0.75, B)]).speaker(Span(0.0, 1.0)) == A


def test_a_word_far_from_every_turn_goes_to_the_nearest() -> None:
    lookup = SpeakerLookup([SpeakerTurn(0.0, 1.0, A), SpeakerTurn(60.0, 61.0, B)])
    assert lookup.speaker(Span(10.0, 10.5)) == A
    assert lookup.speaker(Span(50.0, 50.5)) == B
    assert lookup.speaker(Span(90.0, 90.5)) == B


def test_a_long_turn_that_began_long_ago_is_still_found() -> None:
    turns = [SpeakerTurn(0.0, 500.0, A), *(SpeakerTurn(i, i + 0.1, B) for i in range(10, 400, 10))]
    assert SpeakerLookup(turns).speaker(Span(405.0, 406.0)) == A


def test_segments_without_words_go_whole_to_one_speaker() -> None:
    turns = [SpeakerTurn(0.0, 4.0, A), SpeakerTurn(4.0, 5.0, B)]
    merged = merge([Segment(0.0, 5.0, "all of it"), Segment(4.1, 4.9, "mine")], turns)
    assert [(turn.speaker, turn.text, turn.words) for turn in merged] == [(A, "all of it", ()), (B, "mine", ())]


def test_the_same_speaker_goes_on_after_a_short_pause_and_anew_after_a_long_one() -> None:
    turns = [SpeakerTurn(0.0, 20.0, A)]
    merged = merge([words(("one", 0.0, 1.0)), words(("two", 2.0, 3.0)), words(("three", 9.0, 10.0))], turns)
    assert [turn.text for turn in merged] == ["one two", "three"]


def test_without_turns_everything_is_one_speakers() -> None:
    assert [turn.speaker for turn in merge([words(("alone", 0.0, 1.0))], [])] == [A]


def test_silence_makes_no_turns() -> None:
    assert merge([], [SpeakerTurn(0.0, 1.0, A)]) == ()
    assert merge([Segment(0.0, 1.0, "  ")], []) == ()
