"""Translation of text as a Ray Serve deployment, and its client."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.batched_replica import BatchedReplica
from deployments.client import RoleClient, call
from deployments.replica import deployment_of
from models.translation import Sentence, Translation, TranslationSettings, Translator, build

MAX_SENTENCES_PER_CALL = 512
# A minute's work or so for one replica: whoever comes later may try another.
MAX_QUEUED_TOKENS = 100_000
_WARM_UP = "Good morning."


def _warm(engine: Translator) -> None:
    """Translate a sentence of any pair; an engine without pairs has nothing to warm."""
    pairs = engine.pairs
    if pairs:
        source = "en" if "en" in pairs else min(pairs)
        engine.translate([Sentence(_WARM_UP, source, min(pairs[source]))])


class TranslationReplica(BatchedReplica[Translator, Sentence, Translation]):
    """Serves one translation engine; translates the sentences of all callers in shared batches.

    Args:
        settings: Which engine, and its settings.
        max_batch_tokens: Tokens of source text, by the engine's estimate, that it is given at once.
        batch_wait_ms: How long a batch that is not full may be held back; see ``deployments.batching.Batcher``.
        concurrency: Batches that the engine works on at once.
        log_level: Least level that is logged.
        notice: Sentence on the engine that this one stands in for.
    """

    def __init__(
        self,
        settings: TranslationSettings,
        max_batch_tokens: int = 2048,
        batch_wait_ms: float = 5.0,
        concurrency: int = 2,
        log_level: str = "INFO",
        notice: str | None = None,
    ) -> None:
        super().__init__(
            "translation",
            settings,
            build,
            _warm,
            self._translate,
            size_field="max_batch_tokens",
            max_batch_cost=max_batch_tokens,
            max_queued_cost=MAX_QUEUED_TOKENS,
            batch_wait_ms=batch_wait_ms,
            concurrency=concurrency,
            log_level=log_level,
            notice=notice,
        )

    async def translate(self, sentences: Sequence[Sentence], *, correlation_id: str = "") -> list[Translation]:
        """Translate sentences; see ``graphs.common.roles.TranslationRole``.

        Raises:
            QueueFull: Too many sentences are waiting.
        """
        if len(sentences) > MAX_SENTENCES_PER_CALL:
            raise ValueError(f"a call takes at most {MAX_SENTENCES_PER_CALL} sentences, not {len(sentences)}")
        with self.serving(0, correlation_id):
            # What the engine refuses must not fail the batch that it would share with others.
            await asyncio.to_thread(_check, self.engine, sentences)
            return await self._batcher.submit(sentences, caller=correlation_id or None, cost=self.engine.cost)

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        """Return the targets by source language."""
        return dict(self.engine.pairs)

    async def describe(self) -> dict[str, Any]:
        """Return the settings in force, what translates, and how many sentences went in how many batches."""
        return {
            **await super().describe(),
            "name": self.engine.name,
            "pairs": sum(map(len, self.engine.pairs.values())),
            "sentences": self._batcher.items,
        }

    def _translate(self, sentences: Sequence[Sentence]) -> Sequence[Translation]:
        return self.engine.translate(sentences)


def _check(engine: Translator, sentences: Sequence[Sentence]) -> None:
    for sentence in sentences:
        engine.check(sentence)


# More than one call fills a batch: the next are to be there when the engine frees.
class TranslationClient(RoleClient):
    """The translation deployment behind its handle; see ``graphs.common.roles.TranslationRole``."""

    async def translate(self, sentences: Sequence[Sentence], *, correlation_id: str) -> list[Translation]:
        """Return the translations in the order of the sentences."""
        translations: list[Translation] = await call(
            self.handle.translate, list(sentences), correlation_id=correlation_id
        )
        return translations

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        """Return the targets by source language."""
        pairs: Mapping[str, frozenset[str]] = await call(self.handle.pairs)
        return pairs


translation_deployment = deployment_of(TranslationReplica, "translation", max_ongoing_requests=64)
