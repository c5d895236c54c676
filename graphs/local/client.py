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
    """Transcribe a recording and show progress meanwhile.

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
            response = client.post("/v1/jobs/transcription", files={"file": (recording.name, body)})
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


def as_table(transcript: dict[str, Any], title: str) -> Table:
    """Render who said what, when."""
    table = Table(title=title, title_justify="left", show_lines=False)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("speaker", no_wrap=True)
    table.add_column("words")
    for turn in transcript["turns"]:
        table.add_row(f"{_clock(turn['start'])} - {_clock(turn['end'])}", turn["speaker"], turn["text"])
    return table


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60):d}:{seconds % 60:04.1f}"
