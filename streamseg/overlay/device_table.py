"""What the painting kernels are told of a frame's objects: where their patches lie and how masks fill them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from streamseg.instances import Instances
from streamseg.overlay.device_triton import COLUMNS, TILE
from streamseg.overlay.palette import Colour

MOST_PIXELS = 1 << 28
"""Of all patches that are pasted at once; a hundred objects as large as an 8K frame would be three billion."""


class Group(NamedTuple):
    """Objects that are pasted at once, in the order of painting.

    Attributes:
        table: int32 [N, COLUMNS], see :mod:`streamseg.overlay.device_triton`.
        owners: int32 [T], the object of each tile of the patches.
        masks: float32 [N, M, M].
        pixels: How many the patches have together.
    """

    table: np.ndarray
    owners: np.ndarray
    masks: np.ndarray
    pixels: int


def groups(
    instances: Instances, order: Sequence[int], colours: Sequence[Colour], shape: tuple[int, int]
) -> Iterator[Group]:
    """The objects that have pixels in a frame of ``shape`` (rows, columns), in ``order``; colours as the picture's."""
    chosen = np.asarray(order, np.intp)
    boxes, cells = instances.boxes[chosen], instances.masks.shape[1]
    placed = _truncated if instances.pasting == "torchvision" else _aligned
    ways = [placed(boxes[:, axis], boxes[:, axis + 2], shape[1 - axis], cells) for axis in (0, 1)]
    (x, width, from_x, by_x), (y, height, from_y, by_y) = ways
    there = (width > 0) & (height > 0)
    area = np.where(there, width * height, 0)
    part = np.cumsum(area) // MOST_PIXELS
    table = np.zeros((len(chosen), COLUMNS), np.int32)
    table[:, :4] = np.stack([x, y, width, height], 1)
    table[:, 6:9] = np.asarray(colours, np.int32).reshape(-1, 3)[chosen]
    table[:, 9:13] = np.stack([from_x, from_y, by_x, by_y], 1).astype(np.float32).view(np.int32)
    for number in np.unique(part[there]):
        mine = np.flatnonzero(there & (part == number))
        tiles = -(-width[mine] // TILE) * -(-height[mine] // TILE)
        rows = table[mine]
        rows[:, 4] = np.cumsum(area[mine]) - area[mine]
        rows[:, 5] = np.cumsum(tiles) - tiles
        owners = np.repeat(np.arange(len(mine), dtype=np.int32), tiles)
        yield Group(rows, owners, instances.masks[chosen[mine]].astype(np.float32, copy=False), int(area[mine].sum()))


def _truncated(low: np.ndarray, high: np.ndarray, size: int, cells: int) -> tuple[np.ndarray, ...]:
    """Along one axis, by torchvision's rule: first pixel and number of them, origin, and cells per pixel."""
    with np.errstate(all="ignore"):  # of boxes that are not finite
        half = (high - low) * np.float32(0.5) * np.float32((cells + 2) / cells)
        centre = (high + low) * np.float32(0.5)
        # Beyond these bounds nothing is in any frame.
        first, last = (np.trunc(np.clip(side, -1e9, 1e9).astype(np.float64)) for side in (centre - half, centre + half))
        last = last + 1
        scale = np.float32(cells + 2) / (last - first).astype(np.float32)
        start, count = _within(first, last, size, np.isfinite(centre) & np.isfinite(half))
    return start, count, first, scale


def _aligned(low: np.ndarray, high: np.ndarray, size: int, cells: int) -> tuple[np.ndarray, ...]:
    """The same by the rule that samples at the centres of pixels."""
    low, high = low.astype(np.float64), high.astype(np.float64)
    with np.errstate(all="ignore"):
        known = np.isfinite(low) & np.isfinite(high) & (high > low)
        start, count = _within(np.ceil(low - 0.5), np.floor(high - 0.5) + 1, size, known)
        return start, count, low, cells / (high - low)


def _within(first: np.ndarray, last: np.ndarray, size: int, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of pixels ``first`` up to ``last``: the first of those in the frame, and how many they are; int64."""
    start = np.where(known, np.clip(first, 0, size), 0)
    return start.astype(np.int64), np.where(known, np.clip(last, start, size) - start, 0).astype(np.int64)
