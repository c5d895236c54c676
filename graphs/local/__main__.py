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
from typing import Any

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
from graphs.local.engines import arguments_of_graphs
from graphs.local.environment import Environment, StartError, read_environment
from graphs.local.models import Models, checked_models, model_fetch
from graphs.local.requirements import apt_line, install, missing_debian_packages
from graphs.local.steps import Steps
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
        models = checked_models(arguments.models)
        with _system(environment, arguments, models, console) as system:
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
    parser.add_argument(
        "--models", default=os.environ.get("MODELS", ""), help="none, default or full; see docs/weights.md"
    )
    parser.add_argument("--apt", action="store_true", help="install missing Debian packages, as root")
    parser.add_argument("--once", action="store_true", help="stop after the transcript")
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _system(
    environment: Environment, arguments: argparse.Namespace, models: Models, console: Console
) -> Iterator[RunningSystem]:
    """Run the system, showing each step with the time it was reached."""
    steps = Steps(console)
    with steps:
        fetch = model_fetch(load(arguments.config), models, environment.data)
        hint = _debian_packages(fetch.config, steps, install_them=arguments.apt)
        steps.follow(lambda: fetch.line)
        with running(environment, fetch.config, steps.next, fetch=fetch) as system:
            steps.pause()
            _introduce(system, environment, steps.seconds, hint, console)
            try:
                yield system
            finally:
                # A second Ctrl-C must not leave processes behind.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                steps.resume("stopping")


def _debian_packages(config: dict[str, Any], steps: Steps, *, install_them: bool) -> str:
    """Install the Debian packages that are missing, where that is asked for; say which are missing then."""
    missing = missing_debian_packages(arguments_of_graphs(config))
    failure = install(missing, steps.next) if missing and install_them else None
    missing = [packages for packages in missing if not packages.installed()]
    if not missing:
        return ""
    brings = " and ".join(packages.brings for packages in missing)
    return f"{f'{failure}; ' if failure else ''}{apt_line(missing)}   (brings {brings})"


def _introduce(system: RunningSystem, environment: Environment, seconds: float, hint: str, console: Console) -> None:
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
    if hint:
        lines.append(("Missing", hint))
    lines += [("Notice", notice) for notice in system.notices]
    for name, value in lines:
        console.print(f"[bold]{name:<14}[/] {escape(value)}", highlight=False, soft_wrap=True)
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
