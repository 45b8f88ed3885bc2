"""Which score of a model is neutral: half of the detections that have it are right."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

_LEAST, _MOST = 0.55, 0.98  # what a tracker can work with
_ENOUGH = 24  # detections that are right, and as many that are wrong, below which nothing is said
_FROM = 0.1  # scores below are many, and say little of where sureness begins
_SUREST = 6.0  # log odds; what is surer was labelled wrongly, where it is wrong


def neutral_score(scores: np.ndarray, right: np.ndarray) -> float | None:
    """The score of detections of which half are right.

    The log odds of being right are fitted by a line over the log odds of the score (Platt 1999), whose slope is held
    near 1, that of a calibrated model, where few detections say otherwise. A line needs a quarter of the detections
    that isotonic regression needs to tell as much.

    Args:
        scores: Of detections, 0 to 1, float [N].
        right: Whether there is an object, bool [N].

    Returns:
        0.55 to 0.98; None where there are too few detections, or higher scores are not more often right.
    """
    scores, right = np.asarray(scores, np.float64), np.asarray(right, bool)
    scores, right = scores[scores >= _FROM], right[scores >= _FROM]
    if min(right.sum(), (~right).sum()) < _ENOUGH:
        return None
    odds = np.minimum(logit(scores), _SUREST)
    sign = np.where(right, 1.0, -1.0)

    def cost(line: np.ndarray) -> float:
        offset, slope = line
        return float(np.logaddexp(0, -sign * (offset + slope * odds)).sum() + (slope - 1) ** 2 / 2)

    offset, slope = minimize(cost, [0.0, 1.0]).x
    if slope <= 0:
        return None
    return float(np.clip(expit(-offset / slope), _LEAST, _MOST))
