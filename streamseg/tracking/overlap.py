"""How much boxes and masks cover each other, without pasting masks into a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_SAMPLES = 16  # per side of the common part of two boxes
_STEPS = (np.arange(_SAMPLES) + 0.5) / _SAMPLES


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """N objects as overlaps see them; can be indexed like an array.

    Attributes:
        boxes: float64 [N, 4], xyxy.
        masks: bool [N, M, M], inside the boxes.
        areas: float64 [N], what the masks fill.
    """

    boxes: np.ndarray
    masks: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, boxes: np.ndarray, masks: np.ndarray) -> Shapes:
        """Shapes with their areas."""
        boxes = np.asarray(boxes, np.float64)
        cells = masks.shape[1] * masks.shape[2]
        filled = np.count_nonzero(masks.reshape(len(masks), cells), axis=1) / cells
        return cls(boxes, masks, area(boxes) * filled)

    def __getitem__(self, rows: Any) -> Shapes:
        return Shapes(self.boxes[rows], self.masks[rows], self.areas[rows])


def area(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes, float [N, 4] xyxy, as float [N]; 0 of a box that is turned inside out."""
    return _area(*boxes.T)


def intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What every box shares with every other: of float [N, 4] and float [K, 4], xyxy, float [N, K]."""
    return _shared(first.T[..., None], second.T[:, None])


def over_union(shared: np.ndarray, areas: np.ndarray, other_areas: np.ndarray) -> np.ndarray:
    """Intersection over union from what two things share and what each of them covers; they broadcast; 0 to 1."""
    union = areas + other_areas - shared
    # Things that share all, or more by an estimate, overlap fully; those that share nothing do not, empty or not.
    return np.divide(shared, union, out=(shared > 0).astype(float), where=union > shared)


def box_overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every box with every other.

    Args:
        first: float [N, 4], xyxy.
        second: float [K, 4], xyxy.

    Returns:
        float64 [N, K], 0 to 1.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return over_union(intersection(first, second), area(first)[:, None], area(second))


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
    part = slack[:, None]
    sides, other_sides = _grown(first.T[..., None], part), _grown(second.T[:, None], part)
    return over_union(_shared(sides, other_sides), _area(*sides), _area(*other_sides))


def mask_overlap(first: Shapes, second: Shapes) -> np.ndarray:
    """Intersection over union of K pairs of masks, each given inside its box.

    Args:
        first: K shapes.
        second: K shapes.

    Returns:
        float64 [K], 0 to 1.
    """
    return over_union(mask_intersection(first, second), first.areas, second.areas)


def mask_intersection(first: Shapes, second: Shapes) -> np.ndarray:
    """What K pairs of masks share.

    Both masks of a pair are read at the same grid of points in the common part of their boxes, so the cost does not
    depend on the size of the objects.

    Args:
        first: K shapes.
        second: K shapes.

    Returns:
        float64 [K], square pixels.
    """
    low = np.maximum(first.boxes[:, :2], second.boxes[:, :2])
    extent = np.maximum(np.minimum(first.boxes[:, 2:], second.boxes[:, 2:]) - low, 0)
    points = low[..., None] + extent[..., None] * _STEPS  # [K, x and y, samples]
    both = _read(first, points) & _read(second, points)
    filled = np.count_nonzero(both.reshape(len(both), _SAMPLES**2), axis=1) / _SAMPLES**2
    return np.asarray(filled * (extent[:, 0] * extent[:, 1]))


def covered(shapes: Shapes, rivals: np.ndarray, least: float) -> np.ndarray:
    """Which masks lie inside a rival's: what is seen of two objects does not overlap, however much their boxes do.

    So a mask that shares its place with another is the same object found twice, or a part of it.

    Args:
        shapes: N shapes.
        rivals: bool [N, N], whether the mask of the row may be covered by that of the column.
        least: Share of a mask, above 0, from which it counts as covered by another one.

    Returns:
        bool [N].
    """
    # Masks share no more than their boxes, which settles most pairs without reading them.
    most = intersection(shapes.boxes, shapes.boxes)
    rows, columns = np.nonzero(rivals & (most >= least * shapes.areas[:, None]) & (shapes.areas > 0)[:, None])
    found = np.zeros(len(shapes.areas), bool)
    found[rows[mask_intersection(shapes[rows], shapes[columns]) >= least * shapes.areas[rows]]] = True
    return found


def _read(shapes: Shapes, points: np.ndarray) -> np.ndarray:
    """Each mask at a grid, whose columns and rows are ``points`` [K, x and y, samples]: bool [K, rows, columns]."""
    boxes, cells = shapes.boxes, shapes.masks.shape[1]
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    at = ((points - boxes[:, :2, None]) * (cells / extent[..., None])).astype(np.intp)
    at = np.minimum(np.maximum(at, 0), cells - 1)
    rows = at[:, 1] + np.arange(0, len(at) * cells, cells)[:, None]
    # One flat index is read several times as fast as three that broadcast.
    return shapes.masks.reshape(-1).take(rows[:, :, None] * cells + at[:, None, 0])


def _shared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    left, top = np.maximum(first[:2], second[:2])
    right, bottom = np.minimum(first[2:], second[2:])
    return _area(left, top, right, bottom)


def _area(left: np.ndarray, top: np.ndarray, right: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.maximum(right - left, 0) * np.maximum(bottom - top, 0)


def _grown(sides: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Boxes as [4, ...], grown on each side by ``part`` of their width or height."""
    margin = (sides[2:] - sides[:2]) * part
    return np.concatenate([sides[:2] - margin, sides[2:] + margin])
