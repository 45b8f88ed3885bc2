"""Objects that are out of sight, and who of those that appear is one of them come back."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from streamseg.tracking.appearance import alike
from streamseg.tracking.motion import boxes_of, coordinates_of, moved, sizes_of
from streamseg.tracking.stateful import Stateful


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """K objects as each was last seen; can be indexed like an array.

    Attributes:
        ids: int64 [K], identities.
        labels: int64 [K].
        looks: float32 [K, D], from :func:`streamseg.tracking.appearance.describe`.
        boxes: float64 [K, 4], xyxy, pixels, with whatever has moved them since.
        seconds: float64 [K], when.
    """

    ids: np.ndarray
    labels: np.ndarray
    looks: np.ndarray
    boxes: np.ndarray
    seconds: np.ndarray

    @classmethod
    def none(cls) -> Portraits:
        """Nobody; the length of looks is that of the first who come."""
        ids, labels = (np.zeros(0, np.int64) for _ in range(2))
        return cls(ids, labels, np.zeros((0, 0), np.float32), np.zeros((0, 4)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, keep: Any) -> Portraits:
        return Portraits(*(getattr(self, each.name)[keep] for each in fields(self)))

    def and_(self, others: Portraits) -> Portraits:
        """These and others."""
        if not len(self):
            return others
        return Portraits(
            *(np.concatenate([getattr(self, each.name), getattr(others, each.name)]) for each in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Plausible:
    """What somebody who comes back must be like. Lengths are in sizes of the object (the root of its area).

    Attributes:
        alike: How much it must look the same, 0 to 1, see :func:`streamseg.tracking.appearance.alike`.
        clearly: How much more alike than any other pair of the two it must be.
        near: How far from the place where it was last expected, and how much farther per second since then.
        speed: See ``near``.
        most: The farthest.
        zoom: The greatest change of size, as a natural logarithm.
    """

    alike: float = 0.75
    clearly: float = 0.05
    near: float = 0.7
    speed: float = 2.0
    most: float = 5.0
    zoom: float = 1.2


def recognised(known: Portraits, seen: Portraits, rules: Plausible) -> np.ndarray:
    """Who of those that are seen is whom.

    Args:
        known: K objects out of sight.
        seen: N objects that nobody else is; their identities are not read.
        rules: What is plausible.

    Returns:
        int64 [N], the row of ``known`` for each of ``seen``, -1 for none; no row comes twice.
    """
    found = np.full(len(seen), -1)
    if not len(known) or not len(seen):
        return found
    place, there = coordinates_of(known.boxes), coordinates_of(seen.boxes)
    sizes, others = sizes_of(place)[:, None], sizes_of(there)
    away = np.linalg.norm(place[:, None, :2] - there[:, :2], axis=2) / np.sqrt(sizes * others)
    gone = np.maximum(seen.seconds - known.seconds[:, None], 0)
    likeness = alike(known.looks, seen.looks)
    possible = (
        (known.labels[:, None] == seen.labels)
        & (known.seconds[:, None] < seen.seconds)
        & (away <= np.minimum(rules.near + rules.speed * gone, rules.most))
        & (np.abs(np.log(sizes / others)) <= rules.zoom)
        & (likeness >= rules.alike)
    )
    worth = np.where(possible, likeness, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pair = worth[rows, columns]
    clear = (pair > 0) & (pair - _next_best(worth, rows, columns) >= rules.clearly)
    found[columns[clear]] = rows[clear]
    return found


@dataclass(slots=True, eq=False)
class Gallery(Stateful):
    """Remembers objects whose tracks have ended, for a while.

    Attributes:
        rules: Who may be recognised.
        keep: How long an object is remembered after it was last seen, seconds.
        most: How many are remembered, the latest.
    """

    rules: Plausible = field(default_factory=Plausible)
    keep: float = 8.0
    most: int = 200
    _known: Portraits = field(init=False, default_factory=Portraits.none)

    def put(self, gone: Portraits) -> None:
        """Remember objects whose tracks have ended; those whose looks say nothing are forgotten at once."""
        self._known = self._known.and_(gone[gone.looks.any(axis=1)])[-self.most :]

    def move(self, transform: np.ndarray) -> None:
        """Take everything to where the camera's motion (float64 [2, 3], pixels) has put it."""
        if len(self._known):
            self._known.boxes[:] = boxes_of(moved(coordinates_of(self._known.boxes), transform))

    def recall(self, seen: Portraits) -> np.ndarray:
        """The identities of those that come back; they are no longer remembered then.

        Args:
            seen: N objects that would get a new identity, of one frame.

        Returns:
            int64 [N], 0 for those that are new.
        """
        ids = np.zeros(len(seen), np.int64)
        if not len(self._known) or not len(seen):
            return ids
        self._known = self._known[seen.seconds.max() - self._known.seconds <= self.keep]
        rows = recognised(self._known, seen, self.rules)
        ids[rows >= 0] = self._known.ids[rows[rows >= 0]]
        self._known = self._known[~np.isin(self._known.ids, ids)]
        return ids


def _next_best(worth: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The greatest worth in the row or column of each pair, without itself: float64 [P]."""
    rest = worth.copy()
    rest[rows, columns] = 0
    return np.maximum(rest[rows].max(axis=1), rest[:, columns].max(axis=0))
