"""Progress display of the commands."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from training.spoof.folders import Unusable

_SHOWN = 20


def columns() -> tuple[ProgressColumn, ...]:
    """Return the columns of a progress bar."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def tell_unusable(console: Console, unusable: Sequence[Unusable]) -> None:
    """Name the files that were skipped because they could not be read."""
    for file in unusable[:_SHOWN]:
        console.print(
            f"skipped {file.path}: {file.reason}", style="yellow", markup=False, highlight=False, soft_wrap=True
        )
    if len(unusable) > _SHOWN:
        console.print(f"and {len(unusable) - _SHOWN} more", style="yellow", highlight=False)
    if unusable:
        console.print(f"{len(unusable)} files could not be read", style="yellow", highlight=False)
