"""Protocol, inputs and results of translation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence to be translated.

    Attributes:
        text: Not empty, without line breaks.
        source: ISO 639-1 code of its language, or ISO 639-3 where there is none.
        target: Likewise of the language wanted; not ``source``.
    """

    text: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Quality:
    """The model's confidence in the hypothesis that it returned.

    Over the probabilities p of its tokens, end of sentence included, given the source and the tokens before, without
    the penalties of the search: perplexity is exp(-mean(log p)), the others are mean and minimum of p.
    """

    perplexity: float
    average_probability: float
    minimum_probability: float


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated sentence.

    Attributes:
        text: The translation.
        tokens: How many tokens the model generated, end of sentence included; 0 where it has none.
        quality: None where the engine has no probabilities.
        complete: Whether the model ended the sentence itself; False where it met the limit of tokens.
        model: Name of the engine or the model that translated.
    """

    text: str
    tokens: int = 0
    quality: Quality | None = None
    complete: bool = True
    model: str = ""


class Translator(Protocol):
    """A translation engine. Safe to call from several threads at once."""

    @property
    def name(self) -> str:
        """Name of the engine or its model, as reported with translations."""
        ...

    @property
    def pairs(self) -> Mapping[str, frozenset[str]]:
        """Targets by source language; empty where nothing is installed."""
        ...

    def check(self, sentence: Sentence) -> None:
        """Tell whether a sentence can be translated; cheap.

        Raises:
            InputError: The engine lacks the pair (code ``unsupported_pair``, field ``target``; the message lists
                the pairs it has, or its languages where every pair of them goes), or the sentence is too long (code
                ``too_long``, field ``text``).
        """
        ...

    def translate(self, sentences: Sequence[Sentence]) -> list[Translation]:
        """Translate a batch, whose sentences may be of different pairs.

        Raises:
            InputError: As `check`; or a sentence alone makes the engine fail (code ``untranslatable``, field
                ``text``).
        """
        ...

    def cost(self, sentence: Sentence) -> float:
        """Estimate a sentence's tokens, for batches of about equal work; cheap."""
        ...

    def close(self) -> None:
        """End what the engine runs; it can't be used afterwards."""
        ...
