"""Masks in their boxes, turned into pixels, run lengths and outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The pixels of one object inside its box.

    Attributes:
        pixels: bool [h, w]; may be empty where the box lies outside the frame.
        x: Column of the frame that ``pixels[:, 0]`` lies on.
        y: Row of the frame that ``pixels[0]`` lies on.
    """

    pixels: np.ndarray
    x: int
    y: int

    @property
    def inside(self) -> np.ndarray:
        """The same pixels as uint8 [h, w], 1 inside and 0 outside, for OpenCV; not a copy."""
        return self.pixels.view(np.uint8)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Where the patch lies in a full-frame array."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


def paste(mask: np.ndarray, box: np.ndarray, height: int, width: int, pasting: str = "torchvision") -> Patch:
    """Turn the mask of one box into pixels of a frame; see :func:`paste_all`.

    Args:
        mask: float32 [M, M], probabilities inside the box, 0 to 1.
        box: [4], xyxy, pixels.
        height: Rows of the frame.
        width: Columns of the frame.
        pasting: Whose pixels.
    """
    return paste_all(np.asarray(mask)[None], np.asarray(box)[None], height, width, pasting)[0]


def paste_all(
    masks: np.ndarray, boxes: np.ndarray, height: int, width: int, pasting: str = "torchvision"
) -> list[Patch]:
    """Turn the masks of boxes into pixels of a frame, computing only what lies inside box and frame.

    Args:
        masks: float32 [N, M, M], probabilities inside the boxes, 0 to 1.
        boxes: [N, 4], xyxy, pixels; may stick out of the frame or have no area.
        height: Rows of the frame.
        width: Columns of the frame.
        pasting: ``"torchvision"`` for the pixels of ``torchvision.models.detection.roi_heads.paste_masks_in_image``
            above 0.5 (mask padded by one cell, box grown with it and truncated to integers); ``"aligned"`` for those
            of mmdetection and detectron2 at 0.5 or more (sampled at pixel centres of the real-valued box); ``"box"``
            for every pixel whose centre lies in the box, whatever the mask.

    Returns:
        The part of each inside the frame; empty where box and frame share no pixel, or where the box is not finite.

    Raises:
        ValueError: ``pasting`` is none of the three.
    """
    if pasting not in ("torchvision", "aligned", "box"):
        raise ValueError(f"pasting is 'torchvision', 'aligned' or 'box', not {pasting!r}")
    masks, boxes = np.asarray(masks, np.float32), np.asarray(boxes, np.float32)
    if pasting == "box":
        return [_fill(box, height, width) for box in boxes]
    if pasting == "aligned":
        return [_paste_aligned(mask, box, height, width) for mask, box in zip(masks, boxes, strict=True)]
    count, cells = len(masks), masks.shape[1]
    padded = np.zeros((count, cells + 2, cells + 2), np.float32)
    padded[:, 1:-1, 1:-1] = masks
    with np.errstate(all="ignore"):  # of boxes that are not finite
        centre, half = (boxes[:, 2:] + boxes[:, :2]) * _HALF, (boxes[:, 2:] - boxes[:, :2]) * _HALF
        half *= np.float32((cells + 2) / cells)
        corners = np.concatenate([centre - half, centre + half], axis=1).tolist()
    return [_paste_truncated(mask, corner, height, width) for mask, corner in zip(padded, corners, strict=True)]


def _fill(box: np.ndarray, height: int, width: int) -> Patch:
    """The pixels of a frame whose centres lie in a box."""
    if not np.isfinite(box).all():
        return _EMPTY
    x0, y0, x1, y1 = np.ceil(np.clip(box, 0, (width, height, width, height)) - 0.5).astype(int).tolist()
    return Patch(np.ones((y1 - y0, x1 - x0), bool), x0, y0) if x1 > x0 and y1 > y0 else _EMPTY


def _paste_truncated(mask: np.ndarray, corners: list[float], height: int, width: int) -> Patch:
    """The pixels of a padded mask in its grown box."""
    if not all(map(math.isfinite, corners)):
        return _EMPTY
    # Whole numbers as Python has them: a box far outside must not wrap around.
    left, top, right, bottom = map(int, corners)
    right, bottom = right + 1, bottom + 1
    x0, x1, y0, y1 = max(left, 0), min(right, width), max(top, 0), min(bottom, height)
    if x0 >= x1 or y0 >= y1:
        return _EMPTY
    window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    return Patch(_resize_above_half(mask, bottom - top, right - left, window), x0, y0)


def _resize_above_half(mask: np.ndarray, rows: int, columns: int, window: tuple[slice, slice]) -> np.ndarray:
    """A window of ``mask`` resized to [rows, columns] as ``torch.nn.functional.interpolate`` does it, above 0.5.

    OpenCV is several times faster but rounds otherwise in the last bits. Pixels where that could matter are computed
    again with torch's own coordinates, and only if they are still too close to call is torch itself asked: its threads
    would wait for those of the network, which runs at the same time.
    """
    import cv2

    down, across = window
    if rows * columns <= 2 * (down.stop - down.start) * (across.stop - across.start):
        values = cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_LINEAR)[window]
    else:
        y, x = (np.arange(part.start, part.stop) for part in window)
        values = _sample(mask, rows, columns, y[:, None], x)
    above, surely = values > _LOW, values > _HIGH
    if cv2.countNonZero(above.view(np.uint8)) == cv2.countNonZero(surely.view(np.uint8)):
        return above
    doubtful = np.flatnonzero(above != surely)
    y, x = np.divmod(doubtful, above.shape[1])
    again = _sample(mask, rows, columns, y + down.start, x + across.start)
    above.reshape(-1)[doubtful] = again > _HALF
    if (np.abs(again - _HALF) > _TORCH_ROUNDING).all() or rows * columns > _LARGEST_RESIZED:
        return above
    import torch

    source = torch.from_numpy(mask)[None, None]
    resized = torch.nn.functional.interpolate(source, size=(rows, columns), mode="bilinear", align_corners=False)
    return resized[0, 0].numpy()[window] > _HALF


