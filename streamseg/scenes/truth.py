"""What a rendered frame holds: the picture and the visible pixels of every object in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamseg.masks import Patch

LABELS = ("person", "vehicle", "cycle")
LEAST_PIXELS = 20


@dataclass(frozen=True, slots=True, eq=False)
class TrueObject:
    """One object as it is seen.

    Attributes:
        id: Identity, from 1; it stays with the object for the whole clip.
        label: ``"person"``, ``"vehicle"`` or ``"cycle"`` (machine and rider together).
        box: x1, y1, x2, y2 of the visible pixels; x2 and y2 lie just outside them.
        mask: The visible pixels inside the box.
    """

    id: int
    label: str
    box: tuple[float, float, float, float]
    mask: Patch


@dataclass(frozen=True, slots=True, eq=False)
class SceneFrame:
    """One rendered picture with its truth.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        objects: Every object with at least ``LEAST_PIXELS`` visible pixels.
        seconds: Time in the clip.
    """

    image: np.ndarray
    objects: list[TrueObject]
    seconds: float


def visible(slots: np.ndarray, owners: Sequence[tuple[int, str]]) -> list[TrueObject]:
    """The objects seen in a picture.

    Args:
        slots: uint8 [H, W], 0 where no object is seen, i + 1 where ``owners[i]`` is.
        owners: Identity and label per slot.
    """
    counts = np.bincount(slots.ravel(), minlength=len(owners) + 1)
    found = []
    for index, (identity, label) in enumerate(owners):
        if counts[index + 1] < LEAST_PIXELS:
            continue
        inside = slots == index + 1
        x, y, w, h = cv2.boundingRect(inside.view(np.uint8))
        patch = Patch(np.ascontiguousarray(inside[y : y + h, x : x + w]), x, y)
        found.append(TrueObject(identity, label, (float(x), float(y), float(x + w), float(y + h)), patch))
    return found
