"""Registry of the kinds of job."""

from graphs.avatar.kind import AVATAR
from graphs.common.job_kind import by_name
from graphs.spoof.kind import SPOOF
from graphs.transcription.kind import TRANSCRIPTION
from graphs.translation.kind import TRANSLATION

KINDS = by_name(
    TRANSCRIPTION,
    SPOOF,
    TRANSLATION,
    AVATAR,
)
