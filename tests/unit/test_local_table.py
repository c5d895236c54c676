"""The table that a local run shows."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from graphs.local.client import as_table, languages_line, voices_line

pytestmark = pytest.mark.unit


def transcript(*voices: tuple[str, str, float | None], bands: dict[str, float] | None = None) -> dict[str, Any]:
    turns = [
        {"start": 5.0 * n, "end": 5.0 * n + 4, "speaker": speaker, "text": f"words of {speaker}"}
        for n, (speaker, _verdict, _p) in enumerate(voices)
    ]
    speakers = [{"speaker": speaker, "verdict": verdict, "p_spoof": p} for speaker, verdict, p in voices]
    return {"turns": turns, "spoof": {"speakers": speakers, "bands": bands, "engine": "compact" if bands else None}}


def rendered(told: dict[str, Any]) -> list[str]:
    console = Console(file=StringIO(), width=100)
    with console.capture() as captured:
        console.print(as_table(told, "talk.flac"))
    return captured.get().splitlines()


def test_every_turn_shows_whether_its_voice_is_real() -> None:
    lines = rendered(
        transcript(("Anna", "spoof", 0.9812), ("Boris", "bona_fide", 0.041), ("Vera", "inconclusive", 0.5))
    )
    shown = {name: next(line for line in lines if f"words of {name}" in line) for name in ("Anna", "Boris", "Vera")}
    assert "synthetic 0.98" in shown["Anna"]
    assert "real 0.04" in shown["Boris"]
    assert "unclear 0.50" in shown["Vera"]


def test_a_voice_that_could_not_be_judged_shows_no_number() -> None:
    lines = rendered(transcript(("Anna", "inconclusive", None)))
    assert next(line for line in lines if "Anna" in line).split("│")[3].strip() == "unclear"


def test_a_turn_of_a_speaker_without_verdict_is_shown_all_the_same() -> None:
    told = transcript(("Anna", "spoof", 0.9))
    told["spoof"]["speakers"] = []
    assert any("words of Anna" in line for line in rendered(told))


def test_the_line_below_says_what_the_numbers_mean() -> None:
    said = voices_line(transcript(("Anna", "spoof", 0.9), bands={"bona_fide_below": 0.25, "spoof_from": 0.7}))
    assert said == "voice: P(spoof) by the engine compact; real below 0.25, synthetic from 0.7"
    assert "no voice was heard alone" in voices_line(transcript())


@pytest.mark.parametrize(
    ("pairs", "languages", "line"),
    [
        ({}, [], "speaks 2 languages; translates nothing: apt-get install apertium apertium-eng-spa, or"),
        ({"en": ["es"], "es": ["ca", "en"]}, ["ca", "en", "es"], "speaks 2 languages; translates en-es, es-ca, es-en"),
        (None, ["en", "kk", "ru"], "speaks 2 languages; translates 3 languages into each other"),
    ],
)
def test_what_is_spoken_and_translated_is_said_in_a_line(pairs: Any, languages: list[str], line: str) -> None:
    speech = {"languages": ["en", "en-gb", "ru"], "cloning": []}
    told = languages_line({"translation": {"languages": languages, "pairs": pairs}, "speech": speech})
    assert told.startswith(line)
