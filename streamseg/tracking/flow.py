"""Where points of one picture are in the next."""

from __future__ import annotations

import cv2
import numpy as np

from streamseg.tracking.similarity import FEWEST

WINDOW = (11, 11)
"""Pixels around a point by which it is known again."""

_LEVELS = 3
_CRITERIA = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 12, 0.03)
_BACK = 0.7  # pixels within which a point that is followed back and forth must return


def followed_points(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which points of one picture are also in the next, and where.

    Args:
        first: uint8 [H, W], grey.
        second: The same later.
        points: float32 [N, 2] xy, in the first.

    Returns:
        Those K that could be followed forth and back, in the first and in the second picture: float64 [K, 2] twice;
        none where there are too few points to agree on anything.
    """
    if len(points) < FEWEST:
        return np.zeros((0, 2)), np.zeros((0, 2))
    there, found = _flow(first, second, points)
    back, found_back = _flow(second, first, there)
    good = found & found_back & (np.abs(back - points).max(axis=1) < _BACK)
    return points[good].astype(np.float64), there[good].astype(np.float64)


def _flow(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points of the first picture are in the second, float32 [K, 2], and whether they were found, bool [K]."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points[:, None],
        np.empty_like(points[:, None]),
        winSize=WINDOW,
        maxLevel=_LEVELS,
        criteria=_CRITERIA,
    )
    return np.asarray(there)[:, 0], np.asarray(found)[:, 0] > 0
