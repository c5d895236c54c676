"""A translator that needs no model."""

from collections.abc import Mapping, Sequence

from fake_roles.failures import Failing
from models.translation import Quality, Sentence, Translation
from models.translation.pairs import require_pair

PAIRS = {"en": frozenset({"es", "fr"})}
QUALITY = Quality(perplexity=2.0, average_probability=0.9, minimum_probability=0.5)


class FakeTranslation(Failing):
    """Translates to capitals, a token for each character; what holds ``endless`` stays incomplete.

    Args:
        pairs: The targets by source language.
        quality: That of every sentence, or of sentences by their text.

    Attributes:
        calls: The texts of each call.
        correlation_ids: Of the calls.
    """

    def __init__(
        self,
        pairs: Mapping[str, frozenset[str]] = PAIRS,
        quality: Quality | Mapping[str, Quality] = QUALITY,
    ) -> None:
        super().__init__()
        self._pairs = pairs
        self._quality = quality
        self.calls: list[list[str]] = []
        self.correlation_ids: set[str] = set()

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        self.raise_ordered("pairs")
        return self._pairs

    async def translate(self, sentences: Sequence[Sentence], *, correlation_id: str) -> list[Translation]:
        self.calls.append([sentence.text for sentence in sentences])
        self.correlation_ids.add(correlation_id)
        self.raise_ordered("translate")
        for sentence in sentences:
            require_pair(self._pairs, sentence.source, sentence.target)
        return [self._translated(sentence.text) for sentence in sentences]

    def _translated(self, text: str) -> Translation:
        quality = self._quality if isinstance(self._quality, Quality) else self._quality.get(text)
        return Translation(text.upper(), len(text), quality, complete="endless" not in text, model="org/m2m100_tiny")
