import pytest

from graphs.formats import MAX_CUE_CHARACTERS, MAX_CUE_SECONDS, cues, to_srt, to_text, to_vtt
from graphs.transcript import Transcript, TranscriptWord, Turn

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
