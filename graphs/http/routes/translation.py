"""Translation of texts at /v1/translate, in the project's shape and in lingua's, and the languages at /v1/languages."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from graphs.common.engines import EngineUsed, engines_behind
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import JsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.services import Services, ServicesDependency
from graphs.translation.text import TextTranslation, TranslationGraph
from models.errors import InputError
from models.translation import Quality
from models.translation.pairs import all_to_all, languages_of

router = APIRouter(tags=["translation"])

# What lingua's own service calls itself, and what another model here is called.
LINGUA_PROVIDER = "local-m2m100"
PROVIDER = "local"
# A character takes six bytes at most as an escape of JSON, and one beyond the basic plane twelve.
_BYTES_PER_CHARACTER = 12
_BYTES_BESIDE_THE_TEXT = 1024

# A language, perhaps with a script or region; what the engine has decides.
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,4}([-_][A-Za-z0-9]{2,8}){0,2}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TranslationRequest(_Body):
    """A text, and from what into which language."""

    text: str = Field(description="What to translate: one sentence or many, laid out as you like.")
    source: LanguageCode = Field(description="ISO 639-1 code of the text's language; it is not detected.")
    target: LanguageCode = Field(description="ISO 639-1 code of the language wanted.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "The house is red.", "source": "en", "target": "es"}]}
    )


class LinguaRequest(_Body):
    """The same as lingua's clients send it."""

    text: str
    src_lang: str
    tgt_lang: str


class QualityBody(BaseModel):
    """Confidence of the model, over the probabilities of the tokens that it returned, ends of sentences included."""

    perplexity: float = Field(description="exp of the mean negative log probability; 1 is certain.")
    average_probability: float
    minimum_probability: float


class SentenceBody(BaseModel):
    """A sentence, or a clause of a long one."""

    source: str
    text: str
    quality: QualityBody | None
    suspect: str | None = Field(description="Why it may be no translation; null where nothing speaks for that.")


class TranslationBody(BaseModel):
    """A translated text."""

    text: str = Field(description="Laid out as the source.")
    source: str
    target: str
    quality: QualityBody | None = Field(description="Null where the engine has no probabilities.")
    suspect: bool = Field(description="Whether a sentence of it may be no translation.")
    sentences: list[SentenceBody]
    timings: dict[str, float] = Field(description="Seconds by stage.")
    engines: dict[str, EngineUsed] = Field(description="Engine that translated, by role.")
    notices: tuple[str, ...] = Field(
        description="Sentences on engines that stand in for better ones: read them before you rely on this."
    )


class LinguaExtra(BaseModel):
    """Further fields of lingua's response."""

    elapsed_ms: float
    num_tokens: int
    tokenization_ms: float
    generation_ms: float
    decoding_ms: float
    suspect: bool


class LinguaQuality(BaseModel):
    """The quality as lingua names it."""

    perplexity: float
    avg_probability: float
    min_probability: float


class LinguaBody(BaseModel):
    """lingua's response; bad languages and texts are ``ok: false``, with status 200."""

    ok: bool
    provider: str = PROVIDER
    text: str | None = None
    model: str | None = None
    extra: LinguaExtra | None = None
    quality_metrics: LinguaQuality | None = None
    error: str | None = None


class PairsBody(BaseModel):
    """Language pairs of the translator."""

    languages: list[str]
    pairs: dict[str, list[str]] | None = Field(
        description="Targets by source language; null where every language goes into every other."
    )


class SpeechLanguagesBody(BaseModel):
    """Languages of the synthesiser."""

    languages: list[str]
    cloning: list[str] = Field(description="Those with a voice that takes on the sound of a given speaker.")


class RecognitionLanguagesBody(BaseModel):
    """Languages of the recogniser."""

    languages: list[str]


class LanguagesBody(BaseModel):
    """The languages of what depends on one."""

    recognition: RecognitionLanguagesBody
    translation: PairsBody
    speech: SpeechLanguagesBody


def _shape(body: Any) -> str:
    linguas = isinstance(body, dict) and body.keys() & {"src_lang", "tgt_lang"}
    return LinguaRequest.__name__ if linguas else TranslationRequest.__name__


