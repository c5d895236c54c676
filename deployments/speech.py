"""Speech synthesis as a Ray Serve deployment, and its client."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any
from weakref import WeakValueDictionary

from ray.serve.handle import DeploymentHandle

from deployments.client import Remembered, RoleClient, call, stream
from deployments.metrics import SpeechMetrics
from deployments.multiplexing import multiplexed
from deployments.replica import EngineReplica, deployment_of
from deployments.sample import warm_up_speech
from models.errors import InputError
from models.gpu_share import retry_once
from models.speech import Reference, SpeechChunk, SpeechEngine, SpeechModel, SpeechSettings, Voice, build, speak

_SAMPLES = {
    "ar": "مرحبا.",
    "de": "Guten Tag.",
    "en": "Good morning.",
    "es": "Buenos días.",
    "fr": "Bonjour.",
    "kk": "Қайырлы таң.",
    "pt": "Bom dia.",
    "ru": "Доброе утро.",
    "tr": "Günaydın.",  # noqa: RUF001 - Turkish
    "zh": "早上好。",
}
_ANY_SAMPLE = "1, 2, 3."

VOICES_KNOWN_S = 10.0
"""Seconds for which a client remembers the voices: every reply asks for them."""


class _Loaded:
    """A model, and the engine that it is of: a new engine makes it anew."""

    def __init__(self, engine: SpeechEngine, model: SpeechModel) -> None:
        self.engine = engine
        self.model = model
        self.renewing = asyncio.Lock()


class SpeechReplica(EngineReplica[SpeechEngine]):
    """Serves the voices of an engine, or of several combined; their models are loaded when they are needed.

    Args:
        settings: Which engine, and its settings.
        concurrency: Syntheses that one replica works on at once.
        max_models: Models that are kept loaded; the least recently used goes first.
        log_level: Least level that is logged.
        notice: Sentence on the engine that this one stands in for.
    """

    def __init__(
        self,
        settings: SpeechSettings,
        concurrency: int = 4,
        max_models: int = 4,
        log_level: str = "INFO",
        notice: str | None = None,
    ) -> None:
        # The models that the engine was warmed with are the first that it is asked for, most likely.
        self._warmed: tuple[SpeechEngine, dict[str, SpeechModel]] | None = None
        self._loaded: WeakValueDictionary[str, _Loaded] = WeakValueDictionary()
        self._max_models = max_models
        self._speech_metrics = SpeechMetrics()
        super().__init__(
            "speech",
            settings,
            build,
            self._warm_up,
            concurrency,
            log_level,
            probe=self._probe_model,
            models=max_models,
            notice=notice,
        )

        async def load_model(name: str) -> _Loaded:
            return await self._load_model(name)

        self._multiplexed = multiplexed(load_model, max_models)

    async def voices(self) -> tuple[Voice, ...]:
        """Return all voices, the default of each language before its others."""
        return self.engine.voices

    async def synthesize(
        self,
        text: str,
        *,
        voice: Voice,
        language: str,
        speed: float = 1.0,
        reference: Reference | None = None,
        correlation_id: str = "",
    ) -> AsyncGenerator[SpeechChunk, None]:
        """Speak a text; see ``graphs.common.roles.SpeechRole``."""
        started = time.monotonic()
        engine = self.engine
        if voice not in engine.voices:
            raise InputError("unknown_voice", f"There is no voice {voice.id!r} here.", field="voice")
        with self.serving(0, correlation_id):
            model = await self._model(engine, voice.model)
            chunks = self.iterate(
                lambda: speak(
                    model,
                    text,
                    voice=voice,
                    language=language,
                    speed=speed,
                    reference=reference,
                )
            )
            async for chunk in chunks:
                if started:
                    self._speech_metrics.first_sound(voice.engine, time.monotonic() - started)
                    started = 0.0
                self._speech_metrics.spoke(voice.engine, len(chunk.samples) / chunk.sample_rate, len(chunk.text))
                yield chunk

    async def describe(self) -> dict[str, Any]:
        """Return the settings in force, how many voices there are, and the models that are loaded."""
        return {
            **await super().describe(),
            "voices": len(self.engine.voices),
            "max_models": self._max_models,
            "models": sorted(self._loaded),
        }

    async def _model(self, engine: SpeechEngine, name: str) -> SpeechModel:
        loaded = await self._multiplexed(name)
        async with loaded.renewing:
            if loaded.engine is not engine:
                loaded.model = await self.call(retry_once, engine.load, name)
                loaded.engine = engine
            return loaded.model

    async def _load_model(self, name: str) -> _Loaded:
        engine = self.engine
        if self._warmed is not None and self._warmed[0] is not engine:
            self._warmed = None
        model: SpeechModel
        if self._warmed is not None and name in self._warmed[1]:
            model = self._warmed[1].pop(name)
        else:
            started = time.monotonic()
            model = await self.call(retry_once, engine.load, name)
            self._log.info("model loaded", model=name, seconds=round(time.monotonic() - started, 3))
        loaded = self._loaded[name] = _Loaded(engine, model)
        return loaded

    def _warm_up(self, engine: SpeechEngine) -> None:
        """Speak with one voice of each engine that there is, the first that has a sample."""
        models: dict[str, SpeechModel] = {}
        for voice in _one_of_each_engine(engine.voices):
            models[voice.model] = model = engine.load(voice.model)
            _speak_sample(model, voice)
        self._warmed = (engine, models)

    def _probe_model(self, engine: SpeechEngine) -> None:
        """Speak with a model that is loaded, where there is one."""
        for name, loaded in list(self._loaded.items()):
            voice = next((voice for voice in engine.voices if voice.model == name), None)
            if voice is not None and loaded.engine is engine:
                _speak_sample(loaded.model, voice)
                return
        if self._warmed is None or self._warmed[0] is not engine or not self._warmed[1]:
            self._warm_up(engine)
            return
        name, model = next(iter(self._warmed[1].items()))
        _speak_sample(model, next(voice for voice in engine.voices if voice.model == name))


def _sample(voice: Voice) -> str:
    return next((_SAMPLES[code] for code in voice.languages if code in _SAMPLES), "")


def _one_of_each_engine(voices: Sequence[Voice]) -> Iterator[Voice]:
    for engine in dict.fromkeys(voice.engine for voice in voices):
        own = [voice for voice in voices if voice.engine == engine]
        yield next(filter(_sample, own), own[0])


def _speak_sample(model: SpeechModel, voice: Voice) -> None:
    """Say a few words.

    Raises:
        RuntimeError: Nothing is heard.
    """
    text = _sample(voice)
    reference = Reference(pcm=warm_up_speech()) if voice.clones else None
    language = next((code for code in voice.languages if code in _SAMPLES), voice.languages[0])
    chunks = speak(
        model,
        text or _ANY_SAMPLE,
        voice=voice,
        language=language,
        reference=reference,
    )
    try:
        loudest = max((float(abs(chunk.samples).max()) for chunk in chunks if len(chunk.samples)), default=0.0)
    except InputError:
        # Digits may be nothing to a voice of a language that has no sample here.
        if text:
            raise
        return
    if text and not loudest:
        raise RuntimeError(f"the voice {voice.id} says nothing")


class SpeechClient(RoleClient):
    """The speech deployment behind its handle; see ``graphs.common.roles.SpeechRole``.

    Args:
        handle: The deployment's.
        clock: Tells the time in seconds.
    """

    def __init__(self, handle: DeploymentHandle[Any], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(handle, clock)
        self._voices: Remembered[tuple[Voice, ...]] = Remembered(VOICES_KNOWN_S, clock)

    async def voices(self) -> tuple[Voice, ...]:
        """Return all voices, as they were at most ``VOICES_KNOWN_S`` ago."""
        return await self._voices.get(lambda: call(self.handle.voices))

    def synthesize(
        self,
        text: str,
        *,
        voice: Voice,
        language: str,
        speed: float = 1.0,
        reference: Reference | None = None,
        correlation_id: str,
    ) -> AsyncGenerator[SpeechChunk, None]:
        """Stream the speech; goes to a replica that has the voice's model loaded, where there is one."""
        method = self.handle.options(stream=True, multiplexed_model_id=voice.model).synthesize
        return stream(
            method,
            text,
            voice=voice,
            language=language,
            speed=speed,
            reference=reference,
            correlation_id=correlation_id,
        )


# A listener hears a second of speech for a second: many may wait at once for an engine that is much faster.
speech_deployment = deployment_of(SpeechReplica, "speech", max_ongoing_requests=32)
