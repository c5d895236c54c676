"""The time of day; whatever needs it takes a clock, so that tests can set it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time by this machine's clock, in UTC."""
    return datetime.now(UTC)
