"""Bundled sample files: a recorded dialogue and a portrait, made by ``training.samples``."""

from importlib.resources import files

DIALOGUE = files(__name__).joinpath("dialogue.flac")
PORTRAIT = files(__name__).joinpath("portrait.png")
