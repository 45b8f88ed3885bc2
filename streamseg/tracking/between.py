"""Objects of the frames between two updates of a tracker, when both are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamseg.instances import Instances

_NEAR = 0.51  # share of the way up to which an object is shown that is gone at its end; rounding must not matter


def between(before: Instances, after: Instances, share: float, carried: Instances) -> Instances:
    """What is in a frame between two others.

    Objects of both frames are where their boxes and masks, mixed in proportion, say. Those whose identity is gone
    afterwards are carried by their motion over the first half of the way; those without one over all of it. New
    identities begin where they were found. Measured on the sample, this gives a better IDF1 than carrying for the
    whole way, not at all, or new ones backwards.

    Args:
        before: What the tracker said of the frame before.
        after: What it said of the frame after.
        share: How much of the time between those two is over, 0 to 1.
        carried: What it said, before the update with ``after``, of this frame.
    """
    follows = np.flatnonzero((before.ids > 0) & np.isin(before.ids, after.ids))
    places = np.argsort(after.ids)
    leads = places[np.searchsorted(after.ids[places], before.ids[follows])]
    first, last = before[follows], after[leads]
    moving = replace(
        first if share < 0.5 else last,
        boxes=_mixed(first.boxes, last.boxes, share),
        scores=_mixed(first.scores, last.scores, share),
        masks=_mixed(first.masks, last.masks, share),
    )
    gone = ~np.isin(carried.ids, moving.ids)
    return _together(moving, carried[(carried.ids == 0) | gone & (share <= _NEAR)])


def _mixed(first: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    return np.asarray(first + (last - first) * np.float32(share), np.float32)


def _together(first: Instances, second: Instances) -> Instances:
    if not len(first) or not len(second):
        return first if len(first) else second
    return replace(
        first,
        boxes=np.concatenate([first.boxes, second.boxes]),
        scores=np.concatenate([first.scores, second.scores]),
        labels=np.concatenate([first.labels, second.labels]),
        masks=np.concatenate([first.masks, second.masks]),
        ids=np.concatenate([first.ids, second.ids]),
    )
