"""Errors of the graphs as events."""

from graphs.common.errors import as_api_error
from graphs.live.protocol import Problem


def problem(error: Exception, turn: int | None = None) -> Problem:
    """Describe an error to the client; a fault's details go to the log and not to it."""
    known = as_api_error(error)
    return Problem(code=known.code, message=known.detail, field=known.field, turn=turn, retry_after=known.retry_after)
