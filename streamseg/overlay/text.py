"""Label plates: their size, their place, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from streamseg.overlay.canvas import FONT, Canvas
from streamseg.overlay.palette import Colour, text_on


@dataclass(frozen=True, slots=True)
class Lettering:
    """Sizes that suit a frame, in pixels but for ``scale``.

    Attributes:
        scale: OpenCV's font scale.
        weight: Thickness of the letters' strokes.
        margin: Space around the letters on their plate.
    """

    scale: float
    weight: int
    margin: int

    @classmethod
    def for_height(cls, height: int) -> Lettering:
        """Letters of about 1/60 of the frame's height, yet never too small to read."""
        scale = max(height / 1400, 0.36)
        return cls(scale, max(1, round(1.5 * scale)), max(2, round(6 * scale)))

    def plate(self, text: str) -> tuple[int, int]:
        """Width and height of the plate that carries ``text``."""
        width, height, baseline = _extent(text, self.scale, self.weight)
        return width + 2 * self.margin, height + baseline + 2 * self.margin

    def write(self, canvas: Canvas, text: str, corner: tuple[int, int], background: Colour) -> None:
        """Put a plate with its upper left ``corner`` at x, y on ``canvas``."""
        x, y = corner
        canvas.plate(x, y, *self.plate(text), background)
        _, above, _ = _extent(text, self.scale, self.weight)
        ink = text_on(background)
        canvas.text(text, x + self.margin, y + self.margin + above, self.scale, self.weight, ink)


@lru_cache(maxsize=8192)
def _extent(text: str, scale: float, weight: int) -> tuple[int, int, int]:
    """Width, height above the baseline and depth below it."""
    (width, height), baseline = cv2.getTextSize(text, FONT, scale, weight)
    return width, height, baseline


class Layout:
    """Finds places for plates inside a frame, away from those that are there already."""

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._taken: list[tuple[int, int, int, int]] = []

    def place(self, box: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
        """Choose where the plate of an object goes.

        Above the box where there is room, or else inside it, below it, or above its right end; the place that covers
        least of earlier plates, the first of equals.

        Args:
            box: [4], xyxy, pixels.
            size: Width and height of the plate.

        Returns:
            The plate's upper left corner, x and y, such that the plate lies in the frame (if it fits at all).
        """
        left, top, right, bottom = (float(value) for value in box)
        x0, x1 = (int(min(max(value, 0), self._width)) for value in (left, right))
        y0, y1 = (int(min(max(value, 0), self._height)) for value in (top, bottom))
        width, height = size
        most_x, most_y = max(self._width - width, 0), max(self._height - height, 0)
        wishes = ((x0, y0 - height), (x0, y0), (x0, y1), (x1 - width, y0 - height), (x1 - width, y1 - height))
        best, least = (0, 0), -1
        for wish in wishes:
            x, y = min(max(wish[0], 0), most_x), min(max(wish[1], 0), most_y)
            covered = self._covered(x, y, x + width, y + height)
            if least < 0 or covered < least:
                best, least = (x, y), covered
            if least == 0:
                break
        self._taken.append((*best, best[0] + width, best[1] + height))
        return best

    def _covered(self, x0: int, y0: int, x1: int, y1: int) -> int:
        # In plain numbers: there are a few dozen plates, for which arrays cost more than they save.
        covered = 0
        for left, top, right, bottom in self._taken:
            if left < x1 and x0 < right and top < y1 and y0 < bottom:
                covered += (min(right, x1) - max(left, x0)) * (min(bottom, y1) - max(top, y0))
        return covered
