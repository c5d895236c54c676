"""Several synthesisers as one: each voice is spoken by the engine that it is of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.settings import Adjustable
from models.speech.settings import CombinedSettings, SingleSpeechSettings
from models.speech.types import QUALITIES, Reference, SpeechEngine, SpeechModel, Voice


@dataclass(frozen=True)
class _Route:
    """Where a voice, or a model, of the whole belongs.

    Attributes:
        engine: Place of its engine among the engines.
        name: What that engine calls it.
    """

    engine: int
    name: str


class CombinedEngine:
    """The voices of all engines, the best first.

    Voices stand in the order of their quality, and of equal quality in that of their engines: the first that speaks a
    language is its default. Ids of voices and names of models stay as the engines have them; one that an engine before
    has too becomes ``ENGINE:ID``.

    Args:
        settings: See ``CombinedSettings``.
        build: Makes an engine from settings.

    Raises:
        MissingWeights: An engine's files are not on this machine.
        ValueError: Two engines of the same kind have a voice or a model of the same name.
    """

    def __init__(self, settings: CombinedSettings, build: Callable[[SingleSpeechSettings], SpeechEngine]) -> None:
        self._settings = settings
        self._engines = [build(member) for member in settings.engines]
        # Voices that are gone may still be speaking.
        self._own_voices: dict[str, Voice] = {}
        self._arrange()

    def adjust(self, settings: CombinedSettings) -> None:
        """Give each engine its new settings.

        Raises:
            Exception: One of them can't use a value; all keep their old ones.
        """
        old = self._settings
        changed: list[int] = []
        try:
            for place, member in enumerate(settings.engines):
                engine = self._engines[place]
                if member != old.engines[place] and isinstance(engine, Adjustable):
                    changed.append(place)
                    engine.adjust(member)
            self._arrange()
        except Exception:
            for place in changed:
                engine = self._engines[place]
                if isinstance(engine, Adjustable):
                    engine.adjust(old.engines[place])
            self._arrange()
            raise
        self._settings = settings

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default of each language before its others."""
        return self._voices

    def load(self, model: str) -> "CombinedModel":
        """Load a model by the engine that it is of.

        Raises:
            MissingWeights: It is not on this machine.
            ValueError: There is none such.
        """
        if model not in self._models:
            raise ValueError(f"no engine has a model {model!r}")
        route = self._models[model]
        return CombinedModel(self._engines[route.engine].load(route.name), self._own_voices)

    def _arrange(self) -> None:
        voices: dict[str, Voice] = {}
        models: dict[str, _Route] = {}
        own: dict[str, Voice] = {}
        for place, engine in enumerate(self._engines):
            # An engine's own voices may share a model.
            named: dict[str, str] = {}
            for voice in engine.voices:
                if voice.model not in named:
                    named[voice.model] = _unused(voice.model, voice.engine, models)
                    models[named[voice.model]] = _Route(place, voice.model)
                identifier = _unused(voice.id, voice.engine, voices)
                voices[identifier] = replace(voice, id=identifier, model=named[voice.model])
                own[identifier] = voice
        self._voices = tuple(sorted(voices.values(), key=lambda voice: QUALITIES.index(voice.quality)))
        self._models = models
        self._own_voices.update(own)


class CombinedModel:
    """A model of one of the engines.

    Args:
        model: The engine's own.
        voices: What the engines call the voices, by their ids in the whole.
    """

    def __init__(self, model: SpeechModel, voices: dict[str, Voice]) -> None:
        self._model = model
        self._voices = voices

    def synthesize(
        self, clause: str, *, voice: Voice, language: str, speed: float, reference: Reference | None
    ) -> Iterator[NDArray[np.float32]]:
        """Speak one clause; see ``models.speech.types.SpeechModel``."""
        return self._model.synthesize(
            clause, voice=self._voices[voice.id], language=language, speed=speed, reference=reference
        )


def _unused(name: str, engine: str, taken: dict[str, Voice] | dict[str, _Route]) -> str:
    if name not in taken:
        return name
    if (longer := f"{engine}:{name}") not in taken:
        return longer
    raise ValueError(f"two engines {engine!r} have {name!r}")
