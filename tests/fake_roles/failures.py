"""Failures that a test orders of a fake."""

from typing import Self

from models.facts import EngineInUse


class Failing:
    """A role whose methods raise what is ordered.

    Attributes:
        errors: What a method raises, by its name.
        engine_in_use: What it says of its engine.
    """

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.engine_in_use = EngineInUse("fake")

    async def in_use(self) -> EngineInUse:
        self.raise_ordered("in_use")
        return self.engine_in_use

    def failing(self, **errors: Exception) -> Self:
        """Order what methods raise; return the role."""
        self.errors.update(errors)
        return self

    def raise_ordered(self, method: str) -> None:
        """Raise what is ordered of a method, if anything is."""
        if method in self.errors:
            raise self.errors[method]
