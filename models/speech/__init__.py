"""Speech synthesis, clause by clause."""

from models.speech.clauses import ClauseSplitter
from models.speech.settings import (
    CombinedSettings,
    EspeakSettings,
    FestivalSettings,
    HibariSettings,
    KokoroSettings,
    PiperSettings,
    SpeechSettings,
    SpeechT5Settings,
    VitsSettings,
)
from models.speech.streaming import MAX_CHARACTERS, pause_after, speak
from models.speech.types import Gender, Quality, Reference, SpeechChunk, SpeechEngine, SpeechModel, Voice

__all__ = [
    "MAX_CHARACTERS",
    "ClauseSplitter",
    "CombinedSettings",
    "EspeakSettings",
    "FestivalSettings",
    "Gender",
    "HibariSettings",
    "KokoroSettings",
    "PiperSettings",
    "Quality",
    "Reference",
    "SpeechChunk",
    "SpeechEngine",
    "SpeechModel",
    "SpeechSettings",
    "SpeechT5Settings",
    "VitsSettings",
    "Voice",
    "build",
    "pause_after",
    "speak",
]


def build(settings: SpeechSettings) -> SpeechEngine:
    """Build the engine that the settings name; its models load when a voice needs them.

    Raises:
        MissingWeights: The engine has no voice on this machine; the message says how to get one.
        ValueError: The files are not what the engine takes.
    """
    match settings:
        case EspeakSettings():
            from models.speech.espeak import EspeakEngine

            return EspeakEngine(settings)
        case HibariSettings():
            from models.speech.hibari import HibariEngine

            return HibariEngine(settings)
        case FestivalSettings():
            from models.speech.festival import FestivalEngine

            return FestivalEngine(settings)
        case KokoroSettings():
            from models.speech.kokoro import KokoroEngine

            return KokoroEngine(settings)
        case PiperSettings():
            from models.speech.piper import PiperEngine

            return PiperEngine(settings)
        case VitsSettings():
            from models.speech.vits import VitsEngine

            return VitsEngine(settings)
        case SpeechT5Settings():
            from models.speech.speecht5 import SpeechT5Engine

            return SpeechT5Engine(settings)
        case CombinedSettings():
            from models.speech.combined import CombinedEngine

            return CombinedEngine(settings, build)
