"""Calls to a role's deployment through its handle, with errors that need no Ray to be understood."""

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.errors import FaceOfAnotherEngine, QueueFull, RoleOutOfMemory, RoleUnavailable
from models.errors import GpuFault, OutOfGpuMemory
from models.facts import EngineInUse

AnswerT = TypeVar("AnswerT")

ENGINE_KNOWN_S = 10.0

# Until another replica has started, or what holds the memory has ended.
_RETRY_AFTER_S = 10.0


async def call(method: DeploymentHandle[Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a replica's method returns.

    Args:
        method: A method of a deployment's handle.
        args: Its arguments.
        kwargs: Likewise.

    Raises:
        RoleUnavailable: The role has too much to do, or none of its replicas can be reached.
        RoleOutOfMemory: Its engine has no room for the work on its GPU.
        Exception: What the method raised, without Ray's wrapping.
    """
    with _errors_of_the_role():
        return await method.remote(*args, **kwargs)


async def stream(method: DeploymentHandle[Any], *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
    """Yield what a replica's method yields, with the errors of ``call``; cancel it when the caller leaves early.

    Args:
        method: A method of a deployment's handle that has the option ``stream``.
        args: Its arguments.
        kwargs: Likewise.
    """
    response: Any = method.remote(*args, **kwargs)
    ended = False
    try:
        with _errors_of_the_role():
            async for item in response:
                yield item
        ended = True
    finally:
        if not ended:
            response.cancel()


class Remembered(Generic[AnswerT]):
    """An answer of a role that every request needs and that seldom changes.

    Args:
        seconds: How old it may be.
        clock: Tells the time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answer: AnswerT | None = None
        self._asked_at = -math.inf

    async def get(self, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Return the answer, asking for it where it is too old."""
        if self._answer is None or self._clock() - self._asked_at > self._seconds:
            self._answer = await ask()
            self._asked_at = self._clock()
        return self._answer


class RoleClient:
    """A role's deployment behind its handle: the base of the clients of all roles.

    Args:
        handle: The deployment's.
        clock: Tells the time in seconds.
    """

    def __init__(self, handle: DeploymentHandle[Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.handle = handle
        self._in_use: Remembered[EngineInUse] = Remembered(ENGINE_KNOWN_S, clock)

    async def in_use(self) -> EngineInUse:
        """Return the engine, as it was within the last seconds; see ``graphs.common.roles.Role``."""
        return await self._in_use.get(lambda: call(self.handle.in_use))


@contextmanager
def _errors_of_the_role() -> Iterator[None]:
    try:
        yield
    except RayTaskError as error:
        match error.cause:
            case QueueFull():
                raise RoleUnavailable(str(error.cause)) from error
            case OutOfGpuMemory():
                raise RoleOutOfMemory(str(error.cause), retry_after=_RETRY_AFTER_S) from error
            case GpuFault() | FaceOfAnotherEngine():
                raise RoleUnavailable(str(error.cause), retry_after=_RETRY_AFTER_S) from error
        raise error.cause from error
    except BackPressureError as error:
        raise RoleUnavailable("too many calls are waiting") from error
    except (RayActorError, DeploymentUnavailableError) as error:
        raise RoleUnavailable("no replica can be reached", retry_after=_RETRY_AFTER_S) from error
