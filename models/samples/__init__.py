"""The bundled recording: a dialogue of two speakers, made by ``make_dialogue.py``."""

from importlib.resources import files

DIALOGUE = files(__name__).joinpath("dialogue.flac")
