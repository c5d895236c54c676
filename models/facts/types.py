"""Types of what is known about an engine."""

from dataclasses import dataclass
from typing import Literal

Measure = Literal[
    "word_error_rate",
    "diarization_error_rate",
    "equal_error_rate",
    "unintelligible_words",
    "mouth_sound_correlation",
]
"""Quantities that engines were measured by; all are shares from 0 to 1, and of all but the last less is better.

``unintelligible_words`` is the share of the words of a spoken text that a recogniser hears wrong.
"""

Condition = Literal[
    "read_speech",
    "telephone",
    "far_field_meeting",
    "mixed_speakers",
    "known_synthesisers",
    "unknown_synthesisers",
    "known_synthesisers_mp3",
    "unknown_synthesisers_mp3",
    "known_synthesisers_telephone",
    "unknown_synthesisers_telephone",
    "windows_of_1_5_s",
    "heard_by_whisper_base",
    "heard_by_pocketsphinx",
    "bundled_portrait",
]
"""Kinds of input, or of listener, that a measurement holds for."""

Need = Literal["gpu", "weights", "server", "training"]
"""Things that an engine takes and that an ordinary machine lacks: a GPU, weights to be fetched, a server, training."""


@dataclass(frozen=True)
class Measurement:
    """One measured number.

    Attributes:
        measure: The quantity.
        value: A share from 0 to 1.
        condition: What it holds for.
        data: Proper name of the data, the same in every language; empty where it has none.
        sample: Size of the data, and what else is to be known of it.
        by: Command that measures it.
        language: ISO 639-1 code of the speech; None where it depends on none.
        highest: Upper end of a range that begins with ``value``; None for a single number.
    """

    measure: Measure
    value: float
    condition: Condition
    data: str
    sample: str
    by: str
    language: str | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Better:
    """A better engine than the one in use.

    Attributes:
        title: Its proper name.
        needs: What it takes; None for nothing but the setting.
        setting: Line of YAML below ``args`` of the application ``graphs``, of ``api`` for the role ``chat``.
        command: Command that does the same for a system on one machine; empty where there is none.
    """

    title: str
    needs: Need | None
    setting: str
    command: str = ""


@dataclass(frozen=True)
class EngineFacts:
    """Facts of an engine, with the models that fit the pattern.

    Attributes:
        engine: As in its settings.
        title: Proper name, the same in every language.
        models: Pattern (fnmatch) of the model's name as ``EngineInUse.model`` has it; ``*`` fits no model, too.
        measurements: The most telling one of each language first; empty where there are none, and then:
        not_measured: Why there are none.
        licence: Of the weights, or of the engine where it has none of its own; None where it depends on the weights.
        notice: Sentence for whoever uses a result of this engine, where nobody should rely on one.
        better: What to configure instead; None where nothing better is known.
    """

    engine: str
    title: str
    models: str = "*"
    measurements: tuple[Measurement, ...] = ()
    not_measured: str = ""
    licence: str | None = None
    notice: str | None = None
    better: Better | None = None
