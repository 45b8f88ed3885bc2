"""What all detections of a frame have moved together, because the camera has."""

from __future__ import annotations

import numpy as np

_FEWEST = 4  # objects that can agree on something
_STRAY = 0.07  # standard deviation of an object's own surprise, sizes
_SHIFT, _ZOOM = 0.002, 0.001  # how far a camera moves between frames, as a rule, in widths of the frame; per width
_GAIN = 0.7  # logarithm of how much better everything must agree
_ROUNDS = 4


def common_motion(expected: np.ndarray, detected: np.ndarray, width: float) -> np.ndarray | None:
    """The shift and zoom that best explain where things were found, against where they were expected.

    A robust maximum a posteriori estimate, by reweighted least squares with the weights of a Cauchy distribution, so
    that those who move by themselves have little to say; with few objects, or with objects that disagree, nothing is
    said. A stand-in for the picture where there is none.

    Args:
        expected: float [K, 4], xyxy, pixels: objects as predicted.
        detected: float [K, 4]: the same objects as found.
        width: Of the frame, pixels.

    Returns:
        float64 [2, 3], takes expected places to where they should be; None where that is where they are.
    """
    count = len(expected)
    if count < _FEWEST:
        return None
    before, after = (((boxes[:, :2] + boxes[:, 2:]) / 2).T for boxes in (expected, detected))
    surprise = (after - before).reshape(-1)
    sizes = np.sqrt(np.maximum((detected[:, 2:] - detected[:, :2]).prod(axis=1), 1.0))
    variance = np.tile((_STRAY * sizes) ** 2, 2)
    anchor = before.mean(axis=1)
    across = np.repeat([1.0, 0.0], count)
    terms = np.column_stack([(before - anchor[:, None]).reshape(-1), across, 1 - across])  # of zoom and both shifts
    prior = np.diag([_ZOOM**-2, (_SHIFT * width) ** -2, (_SHIFT * width) ** -2])
    motion = np.array([0.0, *np.median((after - before), axis=1)])
    for _ in range(_ROUNDS):
        weights = np.tile(1 / (1 + _strays(surprise - terms @ motion, variance) / 2), 2) / variance
        motion = np.linalg.solve(prior + terms.T @ (terms * weights[:, None]), terms.T @ (weights * surprise))
    costs = [np.log1p(_strays(one, variance) / 2).sum() for one in (surprise, surprise - terms @ motion)]
    if costs[0] - costs[1] < _GAIN:
        return None
    zoom, shift = motion[0], motion[1:]
    return np.column_stack([np.eye(2) * (1 + zoom), shift - zoom * anchor])


def _strays(errors: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Squared distance of each object, in standard deviations, from errors across and down, [2 K]."""
    squares: np.ndarray = (errors**2 / variance).reshape(2, -1).sum(axis=0)
    return squares
