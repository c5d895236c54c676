"""Speech recognition: words with their times from recorded speech.

>>> from models.asr import PocketSphinxSettings, build
>>> asr = build(PocketSphinxSettings())                       # doctest: +SKIP
>>> for segment in asr.transcribe(pcm, language="en").segments:  # doctest: +SKIP
...     print(f"{segment.start:.2f} {segment.text}")
"""

from models.asr.languages import require_language
from models.asr.settings import AsrSettings, FasterWhisperSettings, PocketSphinxSettings
from models.asr.types import Asr, Segment, Transcription, Word

__all__ = [
    "Asr",
    "AsrSettings",
    "FasterWhisperSettings",
    "PocketSphinxSettings",
    "Segment",
    "Transcription",
    "Word",
    "build",
    "require_language",
]


def build(settings: AsrSettings) -> Asr:
    """Build the engine that the settings name, its model loaded and ready.

    Raises:
        MissingWeights: The model is not on this machine; the message says how to get it.
        ValueError: The settings ask for what this machine can't do.
    """
    match settings:
        case PocketSphinxSettings():
            from models.asr.pocketsphinx_engine import PocketSphinxAsr

            return PocketSphinxAsr(settings)
        case FasterWhisperSettings():
            from models.asr.faster_whisper_engine import FasterWhisperAsr

            return FasterWhisperAsr(settings)
