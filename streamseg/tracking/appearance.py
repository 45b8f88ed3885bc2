"""What objects look like: the colours inside their masks, in few numbers."""

from __future__ import annotations

import numpy as np

from streamseg.instances import Instances
from streamseg.planes import BT709, Picture, Planes

_ROWS, _COLUMNS = 20, 10  # points looked at in each box, whatever its size
_PARTS = 2  # upper and lower half
_SMALLEST = 12  # pixels of the longer side of a box; the shorter must have half of it
_FEWEST = 24  # points inside the mask
_FINE = 16  # steps in which chroma and luma are counted, before they are spread over bins
_CHROMA, _LUMA = 7, 8  # bins of each chroma, and of luma
_MOST_CHROMA = 30.0  # levels from grey; what is more colourful counts as that
_CONTRAST = 0.8  # of luma to the object's mean
_DARKEST = 20.0  # levels of luma, to whose contrast noise is limited

LENGTH = _PARTS * (_CHROMA**2 + _LUMA)
"""Numbers that describe a look."""

_EVEN_ODDS, _STEEPNESS = 0.86, 25.0  # of similarities, see ``alike``


def describe(picture: Picture, instances: Instances) -> np.ndarray:
    """The look of each object: how its colours are spread over its upper and its lower half.

    Counted are pairs of chroma, finest around grey, and luma in relation to the object's mean, so that light and shade
    matter less. Only pixels inside the mask count: what stands in front, or behind, does not. Square roots, as in
    Hellinger's distance, keep one large colour from hiding the others. Only a fixed grid of points is looked at, so
    that the time does not depend on the objects' sizes.

    Args:
        picture: The frame's pixels.
        instances: N objects in it.

    Returns:
        float32 [N, LENGTH], unit vectors; zeros where an object is too small, or too little of its mask is in the
        picture.
    """
    count = len(instances)
    if not count:
        return np.zeros((0, LENGTH), np.float32)
    objects, parts, x, y = _inside(instances, *picture.shape[:2])
    luma, blue, red = _colours(picture, x, y)
    points = np.bincount(objects, minlength=count)
    mean = np.bincount(objects, luma, minlength=count) / np.maximum(points, 1) - 16
    contrast = (luma - 16 - mean[objects]) / np.maximum(mean[objects], _DARKEST)
    light = np.clip((contrast / _CONTRAST + 1) * (_FINE / 2), 0, _FINE - 1).astype(np.intp)
    half = objects * _PARTS + parts
    pairs = np.bincount((half * _FINE + _STEP[blue]) * _FINE + _STEP[red], minlength=count * _PARTS * _FINE**2)
    lights = np.bincount(half * _FINE + light, minlength=count * _PARTS * _FINE)
    spread = _TO_CHROMA.T @ pairs.reshape(-1, _FINE, _FINE) @ _TO_CHROMA
    found = np.concatenate(
        [spread.reshape(count, -1), (lights.reshape(-1, _FINE) @ _TO_LUMA).reshape(count, -1)], axis=1
    )
    sides = instances.boxes[:, 2:] - instances.boxes[:, :2]
    known = (points >= _FEWEST) & (sides.max(axis=1) >= _SMALLEST) & (sides.min(axis=1) >= _SMALLEST / 2)
    # The counts of an object add up to twice its points, so that their roots have that as squared length.
    return np.sqrt(found * (known / np.maximum(2 * points, 1))[:, None]).astype(np.float32)


def alike(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How much pairs of objects look like one and the same.

    Args:
        first: float32 [T, D] from :func:`describe`.
        second: float32 [N, D].

    Returns:
        float64 [T, N], 0 to 1: the odds, if one in two pairs of the same class were one object seen a second later;
        0.5 where one of them says nothing.
    """
    likeness = first.astype(np.float64) @ second.T
    told = np.logical_and.outer(first.any(axis=1), second.any(axis=1))
    return np.where(told, 1 / (1 + np.exp(_STEEPNESS * (_EVEN_ODDS - likeness))), 0.5)


def _inside(instances: Instances, height: int, width: int) -> tuple[np.ndarray, ...]:
    """The points of the grid inside mask and picture, int [K] each: object, part of it, and place, x and y."""
    boxes, cells = np.nan_to_num(instances.boxes.astype(np.float64)), instances.masks.shape[1]
    down, across = (np.arange(_ROWS) + 0.5) / _ROWS, (np.arange(_COLUMNS) + 0.5) / _COLUMNS
    y = np.floor(boxes[:, 1, None] + down * (boxes[:, 3] - boxes[:, 1])[:, None])
    x = np.floor(boxes[:, 0, None] + across * (boxes[:, 2] - boxes[:, 0])[:, None])
    masks = instances.masks[:, (down * cells).astype(np.intp)[:, None], (across * cells).astype(np.intp)] > 0.5
    masks &= ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    objects, row, column = np.nonzero(masks)
    return objects, row * _PARTS // _ROWS, x[objects, column].astype(np.intp), y[objects, row].astype(np.intp)


def _colours(picture: Picture, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Luma and both chromas of single pixels, as video has them: 0 to 255 [K] each."""
    if isinstance(picture, Planes):
        return picture.y[y, x].astype(np.float64), picture.u[y // 2, x // 2], picture.v[y // 2, x // 2]
    luma, blue, red = (picture[y, x] @ _TO_PLANES[:, :3].T + _TO_PLANES[:, 3]).T
    return luma, *(np.clip(np.rint(chroma), 0, 255).astype(np.uint8) for chroma in (blue, red))


def _from_rgb() -> np.ndarray:
    """What takes (r, g, b, 1) to y, u and v, all of 0 to 255: float64 [3, 4]."""
    nothing = np.zeros((0, 0), np.uint8)
    matrix = Planes(nothing, nothing, nothing, BT709).to_rgb_matrix()
    inverse = np.linalg.inv(matrix[:, :3])
    return np.column_stack([inverse, -inverse @ matrix[:, 3]])


def _steps() -> np.ndarray:
    """The step, 0 to ``_FINE`` - 1, of each level of chroma: finest around grey, where most clothes and cars are."""
    away = np.arange(256) - 128.0
    root = np.sign(away) * np.sqrt(np.minimum(np.abs(away) / _MOST_CHROMA, 1))
    return np.minimum((root + 1) / 2 * _FINE, _FINE - 1).astype(np.intp)


def _spreading(bins: int) -> np.ndarray:
    """The share of each bin in each step, float64 [_FINE, bins]: linear, so that a little noise changes little."""
    place = (np.arange(_FINE) + 0.5) / _FINE * (bins - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(bins)), 0)


_TO_PLANES, _STEP = _from_rgb(), _steps()
_TO_CHROMA, _TO_LUMA = _spreading(_CHROMA), _spreading(_LUMA)
