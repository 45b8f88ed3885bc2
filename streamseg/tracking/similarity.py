"""The shift, rotation and zoom that most of some points agree on."""

from __future__ import annotations

import numpy as np

FEWEST = 8
"""Points that must agree on something."""

_LEAST_ZOOM, _MOST_ZOOM = 0.5, 2.0


def similarity(first: np.ndarray, second: np.ndarray, stray: float, narrow: float) -> tuple[np.ndarray, int]:
    """The similarity that takes most points of one picture to the other.

    Args:
        first: float64 [K, 2] xy.
        second: The same points later.
        stray: Distance beyond which a point counts for little.
        narrow: Mean distance of the points from their middle, below which they only tell a shift.

    Returns:
        float64 [2, 3], and how many points are not astray.
    """
    if len(first) < FEWEST:
        return np.eye(2, 3), 0
    before, now = (points @ [1, 1j] for points in (first, second))  # a similarity of the plane is turn * z + shift
    middle = before.mean()
    before, turn = before - middle, 1 + 0j
    shift = complex(np.median((now - before).real), np.median((now - before).imag))
    for step in range(9):
        error = np.abs(turn * before + shift - now)
        scale = max(stray, 1.5 * float(np.median(error))) if step < 4 else stray
        weight = 1 / (1 + (error / scale) ** 2) ** 2
        weight /= weight.sum()
        there, here = weight @ before, weight @ now
        apart = before - there
        if weight @ np.abs(apart) > narrow:
            turn = (weight * apart.conj()) @ (now - here) / (weight @ np.abs(apart) ** 2)
        else:
            turn = 1 + 0j
        shift = here - turn * there
    agreeing = int(np.count_nonzero(np.abs(turn * before + shift - now) < 2 * stray))
    if not _LEAST_ZOOM <= abs(turn) <= _MOST_ZOOM:
        return np.eye(2, 3), 0
    shift -= turn * middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]), agreeing
