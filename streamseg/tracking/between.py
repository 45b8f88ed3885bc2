"""Objects of the frames between two updates of a tracker, when both are known."""

from __future__ import annotations

from collections.abc import Sequence
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
        carried: Where the objects of ``before`` would be in this frame if nobody had looked again.
    """
    follows = np.flatnonzero((before.ids > 0) & np.isin(before.ids, after.ids))
    places = np.argsort(after.ids)
    leads = places[np.searchsorted(after.ids[places], before.ids[follows])]
    moving = mixed(before[follows], after[leads], share)
    gone = ~np.isin(carried.ids, moving.ids)
    return together([moving, carried[(carried.ids == 0) | gone & (share <= _NEAR)]])


def onward(before: Instances, last: Instances, ratio: float, size: tuple[int, int]) -> Instances:
    """Where things will be if they go on as they did between two frames.

    Args:
        before: What was in the first.
        last: What was in the second.
        ratio: How much later that is, in times between the two, 0 or more.
        size: Height and width of the frame, pixels.

    Returns:
        The objects of ``last``, boxes clipped to the frame; without those that have left it. Those that were not in
        ``before`` stay where they are.
    """
    places = np.argsort(before.ids)
    both = (last.ids > 0) & np.isin(last.ids, before.ids)
    first = before.boxes[places[np.searchsorted(before.ids[places], last.ids[both])]]
    boxes = last.boxes.copy()
    boxes[both] += (boxes[both] - first) * np.float32(ratio)
    return placed(last, boxes, size)


def placed(instances: Instances, boxes: np.ndarray, size: tuple[int, int]) -> Instances:
    """Objects at other boxes (float32 [N, 4]), clipped to a frame of ``size``; without those outside of it."""
    clipped = boxes.clip(0, np.array(size[::-1] * 2, np.float32))
    return replace(instances, boxes=clipped)[(clipped[:, 2:] - clipped[:, :2] >= 1).all(axis=1)]


def mixed(first: Instances, last: Instances, share: float) -> Instances:
    """N objects on their way from where they were to where they will be, ``share`` (0 to 1) of which is over."""

    def mix(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray(one + (other - one) * np.float32(share), np.float32)

    return replace(
        first if share < 0.5 else last,
        boxes=mix(first.boxes, last.boxes),
        scores=mix(first.scores, last.scores),
        masks=mix(first.masks, last.masks),
    )


def together(parts: Sequence[Instances]) -> Instances:
    """All objects of some parts, in their order; there must be a part."""
    full = [part for part in parts if len(part)]
    if len(full) < 2:
        return full[0] if full else parts[0]
    return replace(
        full[0],
        boxes=np.concatenate([part.boxes for part in full]),
        scores=np.concatenate([part.scores for part in full]),
        labels=np.concatenate([part.labels for part in full]),
        masks=np.concatenate([part.masks for part in full]),
        ids=np.concatenate([part.ids for part in full]),
    )
