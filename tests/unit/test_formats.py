from itertools import pairwise

import pytest

from graphs.transcription.formats import (
    MAX_CUE_CHARACTERS,
    MAX_CUE_SECONDS,
    Cue,
    cues,
    timed_cues,
    to_srt,
    to_text,
    to_vtt,
    write_srt,
    write_text,
    write_vtt,
)
from graphs.transcription.transcript import Transcript, TranscriptWord, Turn

pytestmark = pytest.mark.unit


def spoken(speaker: str, start: float, text: str, seconds_per_word: float = 0.4) -> Turn:
    words = tuple(
        TranscriptWord(text=word, start=start + i * seconds_per_word, end=start + (i + 1) * seconds_per_word)
        for i, word in enumerate(text.split())
    )
    return Turn(start=start, end=words[-1].end, speaker=speaker, text=text, words=words)


def transcript(*turns: Turn) -> Transcript:
    return Transcript(
        duration=4000.0,
        language="en",
        speakers=("SPEAKER_00", "SPEAKER_01"),
        turns=turns,
        segments=(),
        diarization=(),
        timings={},
    )


def test_srt_numbers_cues_and_writes_times_with_a_comma() -> None:
    written = to_srt(transcript(spoken("SPEAKER_00", 3661.5, "good morning"), spoken("SPEAKER_01", 3663.0, "hello")))
    assert written == (
        "1\n01:01:01,500 --> 01:01:02,300\nSPEAKER_00: good morning\n\n"
        "2\n01:01:03,000 --> 01:01:03,400\nSPEAKER_01: hello\n"
    )


def test_vtt_has_its_header_and_voice_spans_with_markup_escaped() -> None:
    written = to_vtt(transcript(spoken("A & B", 0.0, "1 < 2")))
    assert written == "WEBVTT\n\n00:00:00.000 --> 00:00:01.200\n<v A &amp; B>1 &lt; 2\n"


def test_text_is_one_line_a_turn() -> None:
    assert to_text(transcript(spoken("Anna", 65.9, "well then"))) == "[00:01:05] Anna: well then\n"


def test_long_turns_are_cut_into_cues_that_can_be_read() -> None:
    turn = spoken("SPEAKER_00", 0.0, " ".join(f"word{i}" for i in range(200)))
    made = list(cues([turn]))
    assert len(made) > 10
    assert all(len(cue.text) <= MAX_CUE_CHARACTERS and cue.end - cue.start <= MAX_CUE_SECONDS + 1e-6 for cue in made)
    assert " ".join(cue.text for cue in made) == turn.text


def test_a_word_longer_than_a_cue_stands_alone() -> None:
    giant = "x" * 200
    assert [cue.text for cue in cues([spoken("A", 0.0, f"a {giant} b")])] == ["a", giant, "b"]


def test_a_turn_without_word_times_is_one_cue() -> None:
    turn = Turn(start=1.0, end=9.0, speaker="A", text="no times here", words=())
    assert [(cue.start, cue.end, cue.text) for cue in cues([turn])] == [(1.0, 9.0, "no times here")]


def test_names_replace_speakers_everywhere() -> None:
    said = transcript(spoken("SPEAKER_00", 0.0, "hi"), spoken("SPEAKER_01", 1.0, "ho"))
    named = said.renamed({"SPEAKER_01": "Boris"})
    assert [turn.speaker for turn in named.turns] == ["SPEAKER_00", "Boris"]
    assert named.speakers == ("SPEAKER_00", "Boris")


def test_a_long_text_becomes_lines_that_share_its_time() -> None:
    text = " ".join(f"word{number:02}" for number in range(40))
    made = list(timed_cues(10.0, 34.0, text))
    assert " ".join(cue.text for cue in made) == text
    assert all(len(cue.text) <= MAX_CUE_CHARACTERS for cue in made)
    assert (made[0].start, made[-1].end) == (10.0, 34.0)
    assert all(before.end == after.start for before, after in pairwise(made))
    lengths = [len(cue.text) for cue in made]
    assert min(lengths) > max(lengths) / 2


def test_text_without_spaces_is_cut_by_its_width() -> None:
    made = list(timed_cues(0.0, 10.0, "字" * 100))
    assert "".join(cue.text for cue in made) == "字" * 100
    assert max(len(cue.text) for cue in made) == MAX_CUE_CHARACTERS // 2


def test_a_text_without_words_has_no_cue() -> None:
    assert list(timed_cues(0.0, 1.0, "  ")) == []


def test_cues_without_a_speaker_are_their_text_alone() -> None:
    cue = Cue(1.0, 2.5, "", "fish & chips")
    assert write_srt([cue]) == "1\n00:00:01,000 --> 00:00:02,500\nfish & chips\n"
    assert write_vtt([cue]) == "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nfish &amp; chips\n"
    assert write_text([cue]) == "[00:00:01] fish & chips\n"
