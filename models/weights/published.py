"""Licences and sizes of published weights, known before they are fetched."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from models.weights.sources import HubSource, Source

_MB = 1_000_000
_FORBIDDING = ("-nc", "noncommercial", "non-commercial")


@dataclass(frozen=True)
class PublishedModel:
    """Facts of a published model.

    Attributes:
        licence: As its page states it.
        size: Bytes of what an engine needs of it, rounded; None where it is not known.
        gated: Its page wants terms to be accepted before it gives the files.
    """

    licence: str
    size: int | None = None
    gated: bool = False


# By the repository's name, * standing for any part of it; the first that fits.
_MODELS = {
    "Systran/faster-whisper-large-v3": PublishedModel("mit", 3090 * _MB),
    "Systran/faster-whisper-*": PublishedModel("mit"),
    "mobiuslabsgmbh/faster-whisper-large-v3-turbo": PublishedModel("mit", 1620 * _MB),
    "pyannote/speaker-diarization-community-1": PublishedModel("cc-by-4.0", gated=True),
    "pyannote/speaker-diarization-3.1": PublishedModel("mit", gated=True),
    "pyannote/segmentation-3.0": PublishedModel("mit", 6 * _MB, gated=True),
    "pyannote/wespeaker-voxceleb-resnet34-LM": PublishedModel("cc-by-4.0", 27 * _MB),
    "speechbrain/spkrec-ecapa-voxceleb": PublishedModel("apache-2.0", 83 * _MB),
    "speechbrain/spkrec-xvect-voxceleb": PublishedModel("apache-2.0", 17 * _MB),
    "microsoft/speecht5_tts": PublishedModel("mit", 585 * _MB),
    "microsoft/speecht5_hifigan": PublishedModel("mit", 51 * _MB),
    "facebook/m2m100_418M": PublishedModel("mit", 1940 * _MB),
    "facebook/m2m100_1.2B": PublishedModel("mit"),
    "facebook/nllb-200-distilled-600M": PublishedModel("cc-by-nc-4.0", 2460 * _MB),
    "facebook/nllb-200-*": PublishedModel("cc-by-nc-4.0"),
    "facebook/mms-tts-*": PublishedModel("cc-by-nc-4.0", 145 * _MB),
    "rhasspy/piper-voices": PublishedModel("varies by voice: see its MODEL_CARD"),
}


def published_model(source: Source) -> PublishedModel | None:
    """Return the facts of published weights; None where there are none."""
    if not isinstance(source, HubSource):
        return None
    return next((facts for name, facts in _MODELS.items() if fnmatchcase(source.repository, name)), None)


def terms_of(source: HubSource) -> str:
    """Return the end of a sentence that names the terms to accept before a download; empty where there are none."""
    facts = published_model(source)
    if facts is None or not facts.gated:
        return ""
    return f"; first accept its licence at https://huggingface.co/{source.repository} and set HF_TOKEN"


def forbids_commerce(licence: str) -> bool:
    """Tell whether a licence forbids commercial use by its name."""
    return any(word in licence.lower() for word in _FORBIDDING)
