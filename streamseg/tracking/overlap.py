"""How much boxes and masks cover each other, without pasting masks into a frame."""

from __future__ import annotations

import numpy as np

_SAMPLES = 16  # per side of the common part of two boxes


def box_overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every box with every other.

    Args:
        first: float [N, 4], xyxy.
        second: float [K, 4], xyxy.

    Returns:
        float64 [N, K], 0 to 1.
    """
    return _over_union(np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None])


def near_overlap(first: np.ndarray, second: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """The same of boxes that are grown first: on each side by a part of their own width or height.

    Growing tells boxes that lie near each other from those far away (C-BIoU: Yang et al., WACV 2023).

    Args:
        first: float [N, 4], xyxy.
        second: float [K, 4], xyxy.
        slack: float [N], the part by which a box of ``first``, and all that it is compared with, is grown.

    Returns:
        float64 [N, K], 0 to 1.
    """
    part = slack[:, None, None]
    return _over_union(_grown(first[:, None], part), _grown(second[None], part))


def mask_overlap(boxes: np.ndarray, masks: np.ndarray, other_boxes: np.ndarray, other_masks: np.ndarray) -> np.ndarray:
    """Intersection over union of K pairs of masks, each given inside its box.

    Both masks of a pair are read at the same grid of points in the common part of their boxes, so the cost does not
    depend on the size of the objects.

    Args:
        boxes: float [K, 4], xyxy.
        masks: bool [K, M, M], inside ``boxes``.
        other_boxes: float [K, 4], xyxy.
        other_masks: bool [K, M, M], inside ``other_boxes``.

    Returns:
        float64 [K], 0 to 1.
    """
    common = _common(boxes, other_boxes)
    extent = np.maximum(common[:, 2:] - common[:, :2], 0)
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    points = common[:, :2, None] + extent[:, :, None] * steps  # [K, x and y, samples]
    both = _read(boxes, masks, points) & _read(other_boxes, other_masks, points)
    shared = both.mean(axis=(1, 2)) * extent.prod(axis=1)
    union = _area(boxes) * masks.mean(axis=(1, 2)) + _area(other_boxes) * other_masks.mean(axis=(1, 2)) - shared
    return np.clip(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), 0, 1)


def _read(boxes: np.ndarray, masks: np.ndarray, points: np.ndarray) -> np.ndarray:
    cells = masks.shape[1]
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    at = ((points - boxes[:, :2, None]) * (cells / extent[:, :, None])).astype(np.intp)
    x, y = np.moveaxis(np.clip(at, 0, cells - 1), 1, 0)
    return masks[np.arange(len(masks))[:, None, None], y[:, :, None], x[:, None, :]]


def _over_union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    common = _common(first, second)
    shared = np.maximum(common[..., 2:] - common[..., :2], 0).prod(axis=-1)
    union = _area(first) + _area(second) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _grown(boxes: np.ndarray, part: np.ndarray) -> np.ndarray:
    margin = (boxes[..., 2:] - boxes[..., :2]) * part
    return np.concatenate([boxes[..., :2] - margin, boxes[..., 2:] + margin], axis=-1)


def _common(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    low = np.maximum(first[..., :2], second[..., :2])
    return np.concatenate([low, np.minimum(first[..., 2:], second[..., 2:])], axis=-1)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1)
