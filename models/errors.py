"""Errors that engines raise. The edge turns them into responses; engines know nothing of HTTP."""


class InputError(Exception):
    """The caller's input can't be used, and sending it again won't help.

    Attributes:
        code: A stable machine-readable name, for instance ``no_audio``.
        field: The part of the request at fault, for instance ``file``.
        message: A sentence for a person; names the limit where there is one.
    """

    def __init__(self, code: str, message: str, *, field: str = "file") -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_input_error, (type(self), self.code, self.message, self.field))


def _rebuild_input_error(kind: type[InputError], code: str, message: str, field: str) -> InputError:
    return kind(code, message, field=field)


class MissingWeights(Exception):
    """An engine's weights are not on this machine; the message says how to get them."""


class AlteredWeights(MissingWeights):
    """A source gave other bytes than it must; the message names file, source and both digests."""


class OutOfGpuMemory(Exception):
    """Work does not fit into what its engine may hold of the GPU, not even in the smallest pieces."""


class GpuFault(Exception):
    """The GPU failed the process, which can't use it any more; another process can."""
