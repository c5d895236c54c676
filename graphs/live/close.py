"""Exceptions that end a connection."""

from graphs.live.protocol import CloseCode


class ConnectionClosed(Exception):
    """The service ends the connection.

    Args:
        code: What the WebSocket is closed with.
        reason: A stable machine-readable name.
        message: A sentence for a person.
    """

    def __init__(self, code: CloseCode, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message


class ClientDisconnected(Exception):
    """The client has closed the connection or was lost."""
