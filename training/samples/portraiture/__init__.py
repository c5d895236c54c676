"""What ``make_portrait.py`` paints with: a canvas in linear light, a shaded face, eyes, lips, hair and clothes."""
