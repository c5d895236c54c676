"""The translation graph: a text cut into sentences, translated together, and put together again as it was laid out."""

import asyncio
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from graphs.common.concurrency import Stopwatch, in_order
from graphs.common.roles import TranslationRole
from models.errors import InputError
from models.translation import Quality, Sentence, Translation
from models.translation.pairs import require_pair
from models.translation.postprocessing import Cleaned, clean
from models.translation.sentences import Piece, join, split

# Sentences of one call, and calls under way at once: the next must be there when the engine frees.
SENTENCES_PER_CALL = 128
CALLS_AT_ONCE = 2
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TranslatedSentence:
    """A sentence, or a clause of a long one, and its translation.

    Attributes:
        quality: None where the engine has no probabilities.
        suspect: Why it may be no translation, in a few words; None where nothing speaks for that.
    """

    source: str
    text: str
    quality: Quality | None
    suspect: str | None


@dataclass(frozen=True, slots=True)
class TextTranslation:
    """A translated text.

    Attributes:
        text: Laid out as the source.
        sentences: In order of the text; what has no letters is none.
        quality: Over the tokens of all sentences; None where the engine has no probabilities, or nothing was to be
            translated.
        suspect: Whether a sentence of it may be no translation.
        tokens: How many the model generated, each sentence counted once however often it stands in the text.
        model: What translated; empty where nothing was to be translated.
        timings: Seconds by stage: ``split``, ``translation``, ``join``.
    """

    text: str
    sentences: tuple[TranslatedSentence, ...]
    quality: Quality | None
    suspect: bool
    tokens: int
    model: str
    timings: dict[str, float]


@dataclass(frozen=True)
class TranslationGraph:
    """Composes the role; holds no state of a request.

    Args:
        role: The translator.
    """

    role: TranslationRole

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        """Return the targets by source language."""
        return await self.role.pairs()

    async def translate(self, text: str, source: str, target: str, correlation_id: str) -> TextTranslation:
        """Translate a text of any length; line breaks, blank lines, indentation and bullets stay as they are.

        Args:
            text: What is to be translated. Numbers, rules and emoji alone are returned as they are.
            source: Its language, ISO 639-1; it is not detected.
            target: The language wanted.
            correlation_id: Passed on to the role.

        Raises:
            InputError: The text is empty or no text, or the translator lacks the pair.
        """
        if not text.strip():
            raise InputError("empty_text", "There is nothing to translate.", field="text")
        if _SURROGATE.search(text):
            raise InputError("invalid_text", "The text has half a surrogate pair, which is no character.", field="text")
        watch = Stopwatch()
        with watch.running("split"):
            pieces = await asyncio.to_thread(split, text, source)
            wanted = list(dict.fromkeys(piece.text for piece in pieces if piece.translatable))
        if not wanted:
            require_pair(await self.role.pairs(), source, target)
        sentences = [Sentence(each, source, target) for each in wanted]
        with watch.running("translation"):
            translations = await self._translate(sentences, correlation_id)
        with watch.running("join"):
            return _put_together(pieces, wanted, translations, target, watch)

    async def _translate(self, sentences: Sequence[Sentence], correlation_id: str) -> list[Translation]:
        async def one(part: Sequence[Sentence]) -> list[Translation]:
            return await self.role.translate(part, correlation_id=correlation_id)

        async with aclosing(in_order(one, _parts(sentences), CALLS_AT_ONCE)) as results:
            return [translation async for part in results for translation in part]


async def _parts(sentences: Sequence[Sentence]) -> AsyncIterator[Sequence[Sentence]]:
    for start in range(0, len(sentences), SENTENCES_PER_CALL):
        yield sentences[start : start + SENTENCES_PER_CALL]


def _put_together(
    pieces: list[Piece], wanted: list[str], translations: list[Translation], target: str, watch: Stopwatch
) -> TextTranslation:
    done = {
        source: _finished(translation, clean(source, translation.text, target), source)
        for source, translation in zip(wanted, translations, strict=True)
    }
    sentences = tuple(done[piece.text] for piece in pieces if piece.translatable)
    return TextTranslation(
        text=join(pieces, {source: sentence.text for source, sentence in done.items()}),
        sentences=sentences,
        quality=aggregate(translations),
        suspect=any(sentence.suspect for sentence in sentences),
        tokens=sum(translation.tokens for translation in translations),
        model=translations[0].model if translations else "",
        timings=watch.timings,
    )


def _finished(translation: Translation, cleaned: Cleaned, source: str) -> TranslatedSentence:
    suspect = cleaned.suspect if translation.complete else "cut off"
    return TranslatedSentence(source, cleaned.text, translation.quality, suspect)


def aggregate(translations: Sequence[Translation]) -> Quality | None:
    """Return the quality over the tokens of all sentences that have one."""
    rated = list(_rated(translations))
    total = sum(tokens for tokens, _quality in rated)
    if not total:
        return None
    return Quality(
        perplexity=math.exp(sum(tokens * math.log(quality.perplexity) for tokens, quality in rated) / total),
        average_probability=sum(tokens * quality.average_probability for tokens, quality in rated) / total,
        minimum_probability=min(quality.minimum_probability for _tokens, quality in rated),
    )


def _rated(translations: Sequence[Translation]) -> Iterator[tuple[int, Quality]]:
    for translation in translations:
        if translation.quality is not None:
            yield translation.tokens, translation.quality