def _sample(mask: np.ndarray, rows: int, columns: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Pixels at ``y``, ``x`` (which broadcast) of ``mask`` resized to [rows, columns], float32."""
    top, bottom, low = _taps(rows, mask.shape[0], y)
    left, right, far = _taps(columns, mask.shape[1], x)
    upper = mask[top, left] * (1 - far) + mask[top, right] * far
    lower = mask[bottom, left] * (1 - far) + mask[bottom, right] * far
    return upper * (1 - low) + lower * low


def _taps(count: int, cells: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For samples ``at`` of ``count`` over ``cells`` cells: the two neighbours of each, and the second's weight.

    In float32 step by step, as torch computes them (area_pixel_compute_source_index in ATen/native/UpSample.h).
    """
    place = (at.astype(np.float32) + _HALF) * (np.float32(cells) / np.float32(count)) - _HALF
    place = np.maximum(place, np.float32(0))
    first = np.minimum(place.astype(np.intp), cells - 1)
    return first, np.minimum(first + 1, cells - 1), np.minimum(place - first.astype(np.float32), np.float32(1))


def _paste_aligned(mask: np.ndarray, box: np.ndarray, height: int, width: int) -> Patch:
    if not np.isfinite(box).all():
        return _EMPTY
    across, x = _centres_inside(box[0], box[2], width, mask.shape[1])
    down, y = _centres_inside(box[1], box[3], height, mask.shape[0])
    if not len(across) or not len(down):
        return _EMPTY
    return Patch(down @ mask @ across.T >= np.float32(0.5), x, y)


def _centres_inside(low: float, high: float, size: int, cells: int) -> tuple[np.ndarray, int]:
    """Bilinear weights [K, cells] of the pixel centres between ``low`` and ``high``, and the first one's position.

    Outside the box the mask fades from its edge to zero within half a cell, so it is below 0.5 there.
    """
    low, high = float(low), float(high)
    first, last = max(int(np.ceil(low - 0.5)), 0), min(int(np.floor(high - 0.5)), size - 1)
    if high <= low or last < first:
        return np.zeros((0, cells), np.float32), 0
    at = (np.arange(first, last + 1) + 0.5 - low) * (cells / (high - low)) - 0.5
    return np.maximum(1 - np.abs(at[:, None] - np.arange(cells)), 0).astype(np.float32), first


def encode(patch: Patch, height: int, width: int) -> dict[str, Any]:
    """Compress a patch into COCO run lengths of the whole frame, without ever making the whole frame.

    Returns:
        ``{"size": [height, width], "counts": str}``, the text that pycocotools makes from the full mask.
    """
    import cv2
    from pycocotools import mask as coco

    size, edges = [int(height), int(width)], np.zeros(0, np.intp)
    if patch.pixels.size:
        # COCO counts down the columns. Every column of the patch starts and ends with background, so edges come in
        # pairs.
        framed = cv2.transpose(cv2.copyMakeBorder(patch.inside, 1, 1, 0, 0, cv2.BORDER_CONSTANT, value=0))
        places = framed.shape[1] - 1
        edges = np.flatnonzero(framed[:, 1:] != framed[:, :-1])
        edges += edges // places * (height - places) + patch.x * height + patch.y
        if places > height:
            # A run that reaches the bottom goes on in the next column if that one starts at the top: two edges at one
            # place.
            same = np.flatnonzero(edges[1:] == edges[:-1])
            edges = np.delete(edges, np.concatenate([same, same + 1]))
    bounds = np.zeros(len(edges) + 2, np.intp)
    bounds[1:-1], bounds[-1] = edges, height * width
    counts = bounds[1:] - bounds[:-1]
    if len(counts) > 1 and counts[-1] == 0:  # the mask ends with the frame: COCO has no empty run there
        counts = counts[:-1]
    packed = coco.frPyObjects({"size": size, "counts": counts}, *size)
    return {"size": size, "counts": packed["counts"].decode("ascii")}


def decode(rle: dict[str, Any]) -> np.ndarray:
    """Unpack COCO compressed run lengths into a full-frame mask, bool [height, width]."""
    from pycocotools import mask as coco

    return coco.decode(rle).astype(bool)


def outlines(patch: Patch) -> list[np.ndarray]:
    """Outer borders of a patch: float32 [K, 2] xy through the centres of the border pixels, pixels of the frame.

    One outline per connected part (8 neighbours), K from 1 (a single pixel); nothing for holes.
    """
    import cv2

    if not patch.pixels.any():
        return []
    found, _ = cv2.findContours(patch.inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(patch.x, patch.y))
    return [points.reshape(-1, 2).astype(np.float32) for points in found]


_EMPTY = Patch(np.zeros((0, 0), bool), 0, 0)
_HALF = np.float32(0.5)
_OPENCV_ROUNDING = np.float32(2e-5)  # more than float32 leaves open between two ways to sample a mask of some 30 cells
_LOW, _HIGH = _HALF - _OPENCV_ROUNDING, _HALF + _OPENCV_ROUNDING
_TORCH_ROUNDING = 3e-6  # the same where only the order of operations, or fused ones, may differ
_LARGEST_RESIZED = 1 << 26  # pixels (256 MB) beyond which a tie may fall either way rather than cost the memory
