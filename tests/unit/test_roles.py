"""What a graph sees of a role that fails behind its handle."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import fields
from typing import Any

import pytest
from fake_roles.speech import ENGLISH
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError
from structlog.testing import capture_logs

from deployments.errors import FaceOfAnotherEngine, QueueFull, RoleOutOfMemory, RoleUnavailable
from deployments.speaker import SpeakerClient
from deployments.speech import VOICES_KNOWN_S, SpeechClient
from graphs.clients import roles_of_handles
from graphs.common.errors import as_api_error
from graphs.common.failures import classify
from graphs.common.roles import Roles
from models.errors import GpuFault, InputError, OutOfGpuMemory

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class Handle:
    """A deployment handle whose calls fail, or stream numbers without an end."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.cancelled = False
        self.model = ""

    def __getattr__(self, _method: str) -> "Handle":
        return self

    def options(self, *, stream: bool, multiplexed_model_id: str) -> "Handle":
        self.model = multiplexed_model_id
        return self

    def remote(self, *_arguments: Any, **_options: Any) -> Any:
        return self

    def __await__(self) -> Any:
        assert self.error is not None
        raise self.error
        yield

    async def __aiter__(self) -> AsyncIterator[int]:
        number = 0
        while True:
            if self.error is not None and number == 2:
                raise self.error
            yield number
            number += 1

    def cancel(self) -> None:
        self.cancelled = True


def raised_by(error: Exception) -> RayTaskError:
    return RayTaskError("embed", "its traceback", error).as_instanceof_cause()


async def raised(error: Exception) -> Exception:
    with pytest.raises(Exception) as caught:
        handle: Any = Handle(error)
        await SpeakerClient(handle).embed([], correlation_id="")
    return caught.value


async def test_a_role_raises_what_its_engine_raised() -> None:
    error = await raised(raised_by(InputError("too_short", "More speech, please.", field="file")))
    assert (type(error), as_api_error(error).code) == (InputError, "too_short")
    assert not classify(error).retryable


@pytest.mark.parametrize(
    "cause",
    [
        raised_by(QueueFull("9 are waiting")),
        raised_by(GpuFault("the GPU is lost")),
        raised_by(FaceOfAnotherEngine("the face is of another engine")),
        BackPressureError(9, 9),
        RayActorError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_role_that_has_no_room_or_no_replica_is_to_be_asked_again(cause: Exception) -> None:
    error = await raised(cause)
    assert type(error) is RoleUnavailable
    with capture_logs():
        told, failure = as_api_error(error), classify(error)
    assert (told.status, told.code, failure.code, failure.retryable) == (
        503,
        "role_unavailable",
        "role_unavailable",
        True,
    )
    assert told.retry_after is not None


async def test_a_stream_fails_likewise_and_ends_with_its_caller() -> None:
    failing: Any = Handle(raised_by(InputError("unsayable", "No.", field="text")))
    stream: Any = SpeechClient(failing).synthesize("a", voice=ENGLISH, language="en", correlation_id="")
    with pytest.raises(InputError):
        async for _chunk in stream:
            pass
    endless: Any = Handle()
    stream = SpeechClient(endless).synthesize("a", voice=ENGLISH, language="en", correlation_id="")
    async with aclosing(stream):
        async for _chunk in stream:
            break
    assert endless.cancelled
    assert endless.model == ENGLISH.model


class Voices:
    """A handle that counts how often its voices are asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.voices = self

    def remote(self) -> Any:
        async def answer() -> tuple[Any, ...]:
            self.asked += 1
            return (ENGLISH,)

        return answer()


async def test_voices_are_asked_for_again_after_a_while() -> None:
    handle: Any = Voices()
    now = 0.0
    speech = SpeechClient(handle, clock=lambda: now)
    for later, times in ((0.0, 1), (VOICES_KNOWN_S - 0.1, 1), (VOICES_KNOWN_S + 0.1, 2)):
        now = later
        assert await speech.voices() == (ENGLISH,)
        assert handle.asked == times


async def test_a_want_of_gpu_memory_is_the_services_fault_and_may_pass() -> None:
    error = await raised(raised_by(OutOfGpuMemory("no room")))
    assert isinstance(error, RoleOutOfMemory)
    answer, failure = as_api_error(error), classify(error)
    assert (answer.status, answer.code, answer.retry_after) == (503, "out_of_memory", 10.0)
    assert (failure.code, failure.retryable) == ("out_of_memory", True)


class Handles(dict[str, Any]):
    """A handle for whatever name it is asked."""

    def __missing__(self, name: str) -> str:
        return f"the handle of {name}"


async def test_every_role_is_behind_the_handle_of_its_name() -> None:
    roles = roles_of_handles(Handles())
    for role in fields(Roles):
        assert getattr(roles, role.name).handle == f"the handle of {role.name}"
