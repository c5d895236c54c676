"""Failures that a test orders of a fake."""

from typing import Self


class Failing:
    """A role whose methods raise what is ordered.

    Attributes:
        errors: What a method raises, by its name.
    """

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}

    def failing(self, **errors: Exception) -> Self:
        """Order what methods raise; return the role."""
        self.errors.update(errors)
        return self

    def raise_ordered(self, method: str) -> None:
        """Raise what is ordered of a method, if anything is."""
        if method in self.errors:
            raise self.errors[method]
