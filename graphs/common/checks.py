"""Checks of requests against what the roles can do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from deployments.errors import RoleUnavailable
from graphs.common.roles import AsrRole
from models.asr import require_language

_CHECK_S = 5.0
_log = structlog.get_logger()


@asynccontextmanager
async def if_roles_answer(else_say: str) -> AsyncIterator[None]:
    """Run a check that asks roles, and leave it out when they don't answer now.

    The job waits for its roles anyway and meets the same refusal then.

    Args:
        else_say: Log message when the check is left out.
    """
    try:
        async with asyncio.timeout(_CHECK_S):
            yield
    except (RoleUnavailable, TimeoutError) as error:
        _log.warning(else_say, reason=repr(error))


async def check_recognised(asr: AsrRole, language: str | None, field: str) -> None:
    """Check that the recogniser knows a language; None, which leaves the choice to it, always passes.

    Raises:
        InputError: It doesn't; ``field`` is the request's field that is at fault.
    """
    if language is not None:
        async with if_roles_answer("a language is not checked yet"):
            require_language(await asr.languages(), language, field=field)


async def check_hints(asr: AsrRole, hotwords: str | None, prompt: str | None) -> None:
    """Check that the recogniser takes hotwords and a prompt; None for both always passes.

    Raises:
        InputError: It doesn't; the field is ``hotwords`` or ``prompt``.
    """
    if hotwords is not None or prompt is not None:
        async with if_roles_answer("hotwords and prompt are not checked yet"):
            await asr.check_hints(hotwords=hotwords, prompt=prompt)
