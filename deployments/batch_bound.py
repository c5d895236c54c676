"""Bound of a batch's size while the engine's memory is short."""

GROW_AFTER = 32
"""Batches that must fit before larger ones are tried."""

_STEP = 1 / 8


class BatchBound:
    """The most that the items of a batch may cost together: less for a while after the engine ran out of memory.

    Half of the batch that did not fit is the bound from then on. Each time that ``GROW_AFTER`` batches of about that
    size have fitted, an eighth of the most is added again.

    Args:
        most: What a batch may cost while there is memory.

    Attributes:
        most: See above.
        now: What it may cost now.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self.now = most
        self._fitted = 0

    def ran_out(self, cost: float) -> None:
        """Note that a batch of this cost did not fit."""
        self.now = min(self.now, cost / 2)
        self._fitted = 0

    def fitted(self, cost: float) -> None:
        """Note that a batch of this cost did fit; a small one says nothing."""
        if self.now >= self.most or cost < self.now / 2:
            return
        self._fitted += 1
        if self._fitted == GROW_AFTER:
            self.now = min(self.most, self.now + _STEP * self.most)
            self._fitted = 0
