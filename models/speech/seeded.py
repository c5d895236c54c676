"""Reproducible random numbers for models that draw from PyTorch's global generator."""

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Seeded(TorchFunctionMode):
    """Context in which this thread draws from a generator of its own; other threads are not affected.

    Covers what VITS and SpeechT5 draw with: ``randn``, ``randn_like`` and ``bernoulli``.

    Args:
        seed: The same seed and the same calls draw the same numbers.
        device: Where the numbers are drawn.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._generator = torch.Generator(device).manual_seed(seed)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, with this generator where it draws."""
        kwargs = kwargs or {}
        if func is torch.randn:
            return func(*args, **{"device": self._device, **kwargs, "generator": self._generator})
        if func is torch.randn_like:
            # Like the function itself, in the order in which the tensor lies in memory.
            return torch.empty_like(*args, **kwargs).normal_(generator=self._generator)
        if func is torch.bernoulli:
            return func(*args, **{**kwargs, "generator": self._generator})
        return func(*args, **kwargs)
