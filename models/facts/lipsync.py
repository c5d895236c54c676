"""Facts of the lip-sync engines."""

from models.facts.types import Better, EngineFacts, Measurement

FACTS = (
    EngineFacts(
        "mouth-warp",
        "Mouth warp",
        measurements=(
            Measurement(
                "mouth_sound_correlation",
                0.9,
                "bundled_portrait",
                "",
                "29 s of speech, 0 frames apart",
                "pytest -s tests/cluster/test_avatar.py",
            ),
        ),
        licence="MIT",
        better=Better(
            "Wav2Lip",
            "weights",
            "lipsync: {engine: {engine: wav2lip, checkpoint: /models/wav2lip_gan.pth, detector: /models/s3fd.pth}}",
        ),
    ),
    EngineFacts(
        "wav2lip",
        "Wav2Lip",
        not_measured="The published weights were not measured here.",
        licence="non-commercial, for research",
    ),
)
