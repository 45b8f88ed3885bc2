"""Which classes a detector takes for one another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_KINDS = {
    "person": ("person", "pedestrian", "rider"),
    "cycle": ("cycle", "bicycle", "motorcycle", "motorbike", "cyclist"),
    "vehicle": ("vehicle", "car", "bus", "truck", "van", "train", "trailer", "caravan"),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}

SAME_KIND = 0.9
"""Likeness of a van and a car: they are the same thing from one frame to the next."""

_RIDER_AND_CYCLE = 0.7  # one outline, and either label is right
_OTHERWISE = 0.5  # unless it overlaps very well, it is another object
_PERSON_AND_VEHICLE = 0.2  # never the same thing


def likeness(class_names: Sequence[str]) -> np.ndarray:
    """How well a detection of one class continues a track of another.

    Returns:
        float64 [C, C], symmetric, 1 on the diagonal; a factor for overlaps.
    """
    return _likeness(tuple(class_names))


@lru_cache(maxsize=16)
def _likeness(class_names: tuple[str, ...]) -> np.ndarray:
    kinds = [_KIND_OF.get(name.lower()) for name in class_names]
    table = np.full((len(kinds), len(kinds)), _OTHERWISE)
    for i, first in enumerate(kinds):
        for j, second in enumerate(kinds):
            pair = {first, second}
            if i == j:
                table[i, j] = 1.0
            elif first is not None and first == second:
                table[i, j] = SAME_KIND
            elif pair == {"person", "cycle"}:
                table[i, j] = _RIDER_AND_CYCLE
            elif pair == {"person", "vehicle"}:
                table[i, j] = _PERSON_AND_VEHICLE
    table.setflags(write=False)
    return table
