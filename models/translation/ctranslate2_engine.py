"""Translation by M2M100, NLLB and OPUS-MT on CTranslate2."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.translation.families import END, Codec, Description, codec_of
from models.translation.pairs import require_pair
from models.translation.settings import CTranslate2Settings
from models.translation.types import Quality, Sentence, Translation
from models.translation.weights import CONVERTED
from models.weights import resolve


@dataclass(frozen=True)
class _Model:
    """One converted model with its tokenizer."""

    description: Description
    codec: Codec
    translator: Any


@dataclass(frozen=True)
class _Hypothesis:
    """The search's result for one sentence, without the prefix and the end-of-sentence token."""

    tokens: list[str]
    complete: bool


class CTranslate2Translator:
    """One or several models, each for its pairs; beam search in batches.

    Raises:
        MissingWeights: A folder is not there or not complete.
        ValueError: A folder holds something else, or the device lacks the compute type.
    """

    def __init__(self, settings: CTranslate2Settings) -> None:
        self._settings = settings
        device = _device(settings)
        folders = [resolve(name, CONVERTED, allow_download=settings.allow_download) for name in settings.models]
        self._models = [_load(folder, settings, device) for folder in folders]
        self.device = device

    @property
    def name(self) -> str:
        """The models' names."""
        return ", ".join(dict.fromkeys(model.description.name for model in self._models))

    @property
    def pairs(self) -> Mapping[str, frozenset[str]]:
        """Targets by source language."""
        return self._pairs

    def check(self, sentence: Sentence) -> None:
        """Refuse a pair that no model has, and a sentence that is too long."""
        require_pair(self._pairs, sentence.source, sentence.target)
        # A token is a character at least, so only longer texts must be looked at.
        if len(sentence.text) + 2 > self._settings.max_input_tokens:
            self._encode(sentence)

    def translate(self, sentences: Sequence[Sentence]) -> list[Translation]:
        """Translate a batch; see `models.translation.types.Translator`."""
        tokens = [self._encode(sentence) for sentence in sentences]
        by_model: dict[int, list[int]] = {}
        for index, sentence in enumerate(sentences):
            by_model.setdefault(self._routes[sentence.source, sentence.target], []).append(index)
        translations: list[Translation | None] = [None] * len(sentences)
        for model, indices in by_model.items():
            targets = [sentences[index].target for index in indices]
            done = self._translate(self._models[model], [tokens[index] for index in indices], targets)
            for index, translation in zip(indices, done, strict=True):
                translations[index] = translation
        return [translation for translation in translations if translation is not None]

    def cost(self, sentence: Sentence) -> float:
        """Estimate tokens from bytes: about four of them make a token in scripts of one byte, three make one in CJK."""
        return 2 + len(sentence.text.encode()) / 4

    def adjust(self, settings: CTranslate2Settings) -> None:
        """Search in another way, from the next batch on."""
        self._settings = settings

    def close(self) -> None:
        """Free the models."""
        for model in self._models:
            model.translator.unload_model()

    @cached_property
    def _routes(self) -> dict[tuple[str, str], int]:
        """First model of each pair."""
        routes: dict[tuple[str, str], int] = {}
        for index, model in enumerate(self._models):
            for source in model.description.sources:
                for target in model.description.targets:
                    if source != target:
                        routes.setdefault((source, target), index)
        return routes

    @cached_property
    def _pairs(self) -> dict[str, frozenset[str]]:
        pairs: dict[str, set[str]] = {}
        for source, target in self._routes:
            pairs.setdefault(source, set()).add(target)
        return {source: frozenset(targets) for source, targets in pairs.items()}

    def _encode(self, sentence: Sentence) -> list[str]:
        require_pair(self._pairs, sentence.source, sentence.target)
        codec = self._models[self._routes[sentence.source, sentence.target]].codec
        tokens = codec.encode(sentence.text, sentence.source, sentence.target)
        if len(tokens) > (most := self._settings.max_input_tokens):
            raise InputError(
                "too_long",
                f"a sentence has {len(tokens)} tokens, more than the {most} that the engine takes",
                field="text",
            )
        return tokens

    def _translate(self, model: _Model, sources: list[list[str]], targets: Sequence[str]) -> list[Translation]:
        settings = self._settings
        prefixes = [model.codec.prefix(target) for target in targets]
        results = model.translator.translate_batch(
            sources,
            target_prefix=prefixes if any(prefixes) else None,
            max_batch_size=settings.max_batch_tokens,
            batch_type="tokens",
            beam_size=settings.beam_size,
            no_repeat_ngram_size=settings.no_repeat_ngram_size,
            repetition_penalty=settings.repetition_penalty,
            length_penalty=settings.length_penalty,
            # The prefix counts as decoded.
            max_decoding_length=settings.max_new_tokens + len(prefixes[0]),
            max_input_length=0,
            return_end_token=True,
        )
        found = [_hypothesis(result.hypotheses[0], prefix) for result, prefix in zip(results, prefixes, strict=True)]
        qualities = self._qualities(model, sources, prefixes, found) if settings.quality else [None] * len(found)
        return [
            Translation(
                text=model.codec.decode(hypothesis.tokens),
                tokens=len(hypothesis.tokens) + hypothesis.complete,
                quality=quality,
                complete=hypothesis.complete,
                model=model.description.name,
            )
            for hypothesis, quality in zip(found, qualities, strict=True)
        ]

    def _qualities(
        self, model: _Model, sources: list[list[str]], prefixes: list[list[str]], found: list[_Hypothesis]
    ) -> list[Quality | None]:
        scores = model.translator.score_batch(
            sources,
            [[*prefix, *hypothesis.tokens] for prefix, hypothesis in zip(prefixes, found, strict=True)],
            max_batch_size=self._settings.max_batch_tokens,
            batch_type="tokens",
            max_input_length=0,
            offset=len(prefixes[0]),
        )
        return [
            # The end is scored whether or not the search got there.
            _quality(score.log_probs if hypothesis.complete else score.log_probs[:-1])
            for score, hypothesis in zip(scores, found, strict=True)
        ]


def _hypothesis(tokens: list[str], prefix: list[str]) -> _Hypothesis:
    complete = bool(tokens) and tokens[-1] == END
    return _Hypothesis(tokens[len(prefix) : len(tokens) - complete], complete)


def _quality(log_probs: Sequence[float]) -> Quality | None:
    if not log_probs:
        return None
    probabilities = [math.exp(value) for value in log_probs]
    return Quality(
        perplexity=math.exp(-sum(log_probs) / len(log_probs)),
        average_probability=sum(probabilities) / len(probabilities),
        minimum_probability=min(probabilities),
    )


def _device(settings: CTranslate2Settings) -> str:
    import ctranslate2

    if settings.device != "auto":
        return settings.device
    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def _load(folder: Path, settings: CTranslate2Settings, device: str) -> _Model:
    import ctranslate2

    description = Description.read(folder)
    compute_type = settings.compute_type
    if compute_type == "auto":
        compute_type = "float16" if device == "cuda" else "int8"
    translator = ctranslate2.Translator(
        str(folder),
        device=device,
        device_index=settings.device_index if device == "cuda" else 0,
        compute_type=compute_type,
        inter_threads=settings.inter_threads,
        intra_threads=settings.intra_threads,
    )
    return _Model(description, codec_of(folder, description), translator)
