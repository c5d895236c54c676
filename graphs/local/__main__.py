"""``python -m graphs.local``: the whole system on this machine, as ``make run`` starts it."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from deployments.logs import configure_logs
from deployments.serve_config import load
from deployments.strict import ConfigError
from graphs.local.client import (
    RecordingRefused,
    as_table,
    chat_line,
    engines_of,
    languages_line,
    languages_of,
    transcribe,
    voices_line,
)
from graphs.local.environment import Environment, StartError, read_environment
from graphs.local.system import RunningSystem, running
from models.samples import DIALOGUE

INTERRUPTED = 130


def main() -> int:
    """Start everything, show one transcript, serve until Ctrl-C; return the exit status."""
    arguments = _arguments()
    console = Console()
    configure_logs("WARNING", readable=True)
    signal.signal(signal.SIGTERM, _interrupt)
    serving = False
    try:
        environment = read_environment(os.environ, Path.cwd() / "var")
        if arguments.file and not arguments.file.is_file():
            raise StartError(f"FILE={arguments.file}: there is no such file")
        with _system(environment, arguments.config, console) as system:
            _show(arguments.file, system, console)
            if not arguments.once:
                console.print("\nServing. Press Ctrl-C to stop.")
                serving = True
                while True:
                    time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 0 if serving else INTERRUPTED
    except (StartError, ConfigError, RecordingRefused) as error:
        console.print(f"[bold red]Error:[/] {error}", highlight=False)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("serve_config.local.yaml"))
    parser.add_argument("--file", type=Path, help="a recording to transcribe instead of the bundled dialogue")
    parser.add_argument("--once", action="store_true", help="stop after the transcript")
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _system(environment: Environment, config: Path, console: Console) -> Iterator[RunningSystem]:
    """Run the system, showing each step with the time it was reached."""
    started = time.monotonic()
    status = console.status("")
    shown = ""

    def on_step(step: str) -> None:
        nonlocal shown
        if step == shown:
            return
        shown = step
        status.update(step)
        if not console.is_terminal:
            console.print(f"{time.monotonic() - started:5.1f} s  {step}", highlight=False)
        if step == "stopping":
            status.start()

    try:
        status.start()
        with running(environment, load(config), on_step) as system:
            status.stop()
            _introduce(system, environment, time.monotonic() - started, console)
            try:
                yield system
            finally:
                # A second Ctrl-C must not leave processes behind.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                on_step("stopping")
    finally:
        status.stop()


def _introduce(system: RunningSystem, environment: Environment, seconds: float, console: Console) -> None:
    lines = [
        ("Ready", f"in {seconds:.0f} s; data in {environment.data}"),
        ("URL", f"{system.url}   (API reference: {system.url}/docs)"),
        ("Page", f"{system.url}/#key={system.api_key}"),
        *([("gRPC", f"{system.grpc_address}   (audioanalyzer.AudioAnalysis)")] if system.grpc_address else []),
        ("WebSocket", f"ws{system.url.removeprefix('http')}/api/v1/ws   (docs/live.md)"),
        ("Speech", languages_line(languages_of(system.url, system.api_key))),
        ("Assistant", chat_line(engines_of(system.url, system.api_key)["chat"])),
        ("Ray dashboard", f"{system.dashboard.url}   (token: {system.dashboard.token})"),
        ("API key", system.api_key),
    ]
    if not environment.admin_key_given:
        lines.append(("Admin key", environment.admin_key))
    for name, value in lines:
        console.print(f"[bold]{name:<14}[/] {value}", highlight=False, soft_wrap=True)
    console.print()


def _show(file: Path | None, system: RunningSystem, console: Console) -> None:
    with as_file(DIALOGUE) as sample:
        recording = file or sample
        transcript = transcribe(system.url, system.api_key, recording, console)
    title = f"{recording.name}: {transcript['duration']:.1f} s, {transcript['language']}"
    console.print(as_table(transcript, title))
    timings = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in transcript["timings"].items())
    console.print(f"{len(transcript['speakers'])} speakers; {timings}")
    console.print(voices_line(transcript), highlight=False)
    for notice in transcript["notices"]:
        console.print(f"[yellow]Notice:[/] {escape(notice)}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
