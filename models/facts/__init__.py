"""Facts of the engines: how good they are, as measured, under which licence, and what would be better.

One table per role (``models/facts/asr.py`` and its like) holds the numbers that the API, the page and the results tell.
"""

from models.facts.in_use import EngineInUse, engine_in_use
from models.facts.lookup import FACTS, RoleName, facts_of
from models.facts.types import Better, EngineFacts, Measurement

__all__ = [
    "FACTS",
    "Better",
    "EngineFacts",
    "EngineInUse",
    "Measurement",
    "RoleName",
    "engine_in_use",
    "facts_of",
]
