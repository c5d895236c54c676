"""Facts of the translators."""

from models.facts.types import Better, EngineFacts

FACTS = (
    EngineFacts(
        "apertium",
        "Apertium",
        not_measured="The errors of its dictionaries were not measured here.",
        licence="GPL-2.0-or-later",
        better=Better(
            "M2M100", "weights", "translation: {engine: {engine: ctranslate2, models: [facebook/m2m100_418M]}}"
        ),
    ),
    EngineFacts("ctranslate2", "M2M100", "*m2m100*", not_measured="No published weights were measured here."),
    EngineFacts("ctranslate2", "NLLB", "*nllb*", not_measured="No published weights were measured here."),
    EngineFacts("ctranslate2", "OPUS-MT", "*opus*", not_measured="No published weights were measured here."),
    EngineFacts("ctranslate2", "CTranslate2", not_measured="Its weights were not measured here."),
)
