"""Painting of the bundled portrait: a canvas in linear light, a shaded face, eyes, lips, hair and clothes."""
