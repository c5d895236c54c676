"""A recording and a portrait that come along, made by ``make_dialogue.py`` and ``make_portrait.py``."""

from importlib.resources import files

DIALOGUE = files(__name__).joinpath("dialogue.flac")
PORTRAIT = files(__name__).joinpath("portrait.png")
