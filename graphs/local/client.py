"""Sends one recording through the HTTP API and shows what comes back, as any client would."""

import json
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

REQUEST_TIMEOUT_S = 60.0


class RecordingRefused(Exception):
    """The service did not take the recording, or could not transcribe it; the message is its own."""


def transcribe(url: str, api_key: str, recording: Path, console: Console) -> dict[str, Any]:
    """Transcribe a recording, have its voices judged, and show progress meanwhile.

    Args:
        url: Base URL of the service.
        api_key: The owner's key.
        recording: The file to send.
        console: Where progress is shown.

    Returns:
        The transcript, as ``transcript.json`` has it.

    Raises:
        RecordingRefused: See there.
    """
    with httpx.Client(base_url=url, headers={"X-API-Key": api_key}, timeout=REQUEST_TIMEOUT_S) as client:
        with recording.open("rb") as body:
            files = {"file": (recording.name, body)}
            response = client.post("/v1/jobs/transcription", files=files, data={"spoof": "true"})
        if response.is_error:
            raise RecordingRefused(_detail(response))
        job = response.json()
        _follow(client, job["id"], console)
        ended = client.get(f"/v1/jobs/{job['id']}").json()
        if ended["state"] != "succeeded":
            raise RecordingRefused((ended.get("error") or {}).get("message", f"the job is {ended['state']}"))
        transcript: dict[str, Any] = client.get(ended["artifacts"]["transcript.json"]).raise_for_status().json()
        return transcript


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError):
        return f"HTTP {response.status_code}"


def _follow(client: httpx.Client, job_id: str, console: Console) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("waiting", total=1.0)
        with client.stream("GET", f"/v1/jobs/{job_id}/events", timeout=None) as events:
            for line in events.iter_lines():
                if line.startswith("data:"):
                    data = json.loads(line.removeprefix("data:"))
                    if "progress" in data:
                        bar.update(task, completed=data["progress"], description=data.get("stage") or "working")


_VERDICTS = {
    "bona_fide": "[green]real[/]",
    "spoof": "[red]synthetic[/]",
    "inconclusive": "[yellow]unclear[/]",
}


def as_table(transcript: dict[str, Any], title: str) -> Table:
    """Render who said what, when, and whether each voice is real, with P(spoof)."""
    voices = {voice["speaker"]: _voice(voice) for voice in transcript["spoof"]["speakers"]}
    table = Table(title=title, title_justify="left", show_lines=False)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("speaker", no_wrap=True)
    table.add_column("voice", no_wrap=True)
    table.add_column("words")
    for turn in transcript["turns"]:
        time = f"{_clock(turn['start'])} - {_clock(turn['end'])}"
        table.add_row(time, turn["speaker"], voices.get(turn["speaker"], ""), turn["text"])
    return table


def _voice(verdict: dict[str, Any]) -> str:
    p_spoof = verdict["p_spoof"]
    return _VERDICTS[verdict["verdict"]] + ("" if p_spoof is None else f" {p_spoof:.2f}")


def voices_line(transcript: dict[str, Any]) -> str:
    """Explain the table's verdicts on the voices, with the engine and its bands."""
    spoof = transcript["spoof"]
    if spoof["bands"] is None:
        return "no voice was heard alone for long enough to judge it"
    bands = spoof["bands"]
    return (
        f"voice: P(spoof) by the engine {spoof['engine']}; real below {bands['bona_fide_below']:g}, "
        f"synthetic from {bands['spoof_from']:g}"
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60):d}:{seconds % 60:04.1f}"


def engines_of(url: str, key: str) -> dict[str, Any]:
    """Ask which engines answer, and return them by role."""
    with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=REQUEST_TIMEOUT_S) as client:
        engines = client.get("/v1/engines").raise_for_status().json()["engines"]
    return {engine["role"]: engine for engine in engines}


def chat_line(engine: dict[str, Any]) -> str:
    """Say which chat engine answers, and how to connect a language model where it is none."""
    better = engine["better"]
    if better is None or not better["command"]:
        return str(engine["title"])
    return f"{engine['title']}; to connect a language model: {better['command']}"


def languages_of(url: str, key: str) -> dict[str, Any]:
    """Ask what is translated and spoken."""
    with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=REQUEST_TIMEOUT_S) as client:
        languages: dict[str, Any] = client.get("/v1/languages").raise_for_status().json()
    return languages


def languages_line(languages: dict[str, Any]) -> str:
    """Say what is spoken and translated, and how to get translation where there is none."""
    spoken = len({code.partition("-")[0] for code in languages["speech"]["languages"]})
    translation = languages["translation"]
    pairs = translation["pairs"]
    if not translation["languages"]:
        said = "translates nothing: apt-get install apertium apertium-eng-spa, or configure a model"
    elif pairs is None:
        said = f"translates {len(translation['languages'])} languages into each other"
    else:
        said = "translates " + ", ".join(f"{source}-{target}" for source in pairs for target in pairs[source])
    return f"speaks {spoken} languages; {said}"
