"""Settings of the speaker encoders."""

from typing import Literal

from models.settings import Settings


class SpectralSettings(Settings):
    """The encoder of this package: statistics of the spectrum, no download."""

    engine: Literal["spectral"] = "spectral"


SpeakerSettings = SpectralSettings
"""Grows into a union, told apart by ``engine``, with the second encoder."""
