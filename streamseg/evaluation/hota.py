"""HOTA: how well objects are found and followed, at once (Luiten et al., IJCV 2021).

TrackEval, the authors' own program, needs matplotlib and more to be installed; the tests check against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

THRESHOLDS = np.arange(0.05, 0.99, 0.05)  # of intersection over union
_EPSILON = float(np.finfo(float).eps)

Frame = tuple[np.ndarray, np.ndarray, np.ndarray]


def _zeros() -> np.ndarray:
    return np.zeros(len(THRESHOLDS))


@dataclass(frozen=True, slots=True, eq=False)
class HotaCounts:
    """What HOTA is made of; each float64 [19], one value per threshold.

    Attributes:
        matched: Objects found (TP).
        missed: Objects not found (FN).
        false: Detections on no object (FP).
        association: Sum over the objects found of how well their whole tracks agree (A(c) in the paper).
    """

    matched: np.ndarray = field(default_factory=_zeros)
    missed: np.ndarray = field(default_factory=_zeros)
    false: np.ndarray = field(default_factory=_zeros)
    association: np.ndarray = field(default_factory=_zeros)

    def __add__(self, other: HotaCounts) -> HotaCounts:
        return HotaCounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def hota(self) -> float:
        """Geometric mean of detection and association, averaged over thresholds, 0 to 1."""
        return float(np.sqrt(self._detection() * self._association()).mean())

    @property
    def deta(self) -> float:
        """Detection accuracy, 0 to 1."""
        return float(self._detection().mean())

    @property
    def assa(self) -> float:
        """Association accuracy, 0 to 1."""
        return float(self._association().mean())

    def _detection(self) -> np.ndarray:
        return self.matched / np.maximum(1, self.matched + self.missed + self.false)

    def _association(self) -> np.ndarray:
        return self.association / np.maximum(1, self.matched)


def hota_counts(frames: Sequence[Frame]) -> HotaCounts:
    """Counts over the frames of one class.

    Args:
        frames: Identities of truth, int [N], and result, int [K], from 0, and their overlap, float64 [N, K], 0 to 1.
    """
    truths, results = (_lengths([frame[side] for frame in frames]) for side in (0, 1))
    # Only pairs of tracks that meet at all: whole tables of truth by result would be large for long videos.
    met = [np.nonzero(overlap > 0) for *_, overlap in frames]
    codes = [truth[i] * len(results) + result[j] for (truth, result, _), (i, j) in zip(frames, met, strict=True)]
    pairs, places = np.unique(np.concatenate([np.zeros(0, int), *codes]), return_inverse=True)
    together = [_relative(overlap)[i, j] for (*_, overlap), (i, j) in zip(frames, met, strict=True)]
    potential = np.bincount(places, np.concatenate([np.zeros(0), *together]), len(pairs))
    lengths = truths[pairs // max(1, len(results))] + results[pairs % max(1, len(results))]
    alignment = potential / (lengths - potential)

    matches = np.zeros((len(pairs), len(THRESHOLDS)))
    begin = 0
    for (*_, overlap), (i, j) in zip(frames, met, strict=True):
        pair = np.zeros(overlap.shape, int)
        pair[i, j] = places[begin : begin + len(i)]
        begin += len(i)
        if len(i):
            rows, columns = best_pairs(np.where(overlap > 0, alignment[pair] * overlap, 0))
            matches[pair[rows, columns]] += overlap[rows, columns][:, None] >= THRESHOLDS - _EPSILON
    matched = matches.sum(0)
    agreement = matches / (lengths[:, None] - matches)
    return HotaCounts(matched, truths.sum() - matched, results.sum() - matched, (matches * agreement).sum(0))


def best_pairs(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the assignment with the greatest sum, without pairs worth nothing."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(worth, maximize=True)
    real = worth[rows, columns] > 0
    return rows[real], columns[real]


def _lengths(identities: list[np.ndarray]) -> np.ndarray:
    """Number of frames by identity."""
    return np.bincount(np.concatenate([np.zeros(0, int), *identities]))


def _relative(overlap: np.ndarray) -> np.ndarray:
    """Overlap of a pair relative to what both overlap in all."""
    either = overlap.sum(0)[None] + overlap.sum(1)[:, None] - overlap
    return np.divide(overlap, either, out=np.zeros_like(overlap), where=either > _EPSILON)
