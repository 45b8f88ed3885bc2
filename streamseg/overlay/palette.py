"""Colours that stay with their object."""

from __future__ import annotations

import colorsys
from functools import lru_cache

Colour = tuple[int, int, int]

SHADE: Colour = (20, 20, 20)
"""Under outlines and boxes, so that a bright line shows on a bright wall."""

_GOLDEN_RATIO = 0.6180339887498949
_TONES = ((0.75, 1.0), (0.95, 0.85), (0.5, 1.0))  # saturation and value, in turn


@lru_cache(maxsize=4096)
def colour_of(identity: int, label: int) -> Colour:
    """The colour of an object: by its identity, or by its label where it has none.

    Steps of the golden ratio around the hue circle keep the colours of neighbouring identities far apart, however
    many there are (Vogel 1979, as used for palettes by Ankerl 2009).

    Args:
        identity: From 1; 0 for an object that is not tracked.
        label: From 0.

    Returns:
        Red, green, blue, 0 to 255.
    """
    step = identity if identity > 0 else label
    hue = (0.58 + step * _GOLDEN_RATIO) % 1.0
    # Yellow to green look brighter than they are; the darker tone keeps them apart from each other.
    saturation, value = _TONES[step % len(_TONES)]
    return _to_bytes(colorsys.hsv_to_rgb(hue, saturation, value))


def text_on(background: Colour) -> Colour:
    """Black or white, whichever has the higher contrast on ``background`` (WCAG 2.1 relative luminance)."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in background)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if (luminance + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)


def _to_bytes(rgb: tuple[float, float, float]) -> Colour:
    red, green, blue = (round(255 * value) for value in rgb)
    return red, green, blue
