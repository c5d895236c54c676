"""Work in batches as large as a GPU's memory allows."""

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


def in_batches(count: int, size: int, run: Callable[[int, int], Result]) -> list[Result]:
    """Do some work batch by batch; a batch that is too large for the GPU's memory is halved and done again.

    Args:
        count: How many items there are.
        size: Of the first batch.
        run: Does the items from one number to before another.

    Returns:
        Of each batch, in order.

    Raises:
        torch.OutOfMemoryError: Not even one item fits.
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
    """Return nothing where there is not enough memory; what the failed attempt held is free by then."""
    try:
        return [run(start, stop)]
    except torch.OutOfMemoryError:
        if stop - start == 1:
            raise
    torch.cuda.empty_cache()
    return []
