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
    if len(expected) < _FEWEST:
        return None
    before, after = (((boxes[:, :2] + boxes[:, 2:]) / 2).T for boxes in (expected, detected))
    surprise, anchor = after - before, before.mean(axis=1)
    arms = before - anchor[:, None]  # what a zoom moves
    precision = 1 / (_STRAY**2 * np.maximum((detected[:, 2:] - detected[:, :2]).prod(axis=1), 1.0))
    zoom, shift = 0.0, np.median(surprise, axis=1)
    for _ in range(_ROUNDS):
        weights = precision / (1 + _strays(surprise - zoom * arms - shift[:, None], precision) / 2)
        # The normal equations of zoom and shift, solved for the shift first.
        total = weights.sum() + (_SHIFT * width) ** -2
        pull, lever = surprise @ weights, arms @ weights
        zoom = float((arms * surprise).sum(axis=0) @ weights - pull @ lever / total)
        zoom /= float((arms**2).sum(axis=0) @ weights - lever @ lever / total + _ZOOM**-2)
        shift = (pull - zoom * lever) / total
    gain = np.log1p(_strays(surprise, precision) / 2) - np.log1p(
        _strays(surprise - zoom * arms - shift[:, None], precision) / 2
    )
    if gain.sum() < _GAIN:
        return None
    return np.column_stack([np.eye(2) * (1 + zoom), shift - zoom * anchor])


def _strays(errors: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Squared length of each object's error, float [2, K], in standard deviations."""
    squares: np.ndarray = (errors**2).sum(axis=0) * precision
    return squares
