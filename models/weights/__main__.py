"""Fetches, lists and checks the weights that a configuration names, or named sets.

python -m models.weights pull serve_config.yaml      fetch what is missing into this node's cache
python -m models.weights pull set://whisper-base     fetch a named set
python -m models.weights list                        the named sets: sources, size, licence, state
python -m models.weights push serve_config.yaml      the same, and fill the mirror in S3
python -m models.weights list serve_config.yaml      what is needed, how large, under which licence, where it lies
python -m models.weights verify [serve_config.yaml]  read all that is cached and compare checksums
python -m models.weights prune serve_config.yaml...  remove what none of the configurations names

VOICEGRAPH_WEIGHTS is the cache (~/.cache/voicegraph/weights), VOICEGRAPH_WEIGHTS_MIRROR the mirror (s3://bucket/prefix),
HF_TOKEN a token of the Hugging Face Hub. See docs/weights.md. The status is 0 if all is well, 1 if some weights are
missing or damaged, 2 if the configuration can't be read.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from models.weights import commands
from models.weights.catalogue import SETS
from models.weights.configuration import Need, need_of_set, needs_of
from models.weights.sources import has_scheme

_WIDTH = 200
"""Columns where nobody looks at a terminal."""
_WHAT = "a configuration such as serve_config.yaml, or set://NAME"


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run a command and return its status."""
    asked = _parser().parse_args(arguments)
    console = console or Console(width=None if sys.stdout.isatty() else _WIDTH)
    # What the libraries have to say of their tries is said in the sentences.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        needs = _needs(asked.what)
    except ValueError as error:
        print(f"weights: {error}", file=sys.stderr)
        return 2
    match asked.command:
        case "pull":
            return commands.pull(needs, console)
        case "push":
            return commands.push(needs, console)
        case "list":
            needs = needs if asked.what else _needs([f"set://{name}" for name in SETS])
            return commands.show(needs, console, as_json=asked.json, online=not asked.offline)
        case "verify":
            return commands.verify(needs if asked.what else None, console)
        case _:
            return commands.prune(needs, console)


def _needs(asked: Sequence[str]) -> list[Need]:
    return [need for what in asked for need in ([need_of_set(what)] if has_scheme(what) else needs_of(Path(what)))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands_ = parser.add_subparsers(dest="command", required=True)
    for name, text in (("pull", "fetch what is missing"), ("push", "fetch, and fill the mirror")):
        commands_.add_parser(name, help=text).add_argument("what", nargs="+", help=_WHAT)
    listing = commands_.add_parser("list", help="what is needed, and where it lies")
    listing.add_argument("what", nargs="*", help=f"{_WHAT}; left out: all named sets")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.add_argument("--offline", action="store_true", help="don't ask the Hub for sizes and licences")
    verify = commands_.add_parser("verify", help="compare checksums")
    verify.add_argument("what", nargs="*", help=f"{_WHAT}; left out: all that is cached")
    prune = commands_.add_parser("prune", help="remove what no configuration names")
    prune.add_argument("what", nargs="+", help=_WHAT)
    return parser


if __name__ == "__main__":
    sys.exit(main())
