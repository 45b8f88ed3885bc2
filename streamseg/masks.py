"""Masks in their boxes, turned into pixels, run lengths and outlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The pixels of one object inside its box.

    Attributes:
        pixels: bool [h, w]; may be empty where the box lies outside the frame.
        x: Column of the frame that ``pixels[:, 0]`` lies on.
        y: Row of the frame that ``pixels[0]`` lies on.
    """

    pixels: np.ndarray
    x: int
    y: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Where the patch lies in a full-frame array."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


def paste(mask: np.ndarray, box: np.ndarray, height: int, width: int, pasting: str = "torchvision") -> Patch:
    raise NotImplementedError


def encode(patch: Patch, height: int, width: int) -> dict[str, Any]:
    raise NotImplementedError


def outlines(patch: Patch) -> list[np.ndarray]:
    raise NotImplementedError