EitherRequest = Annotated[
    Annotated[TranslationRequest, Tag(TranslationRequest.__name__)]
    | Annotated[LinguaRequest, Tag(LinguaRequest.__name__)],
    Discriminator(_shape),
]


@router.post(
    "/v1/translate",
    summary="Translate a text",
    response_model=TranslationBody | LinguaBody,
    response_model_exclude_unset=True,
)
async def translate(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[EitherRequest]
) -> TranslationBody | LinguaBody:
    """Translate, and keep line breaks, blank lines, indentation and bullets.

    A body with ``src_lang`` or ``tgt_lang`` is lingua's and gets lingua's response.
    """
    characters = services.config.texts.max_translation_chars
    asked = await sent.read(limit=_BYTES_PER_CHARACTER * characters + _BYTES_BESIDE_THE_TEXT)
    if isinstance(asked, LinguaRequest):
        return await _for_lingua(request, services, asked)
    done, made_by = await asyncio.gather(
        _translated(request, services, asked.text, asked.source, asked.target),
        engines_behind({"translation": services.roles.translation}),
    )
    return TranslationBody(
        text=done.text,
        source=asked.source,
        target=asked.target,
        quality=_quality(done.quality),
        suspect=done.suspect,
        sentences=[
            SentenceBody(
                source=sentence.source,
                text=sentence.text,
                quality=_quality(sentence.quality),
                suspect=sentence.suspect,
            )
            for sentence in done.sentences
        ],
        timings=done.timings,
        engines=made_by.engines,
        notices=made_by.notices,
    )


@router.get("/v1/languages", summary="List the languages")
async def list_languages(services: ServicesDependency, owner: Owner) -> LanguagesBody:
    """List the languages that are recognised, the pairs that are translated and the languages that are spoken."""
    roles = services.roles
    recognised, pairs, voices = await asyncio.gather(
        roles.asr.languages(), roles.translation.pairs(), roles.speech.voices()
    )
    spoken = sorted({language for voice in voices for language in voice.languages})
    cloned = sorted({language for voice in voices if voice.clones for language in voice.languages})
    listed = None if all_to_all(pairs) else {source: sorted(targets) for source, targets in sorted(pairs.items())}
    return LanguagesBody(
        recognition=RecognitionLanguagesBody(languages=sorted(recognised)),
        translation=PairsBody(languages=languages_of(pairs), pairs=listed),
        speech=SpeechLanguagesBody(languages=spoken, cloning=cloned),
    )


async def _translated(request: Request, services: Services, text: str, source: str, target: str) -> TextTranslation:
    limit = services.config.texts.max_translation_chars
    if len(text) > limit:
        raise InputError("too_long", f"The text is longer than {limit} characters.", field="text")
    graph = TranslationGraph(services.roles.translation)
    return await graph.translate(text, source, target, correlation_id_of(request))


async def _for_lingua(request: Request, services: Services, asked: LinguaRequest) -> LinguaBody:
    started = time.monotonic()
    try:
        done = await _translated(request, services, asked.text, asked.src_lang, asked.tgt_lang)
    except InputError as error:
        return LinguaBody(ok=False, provider=PROVIDER, error=error.message)
    quality = done.quality
    extra = LinguaExtra(
        elapsed_ms=_ms(time.monotonic() - started),
        num_tokens=done.tokens,
        tokenization_ms=_ms(done.timings.get("split", 0.0)),
        generation_ms=_ms(done.timings.get("translation", 0.0)),
        decoding_ms=_ms(done.timings.get("join", 0.0)),
        suspect=done.suspect,
    )
    provider = LINGUA_PROVIDER if "m2m100" in done.model.lower() else PROVIDER
    body = LinguaBody(ok=True, provider=provider, text=done.text, model=done.model, extra=extra)
    if quality is None:
        return body
    metrics = LinguaQuality(
        perplexity=quality.perplexity,
        avg_probability=quality.average_probability,
        min_probability=quality.minimum_probability,
    )
    return body.model_copy(update={"quality_metrics": metrics})


def _quality(quality: Quality | None) -> QualityBody | None:
    if quality is None:
        return None
    return QualityBody(
        perplexity=quality.perplexity,
        average_probability=quality.average_probability,
        minimum_probability=quality.minimum_probability,
    )


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
