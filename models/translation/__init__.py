"""Translation of sentences, with the model's confidence in them."""

from models.translation.settings import ApertiumSettings, CTranslate2Settings, TranslationSettings
from models.translation.types import Quality, Sentence, Translation, Translator

__all__ = [
    "ApertiumSettings",
    "CTranslate2Settings",
    "Quality",
    "Sentence",
    "Translation",
    "TranslationSettings",
    "Translator",
    "build",
]


def build(settings: TranslationSettings) -> Translator:
    """Build the engine that the settings name, its model loaded and ready.

    Raises:
        MissingWeights: The model is not on this machine; the message says how to get it.
        ValueError: The files are not what the engine takes.
    """
    match settings:
        case ApertiumSettings():
            from models.translation.apertium import ApertiumTranslator

            return ApertiumTranslator(settings)
        case CTranslate2Settings():
            from models.translation.ctranslate2_engine import CTranslate2Translator

            return CTranslate2Translator(settings)
