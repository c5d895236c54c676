"""Facts of the diarizers; ``model`` of ``clustering`` is its speaker encoder."""

from models.facts.types import Better, EngineFacts, Measurement

_BY = "python -m benchmarks.der"
_TELEPHONE = ("pyannote.audio's sample", "30 s, 2 people")
_MIXES = ("LibriSpeech train-clean-100", "mixes of 1 to 4 people, their number free")
_NOT_MEASURED = "No error rate of the published weights was measured here."

_MEETINGS = ("LibriSpeech train-clean-100", "6 simulated meetings of 2 to 4 people across a room, 20 min")
_SEGMENTATION = Better("pyannote segmentation-3.0 + CAM++", "weights", "diarization: {engine: {engine: segmentation}}")
_PYANNOTE = Better("pyannote.audio community-1", "gpu", "diarization: {engine: {engine: pyannote}}")

FACTS = (
    EngineFacts(
        "clustering",
        "Silero VAD + VoiceGraph speaker encoder",
        "compact",
        measurements=(
            Measurement("diarization_error_rate", 0.161, "telephone", *_TELEPHONE, _BY, "en"),
            Measurement("diarization_error_rate", 0.123, "mixed_speakers", *_MIXES, _BY, "en", highest=0.182),
            Measurement("diarization_error_rate", 0.271, "far_field_meeting", *_MEETINGS, _BY, "en", highest=0.512),
        ),
        licence="MIT",
        better=_SEGMENTATION,
    ),
    EngineFacts(
        "clustering",
        "Silero VAD + spectral statistics",
        "spectral",
        measurements=(
            Measurement("diarization_error_rate", 0.186, "telephone", *_TELEPHONE, _BY, "en"),
            Measurement("diarization_error_rate", 0.177, "mixed_speakers", *_MIXES, _BY, "en", highest=0.232),
        ),
        licence="MIT",
        better=_SEGMENTATION,
    ),
    EngineFacts(
        "clustering",
        "Silero VAD + speaker encoder",
        not_measured="Its errors with this speaker encoder were not measured.",
        better=_SEGMENTATION,
    ),
    EngineFacts(
        "segmentation",
        "pyannote segmentation-3.0 + CAM++",
        "pyannote-segmentation-3.0 + campplus",
        measurements=(
            Measurement("diarization_error_rate", 0.062, "telephone", *_TELEPHONE, _BY, "en"),
            Measurement("diarization_error_rate", 0.310, "far_field_meeting", *_MEETINGS, _BY, "en", highest=0.397),
        ),
        licence="MIT, Apache-2.0",
        better=_PYANNOTE,
    ),
    EngineFacts("segmentation", "pyannote segmentation + CAM++", not_measured=_NOT_MEASURED),
    EngineFacts(
        "pyannote",
        "pyannote.audio community-1",
        "pyannote/speaker-diarization-community-1*",
        not_measured=_NOT_MEASURED,
    ),
    EngineFacts("pyannote", "pyannote.audio 3.1", "pyannote/speaker-diarization-3.1*", not_measured=_NOT_MEASURED),
    EngineFacts("pyannote", "pyannote.audio", not_measured=_NOT_MEASURED),
)
