"""Facts of the speaker encoders (models/speaker/MODEL_CARD.md)."""

from models.facts.types import Better, EngineFacts, Measurement

_DATA = ("LibriSpeech train-clean-100", "26 speakers kept back")
_BY = "python -m benchmarks.speaker"
_NOT_MEASURED = "No error rate of the published weights was measured here."
_CAMPPLUS = Better("CAM++", "weights", "speaker: {engine: {engine: campplus}}")

FACTS = (
    EngineFacts(
        "compact",
        "VoiceGraph speaker encoder",
        "",
        measurements=(Measurement("equal_error_rate", 0.087, "windows_of_1_5_s", *_DATA, _BY, "en"),),
        licence="MIT",
        better=_CAMPPLUS,
    ),
    EngineFacts(
        "compact",
        "VoiceGraph speaker encoder, trained anew",
        not_measured="A checkpoint of yours is measured by you.",
    ),
    EngineFacts(
        "spectral",
        "Spectral statistics",
        measurements=(Measurement("equal_error_rate", 0.109, "windows_of_1_5_s", *_DATA, _BY, "en"),),
        licence="MIT",
        better=_CAMPPLUS,
    ),
    EngineFacts(
        "campplus",
        "CAM++",
        "*campplus*",
        measurements=(Measurement("equal_error_rate", 0.011, "windows_of_1_5_s", *_DATA, _BY, "en"),),
        licence="Apache-2.0",
    ),
    EngineFacts("campplus", "CAM++", not_measured=_NOT_MEASURED),
    EngineFacts("xvector", "x-vectors", not_measured=_NOT_MEASURED),
    EngineFacts("ecapa", "ECAPA-TDNN", not_measured=_NOT_MEASURED),
    EngineFacts("wespeaker", "WeSpeaker", not_measured=_NOT_MEASURED),
)
