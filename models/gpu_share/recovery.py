"""Recovery of work that runs out of GPU memory: repetition in smaller batches or after freeing memory."""

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from models.gpu_share.errors import forget_locals, is_out_of_memory

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


_recovered: list[None] = []
"""One for each time: to append is atomic."""


def recoveries() -> int:
    """Return how often work was repeated after running out of memory, since the process started."""
    return len(_recovered)


def free_memory() -> None:
    """Return PyTorch's cached memory to the GPU; the other runtimes offer no such call."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def retry_once(work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """Call a function, and call it again after freeing memory if it ran out of GPU memory.

    Args:
        work: May be done twice.
        args: Of the work.
        kwargs: Of the work.
    """
    try:
        return work(*args, **kwargs)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        forget_locals(error)
    _recovered.append(None)
    free_memory()
    return work(*args, **kwargs)


def in_batches(count: int, size: int, run: Callable[[int, int], Result]) -> list[Result]:
    """Process items batch by batch; a batch that runs out of GPU memory is halved and tried again.

    Args:
        count: How many items there are.
        size: Of the first batch.
        run: Does the items from one number to before another; may be done twice.

    Returns:
        Of each batch, in order.

    Raises:
        Exception: Not even one item fits; see ``is_out_of_memory``.
    """
    results: list[Result] = []
    start = 0
    while start < count:
        stop = min(count, start + size)
        done = _tried(run, start, stop)
        results += done
        if done:
            start = stop
        else:
            size = (stop - start) // 2
    return results


def _tried(run: Callable[[int, int], Result], start: int, stop: int) -> list[Result]:
    """Return nothing where there is not enough memory."""
    try:
        return [run(start, stop)]
    except Exception as error:
        if not is_out_of_memory(error) or stop - start == 1:
            raise
        forget_locals(error)
    _recovered.append(None)
    free_memory()
    return []
