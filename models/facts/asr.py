"""Facts of the speech recognisers."""

from models.facts.types import Better, EngineFacts, Measurement

_BY = "python -m benchmarks.wer"
_TEST_OTHER = ("LibriSpeech test-other", "1,039 words")
_TEST_CLEAN = ("LibriSpeech test-clean", "58 words")

_BASE = Better(
    "Whisper base",
    "weights",
    'asr: {engine: {engine: faster-whisper, model: "set://whisper-base", compute_type: int8}}',
)
_TURBO = Better(
    "Whisper large-v3-turbo", "gpu", "asr: {engine: {engine: faster-whisper, model: large-v3-turbo, device: cuda}}"
)
_WHISPER_NOT_MEASURED = "No error rate of these weights was measured here."

FACTS = (
    EngineFacts(
        "pocketsphinx",
        "PocketSphinx",
        measurements=(
            Measurement("word_error_rate", 0.607, "read_speech", *_TEST_OTHER, _BY, "en"),
            Measurement("word_error_rate", 0.207, "read_speech", *_TEST_CLEAN, _BY, "en"),
        ),
        licence="BSD-2-Clause",
        notice="Recognised by PocketSphinx, an engine of last resort: of clearly read English it gets about 2 of 10 "
        "words wrong, of other voices and recordings about 6 of 10, and it knows no other language.",
        better=_BASE,
    ),
    EngineFacts(
        "faster-whisper",
        "Whisper base",
        "*whisper-base",
        measurements=(Measurement("word_error_rate", 0.133, "read_speech", *_TEST_OTHER, _BY, "en"),),
        licence="MIT",
        better=_TURBO,
    ),
    EngineFacts(
        "faster-whisper",
        "Whisper tiny.en",
        "*whisper-tiny.en",
        measurements=(Measurement("word_error_rate", 0.166, "read_speech", *_TEST_OTHER, _BY, "en"),),
        licence="MIT",
        better=_BASE,
    ),
    EngineFacts(
        "faster-whisper",
        "Whisper large-v3-turbo",
        "*whisper-large-v3-turbo",
        not_measured=_WHISPER_NOT_MEASURED,
        licence="MIT",
    ),
    EngineFacts(
        "faster-whisper", "Whisper large-v3", "*whisper-large-v3", not_measured=_WHISPER_NOT_MEASURED, licence="MIT"
    ),
    EngineFacts("faster-whisper", "Whisper", not_measured=_WHISPER_NOT_MEASURED, better=_TURBO),
)
