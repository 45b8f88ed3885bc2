"""The lives of the objects that a tracker knows."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(slots=True, eq=False)
class Tracks:
    """T objects, in arrays of one row each.

    Attributes:
        masks: bool [T, M, M], as last detected.
        looks: float32 [T, D], of a while; zeros where nothing is known.
        votes: float64 [T, C], sum of the scores per label.
        born: float64 [T], when each was first detected, seconds.
        seen: float64 [T], when each was last detected, seconds.
        hits: int64 [T], number of detections.
        missed: int64 [T], number of updates since the last detection.
        belief: float64 [T], evidence that it is an object, in log odds.
        numbers: int64 [T], from 1 in order of birth.
        ids: int64 [T], from 1; 0 while it is not believed.
    """

    masks: np.ndarray
    looks: np.ndarray
    votes: np.ndarray
    born: np.ndarray
    seen: np.ndarray
    hits: np.ndarray
    missed: np.ndarray
    belief: np.ndarray
    numbers: np.ndarray
    ids: np.ndarray

    @classmethod
    def none(cls) -> Tracks:
        """No objects; the sizes of masks and votes are those of the first that are added."""
        born, seen, belief = (np.zeros(0) for _ in range(3))
        hits, missed, numbers, ids = (np.zeros(0, int) for _ in range(4))
        looks = np.zeros((0, 0), np.float32)
        return cls(np.zeros((0, 0, 0), bool), looks, np.zeros((0, 0)), born, seen, hits, missed, belief, numbers, ids)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> np.ndarray:
        """The label with most votes of each, int64 [T]."""
        return self.votes.argmax(axis=1) if len(self) else np.zeros(0, int)

    def keep(self, rows: np.ndarray) -> None:
        """Forget all but ``rows`` (bool [T] or positions)."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name)[rows])

    def add(self, born: Tracks) -> None:
        """Append others."""
        for each in fields(self):
            ours, theirs = getattr(self, each.name), getattr(born, each.name)
            setattr(self, each.name, np.concatenate([ours, theirs]) if len(ours) else theirs)
