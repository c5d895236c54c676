"""Conversion of frames into messages, and of events into frames."""

from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from graphs.live.protocol import COMMANDS, Command, Event, Start, encoded
from models.errors import InputError

Frame = str | bytes
T = TypeVar("T")
StartT = TypeVar("StartT", bound=Start)
StartT_co = TypeVar("StartT_co", bound=Start, covariant=True)


class Serializer(Protocol[StartT_co]):
    """A dialect of the live protocol."""

    pinged: bool
    """Whether its clients answer pings."""

    def start(self, frame: Frame) -> StartT_co:
        """Read the first message.

        Raises:
            InputError: It is no such message.
        """
        ...

    def message(self, frame: Frame) -> bytes | Command:
        """Read a later message: audio or a command.

        Raises:
            InputError: It is neither.
        """
        ...

    def frames(self, event: Event, audio: bytes | None) -> tuple[Frame, ...]:
        """Return what is sent for an event; ``audio`` comes with the events that announce it."""
        ...


class LiveSerializer(Generic[StartT]):
    """The protocol of docs/live.md: JSON in text frames, PCM in binary ones.

    Args:
        start: The first message's model.
    """

    pinged = True

    def __init__(self, start: type[StartT]) -> None:
        self._start: TypeAdapter[StartT] = TypeAdapter(start)

    def start(self, frame: Frame) -> StartT:
        """Read the first message."""
        if isinstance(frame, bytes):
            raise InputError("start_expected", "The first message is a start, in a text frame.", field="type")
        return parsed(self._start, frame)

    def message(self, frame: Frame) -> bytes | Command:
        """Read a later message."""
        return frame if isinstance(frame, bytes) else parsed(COMMANDS, frame)

    def frames(self, event: Event, audio: bytes | None) -> tuple[Frame, ...]:
        """Return the event as JSON, and its audio behind it."""
        return (encoded(event),) if audio is None else (encoded(event), audio)


def parsed(model: TypeAdapter[T], frame: str) -> T:
    """Read a message.

    Raises:
        InputError: It is not JSON, or not this message.
    """
    try:
        return model.validate_json(frame)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        # A union's tag comes first in the location of its members' fields.
        field = str(fault["loc"][-1]) if fault["loc"] else "type"
        code = "malformed_json" if fault["type"] == "json_invalid" else "invalid_message"
        raise InputError(code, f"{field}: {fault['msg']}", field=field) from error
