"""Errors of calls to a role; who catches them needs no Ray."""


class RoleUnavailable(Exception):
    """A role can't take a call now: it has too much to do, or none of its replicas lives.

    Attributes:
        code: A stable machine-readable name.
        detail: A sentence for the caller.
        retry_after: Seconds after which it may.
    """

    code = "role_unavailable"
    detail = "The model has too much to do; try again."

    def __init__(self, message: str, *, retry_after: float = 2.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RoleOutOfMemory(RoleUnavailable):
    """A role's engine has no room for a piece of work on its GPU, though it is as small as it can be made.

    Every request's size is bounded, so the share is too small for what is allowed, or others on the GPU hold more than
    theirs: the service's fault and not the caller's.
    """


class QueueFull(Exception):
    """More work is waiting than the replica accepts; another replica or another moment may have room."""


class FaceOfAnotherEngine(Exception):
    """A face that was prepared by another engine than the one in force; prepare it anew."""
