"""Recordings in any common container, as mono float32 samples.

``probe`` looks at a recording cheaply, ``stream`` decodes it block by block in bounded memory, ``decode``
returns it whole. All three judge a file by its content, never by its name, and refuse what they can't use
with ``models.errors.InputError``. ``AudioEncoder`` and ``encode`` write samples as a file of a common format,
``Waveform`` outlines them to be drawn.
"""

from models.audio.decoding import decode, probe, stream
from models.audio.encoding import AUDIO_FORMATS, AudioEncoder, AudioFormat, SyntheticMark, encode
from models.audio.limits import SAMPLE_RATE, AudioInfo, AudioLimits
from models.audio.media_type import media_type
from models.audio.waveform import Waveform

__all__ = [
    "AUDIO_FORMATS",
    "SAMPLE_RATE",
    "AudioEncoder",
    "AudioFormat",
    "AudioInfo",
    "AudioLimits",
    "SyntheticMark",
    "Waveform",
    "decode",
    "encode",
    "media_type",
    "probe",
    "stream",
]
