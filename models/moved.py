"""Former names of commands, kept for one release: each says where it moved and runs it from there."""

import logging
from importlib.util import find_spec
from runpy import run_module

_log = logging.getLogger(__name__)


def run_moved(former: str, present: str) -> None:
    """Run a module that has another name now, as ``python -m`` runs it.

    Raises:
        SystemExit: The module's own; or the module is not installed, as ``training`` is not in the wheel.
    """
    _log.warning("python -m %s has moved: use python -m %s; the former name ends with release 0.3", former, present)
    if find_spec(present.partition(".")[0]) is None:
        raise SystemExit(f"{present} comes with the repository, not with the installed package: run it in a clone")
    run_module(present, run_name="__main__")
