"""Language pairs of the installed Apertium data, and the pipeline of programs of each."""

import logging
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.translation.languages import short_code

_log = logging.getLogger(__name__)

DATA = Path("/usr/share/apertium")
# A variant stands after its language: eng-spa, but spa-eng_US and hbs_HR-slv.
_NAME = re.compile(r"([a-z]{2,3})(_\w+)?-([a-z]{2,3})(_\w+)?")
_SHELL = re.compile(r"[;&<>`()\n]|\$[^12]")
_UNMARKED = "-n"


@dataclass(frozen=True)
class Mode:
    """A pair as a pipeline of programs: stream format in, stream format out.

    Attributes:
        stages: Program and arguments of each.
        environment: Variables that they run with.
    """

    source: str
    target: str
    stages: tuple[tuple[str, ...], ...]
    environment: Mapping[str, str]


def find_modes(root: Path | None = None) -> dict[tuple[str, str], Mode]:
    """Return the pairs that can run, by source and target in ISO 639-1 where it has them.

    A pair's main mode goes before its variants, and those below ``root`` before the installed ones.
    """
    modes: dict[tuple[str, str], Mode] = {}
    for place in (root, None) if root else (None,):
        folder = _data(place) / "modes"
        for path in sorted(folder.glob("*.mode"), key=lambda path: (path.stem.count("_"), path.stem)):
            name = _NAME.fullmatch(path.stem)
            if name is None:
                continue
            pair = short_code(name[1]), short_code(name[3])
            if pair[0] != pair[1] and pair not in modes and (mode := _mode(path, pair, place)):
                modes[pair] = mode
    return modes


def _data(root: Path | None) -> Path:
    return root.absolute() / DATA.relative_to("/") if root else DATA


def _mode(path: Path, pair: tuple[str, str], root: Path | None) -> Mode | None:
    environment = _environment(root)
    try:
        stages = parse(path.read_text("utf-8"), root)
    except ValueError as error:
        _log.warning("Apertium's mode %s can't be used: %s", path, error)
        return None
    missing = sorted({stage[0] for stage in stages if shutil.which(stage[0], path=environment["PATH"]) is None})
    missing += [word for stage in stages for word in stage[1:] if word.startswith("/") and not Path(word).is_file()]
    if missing:
        _log.warning("Apertium's mode %s can't be used, not installed: %s", path, ", ".join(missing))
        return None
    # The program is looked for in our PATH, not in the child's.
    found = tuple((str(shutil.which(stage[0], path=environment["PATH"])), *stage[1:]) for stage in stages)
    return Mode(*pair, found, environment)


def parse(text: str, root: Path | None = None) -> tuple[tuple[str, ...], ...]:
    """Read a mode file, which is a line for a shell, without one.

    Each program is told to answer at every NUL, and the generator (``$1``) to leave unknown words unmarked.

    Raises:
        ValueError: It is more than programs, arguments and pipes.
    """
    line = text.strip()
    if _SHELL.search(line):
        raise ValueError("it has more than programs, arguments and pipes")
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    stages: list[list[str]] = [[]]
    for word in lexer:
        if word == "|":
            stages.append([])
        elif word == "$1":
            stages[-1].append(_UNMARKED)
        elif word != "$2":
            stages[-1].append(_below(word, root))
    if not all(stages):
        raise ValueError("a program is missing between its pipes")
    return tuple((program, "-z", *arguments) for program, *arguments in stages)


def _below(word: str, root: Path | None) -> str:
    if root is not None and word.startswith(f"{DATA}/"):
        return str(_data(root) / word[len(f"{DATA}/") :])
    return word


def _environment(root: Path | None) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath)
    libraries: list[str] = []
    if root is not None:
        place = root.absolute()
        path = f"{place / 'usr/bin'}{os.pathsep}{path}"
        libraries = [str(folder) for folder in (place / "usr/lib", *(place / "usr/lib").glob("*-linux-gnu*"))]
    # The stream is UTF-8 wherever the service runs.
    return {"PATH": path, "LC_ALL": "C.UTF-8", **({"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {})}
