"""The default clock; classes take it as an argument, so that tests can replace it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time by this machine's clock, in UTC."""
    return datetime.now(UTC)
