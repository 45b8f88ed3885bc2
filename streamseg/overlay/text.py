"""Label plates: their size, their place, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from streamseg.overlay.palette import Colour, text_on

_FONT = cv2.FONT_HERSHEY_SIMPLEX


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

    def write(self, image: np.ndarray, text: str, corner: tuple[int, int], background: Colour) -> None:
        """Put a plate with its upper left ``corner`` at x, y on ``image`` (uint8 [H, W, 3], changed in place)."""
        x, y = corner
        width, height = self.plate(text)
        image[max(y, 0) : y + height, max(x, 0) : x + width] = background
        _, above, _ = _extent(text, self.scale, self.weight)
        origin = (x + self.margin, y + self.margin + above)
        cv2.putText(image, text, origin, _FONT, self.scale, text_on(background), self.weight, cv2.LINE_AA)


@lru_cache(maxsize=8192)
def _extent(text: str, scale: float, weight: int) -> tuple[int, int, int]:
    """Width, height above the baseline and depth below it."""
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, weight)
    return width, height, baseline


class Layout:
    """Finds places for plates inside a frame, away from those that are there already."""

    def __init__(self, height: int, width: int) -> None:
        self._frame = np.array([width, height])
        self._taken = np.zeros((0, 4), np.int64)

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
        x0, y0, x1, y1 = (int(v) for v in np.clip(box, 0, np.tile(self._frame, 2)))
        width, height = size
        wishes = ((x0, y0 - height), (x0, y0), (x0, y1), (x1 - width, y0 - height), (x1 - width, y1 - height))
        best, least = (0, 0), -1
        for wish in wishes:
            x, y = np.clip(wish, 0, np.maximum(self._frame - size, 0)).tolist()
            covered = self._covered(x, y, width, height)
            if least < 0 or covered < least:
                best, least = (x, y), covered
            if least == 0:
                break
        rectangle = [[best[0], best[1], best[0] + width, best[1] + height]]
        self._taken = np.concatenate([self._taken, rectangle])
        return best

    def _covered(self, x: int, y: int, width: int, height: int) -> int:
        low = np.maximum(self._taken[:, :2], (x, y))
        high = np.minimum(self._taken[:, 2:], (x + width, y + height))
        return int(np.maximum(high - low, 0).prod(axis=1).sum())
