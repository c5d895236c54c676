"""A second speech recogniser, for the languages that it knows."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from deployments.references import Recording
from graphs.common.roles import AsrRole
from models.asr import Segment
from models.facts import EngineInUse


@dataclass(frozen=True)
class SpecialisedAsr:
    """Recognises the languages of one recogniser by that, and all others by another.

    Speech whose language is to be detected is the other's: a recogniser of one language takes any speech for its own.

    Attributes:
        special: Recognises the languages that it knows.
        general: Recognises the rest.
    """

    special: AsrRole
    general: AsrRole

    async def transcribe(
        self,
        recording: Recording,
        *,
        language: str | None,
        hotwords: str | None = None,
        prompt: str | None = None,
        correlation_id: str,
    ) -> AsyncGenerator[str | Segment, None]:
        """Recognise a recording; see ``graphs.common.roles.AsrRole``."""
        known = language is not None and language in await self.special.languages()
        asr = self.special if known else self.general
        stream = asr.transcribe(
            recording, language=language, hotwords=hotwords, prompt=prompt, correlation_id=correlation_id
        )
        async with aclosing(stream) as items:
            async for item in items:
                yield item

    async def in_use(self) -> EngineInUse:
        """Return both engines, as the parts of one."""
        special, general = await self.special.in_use(), await self.general.in_use()
        return EngineInUse("combined", device=special.device, parts=(special, general))

    async def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that either may be asked for."""
        return tuple(dict.fromkeys((*await self.general.languages(), *await self.special.languages())))

    async def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        """Check that both take the hints; see ``graphs.common.roles.AsrRole``."""
        for asr in (self.special, self.general):
            await asr.check_hints(hotwords=hotwords, prompt=prompt)
