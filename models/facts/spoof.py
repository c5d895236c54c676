"""Facts of the voice-spoof detectors (models/spoof/MODEL_CARD.md)."""

from models.facts.types import Better, Condition, EngineFacts, Measurement

_WAVLM = Better(
    "WavLM",
    "training",
    "spoof: {engine: {engine: wavlm, checkpoint: /models/wavlm.pt}}",
)


def _eer(value: float, condition: Condition) -> Measurement:
    return Measurement(
        "equal_error_rate",
        value,
        condition,
        "",
        "chunks of 4 s, speakers not trained on",
        "python -m training.spoof.recipe.evaluate",
    )


FACTS = (
    EngineFacts(
        "compact",
        "VoiceGraph compact",
        "",
        measurements=(
            _eer(0.107, "unknown_synthesisers"),
            _eer(0.016, "known_synthesisers"),
            _eer(0.190, "unknown_synthesisers_mp3"),
            _eer(0.036, "known_synthesisers_mp3"),
            _eer(0.132, "unknown_synthesisers_telephone"),
            _eer(0.048, "known_synthesisers_telephone"),
        ),
        licence="MIT",
        better=_WAVLM,
    ),
    EngineFacts(
        "compact", "VoiceGraph compact, trained anew", not_measured="A checkpoint of yours is measured by you."
    ),
    EngineFacts("wavlm", "WavLM", not_measured="A checkpoint of yours is measured by you."),
    EngineFacts("classifier", "Audio classifier", not_measured="Its weights were not measured here."),
)
