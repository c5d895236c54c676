"""Facts of the speech synthesisers."""

from models.facts.types import Better, EngineFacts, Measurement

_BY = "pytest -s tests/cluster/test_speech_out.py"
_TEXT = ("", "a text of 59 words")
_PIPER = Better(
    "Piper voices",
    "weights",
    "speech: {engine: {engine: combined, engines: [{engine: piper, folder: /models/piper}, {engine: espeak}]}}",
)
_HIBARI = Better(
    "Hibari + eSpeak NG",
    None,
    "speech: {engine: {engine: combined, engines: [{engine: hibari}, {engine: espeak}]}}",
)

FACTS = (
    EngineFacts(
        "espeak",
        "eSpeak NG",
        measurements=(
            Measurement(
                "unintelligible_words",
                0.17,
                "heard_by_pocketsphinx",
                "",
                "a text of 38 words, voice en-us-f5, speed 0.85",
                _BY,
                "en",
            ),
        ),
        licence="GPL-3.0-or-later",
        better=_HIBARI,
    ),
    EngineFacts(
        "hibari",
        "Hibari",
        measurements=(Measurement("unintelligible_words", 0.0, "heard_by_whisper_base", *_TEXT, _BY, "en"),),
        licence="Apache-2.0",
    ),
    EngineFacts(
        "festival",
        "Festival",
        measurements=(
            Measurement(
                "unintelligible_words",
                0.24,
                "heard_by_whisper_base",
                "",
                "8 sentences",
                "python -m benchmarks.voices",
                "ru",
                highest=0.32,
            ),
        ),
        licence="BSD-like, of the University of Edinburgh and of Nickolay V. Shmyrev",
    ),
    EngineFacts(
        "kokoro",
        "Kokoro-82M",
        "*kokoro-82m*",
        measurements=(
            Measurement("unintelligible_words", 0.0, "heard_by_whisper_base", *_TEXT, _BY, "en", highest=0.017),
        ),
        licence="Apache-2.0",
    ),
    EngineFacts("kokoro", "Kokoro", not_measured="How well these voices are understood was not measured here."),
    EngineFacts(
        "piper",
        "Piper Joe",
        "*joe*",
        measurements=(Measurement("unintelligible_words", 0.017, "heard_by_whisper_base", *_TEXT, _BY, "en"),),
        licence="CC0-1.0",
    ),
    EngineFacts("piper", "Piper", not_measured="How well these voices are understood was not measured here."),
    EngineFacts("vits", "VITS", not_measured="How well these voices are understood was not measured here."),
    EngineFacts("speecht5", "SpeechT5", not_measured="How well it is understood was not measured here.", licence="MIT"),
    EngineFacts(
        "combined", "Several engines", not_measured="Each of its engines is measured by itself.", better=_PIPER
    ),
)
