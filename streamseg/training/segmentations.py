"""COCO segmentations (polygons, plain or compressed run lengths) as run lengths, checked before anything is decoded.

pycocotools trusts what it is given; run lengths that are too long or cut off, or polygons far outside, make it read or
write where it should not.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

Box = tuple[float, float, float, float]

LONGEST_CODE = 7


def run_lengths(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Run lengths of a segmentation of a picture of ``height`` by ``width`` pixels.

    Returns:
        int64 [R], pixels counted down the columns, background and object by turns; their sum is ``height * width``.

    Raises:
        ValueError: What is wrong with the segmentation.
    """
    if isinstance(segmentation, list) and segmentation:
        return _runs_of_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or not segmentation:
        raise ValueError("it has no mask, and a box alone cannot teach one")
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError("its run lengths have no size [height, width]")
    if list(size) != [height, width]:
        raise ValueError(f"its run lengths are for {size[1]}x{size[0]} pixels, its picture has {width}x{height}")
    runs = _uncompress(counts) if isinstance(counts, (str, bytes)) else _whole_numbers(counts)
    if not len(runs) or runs.min() < 0 or runs.max() > height * width or runs.sum() != height * width:
        raise ValueError("its run lengths are broken: they do not add up to the picture")
    return runs


def decode_segmentation(segmentation: Any, height: int, width: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """A segmentation of a picture of ``height`` by ``width`` pixels as a mask.

    Args:
        segmentation: Polygons or run lengths.
        height: Rows of the picture.
        width: Its columns.
        size: Height and width of the mask, which then has the picture's nearest pixels; neither may be larger than
            the picture's, and by default they are the same.

    Returns:
        uint8 [height, width] or as ``size`` says, 0 or 1.

    Raises:
        ValueError: What is wrong with it.
    """
    runs = run_lengths(segmentation, height, width)
    if size is not None:
        # Runs are thinned before they become pixels: a full mask of a large picture takes long to fill.
        rows, columns = (
            (np.arange(new) * 2 + 1) * old // (2 * new) for new, old in zip(size, (height, width), strict=True)
        )
        ends = np.searchsorted((columns[:, None] * height + rows).ravel(), np.cumsum(runs))
        runs, (height, width) = np.diff(ends, prepend=0), size
    turns = (np.arange(len(runs)) & 1).astype(np.uint8)
    return cv2.transpose(np.repeat(turns, runs).reshape(width, height))


def box_of_runs(runs: np.ndarray, height: int) -> Box | None:
    """The xyxy box around the object in run lengths of a picture of ``height`` pixels; None without any pixel."""
    ends = np.cumsum(runs)
    begins, ends = (ends - runs)[1::2], ends[1::2]
    begins, ends = begins[ends > begins], ends[ends > begins] - 1
    if not len(ends):
        return None
    left, right = int(begins[0]) // height, int(ends[-1]) // height
    if (begins // height != ends // height).any():  # a run that goes on in the next column touches top and bottom
        return left, 0, right + 1, height
    return left, int((begins % height).min()), right + 1, int((ends % height).max()) + 1


def share_inside(box: Box, height: int, width: int) -> float:
    """Which part of an xyxy box lies inside the picture, 0 to 1; each side counts as a pixel at least."""
    share = 1.0
    for low, high, size in ((box[0], box[2], width), (box[1], box[3], height)):
        # A line or point has no extent of its own.
        low, high = (low + high - max(high - low, 1)) / 2, (low + high + max(high - low, 1)) / 2
        share *= max(0.0, min(high, size) - max(low, 0)) / (high - low)
    return share


def _runs_of_polygons(polygons: list[Any], height: int, width: int) -> np.ndarray:
    points = [_points(polygon) for polygon in polygons]
    corners = np.concatenate(points)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    if share_inside((left, top, right, bottom), height, width) < 0.5:
        raise ValueError(
            f"its mask lies outside the picture ({left:.6g} to {right:.6g} across, {top:.6g} to {bottom:.6g} down)"
        )
    parts = coco_mask.frPyObjects([part.ravel().tolist() for part in points], height, width)
    return _uncompress(coco_mask.merge(parts)["counts"])


def _points(polygon: Any) -> np.ndarray:
    """A polygon as float64 [K, 2]."""
    if not isinstance(polygon, list):
        raise ValueError("its polygon is not a list of numbers")
    try:
        values = np.asarray(polygon)
    except ValueError:
        values = np.empty(0, object)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise ValueError("its polygon is not a list of numbers")
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"its polygon has {len(values)} numbers; it takes x and y of three points at least")
    if not np.isfinite(values).all():
        raise ValueError("its polygon has a number that is not finite")
    return values.astype(float).reshape(-1, 2)


def _whole_numbers(counts: Any) -> np.ndarray:
    try:
        runs = np.asarray(counts)
    except ValueError:
        runs = np.empty(0, object)
    if not isinstance(counts, list) or runs.ndim != 1 or runs.dtype.kind != "i":
        raise ValueError("its run lengths are neither whole numbers nor text")
    return runs


def _uncompress(text: str | bytes) -> np.ndarray:
    """Compressed run lengths: 5 bits to a character, from the lowest; the fourth on is told from the last but one.

    The format is that of ``rleToString`` in pycocotools' maskApi.c.
    """
    codes = (
        np.frombuffer(text.encode("latin-1", "replace") if isinstance(text, str) else text, np.uint8).astype(np.int64)
        - 48
    )
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("its compressed run lengths are broken")
    begins = np.flatnonzero(np.concatenate([[True], codes[:-1] & 32 == 0]))
    lengths = np.append(begins[1:], len(codes)) - begins
    if lengths.max() > LONGEST_CODE:
        raise ValueError("its compressed run lengths are broken")
    shifts = 5 * (np.arange(len(codes)) - np.repeat(begins, lengths))
    runs = np.add.reduceat((codes & 31) << shifts, begins)
    last = codes[begins + lengths - 1]
    runs -= np.where(last & 16, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
