"""Draws the regions of a frame on a canvas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from streamseg.overlay.canvas import Canvas
from streamseg.overlay.palette import SHADE, colour_of
from streamseg.overlay.text import Layout, Lettering
from streamseg.regions import Regions

_SMALL = 160  # rows of the map on which places for plates are looked for
_LEAST = 0.0005  # share of the frame below which a part of a region is too small for a plate
_ROOM = 1.5  # widths and heights of a plate that a region must have to carry it
_AROUND = np.array([-1, -1, 1, 1])  # a box on the small map may lack a step on each side


def tint(canvas: Canvas, regions: Regions, opacity: float) -> None:
    """Mix the colour of each region into the picture."""
    for label, inside, x, y in _shapes(np.ascontiguousarray(regions.labels), regions):
        canvas.tint(x, y, inside, colour_of(0, label - 1), opacity)


def outline(canvas: Canvas, regions: Regions, line: int) -> None:
    """Draw the border of each region, ``line`` pixels wide."""
    # Regions go on beyond the frame, so that its edge is not drawn as a border.
    away = line + 2
    labels = cv2.copyMakeBorder(regions.labels, away, away, away, away, cv2.BORDER_REPLICATE)
    borders = []
    for label, inside, x, y in _shapes(labels, regions):
        found, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(x - away, y - away))
        borders.append((found, colour_of(0, label - 1)))
    for found, _ in borders:
        canvas.contours(found, SHADE, line + 2)
    for found, colour in borders:
        canvas.contours(found, colour, line)


def write(canvas: Canvas, regions: Regions, show_names: bool, show_shares: bool) -> None:
    """Put a plate on the largest part of each region."""
    lettering, layout = Lettering.for_height(canvas.height), Layout(canvas.height, canvas.width)
    step = max(1, canvas.height // _SMALL)
    small = np.ascontiguousarray(regions.labels[step // 2 :: step, step // 2 :: step])
    for label, name, share in zip(regions.present, regions.names, regions.shares, strict=True):
        words = [name] * show_names + [f"{100 * share:.0f}%" if share >= 0.005 else "<1%"] * show_shares
        part = _largest_part(small == label)
        if not words or part is None:
            continue
        text = " ".join(words)
        plate, box = lettering.plate(text), (part.box + _AROUND) * step
        if (box[2:] - box[:2] > _ROOM * np.array(plate)).all():
            (x, y), below = part.middle * step, plate[1] // 2
            box = np.array([x - plate[0] // 2, y + below, x + plate[0] // 2, y + below])
        # Plates go above boxes: around the middle of a region that has room for it, else beside a region.
        corner = layout.place(box, plate)
        lettering.write(canvas, text, corner, colour_of(0, int(label) - 1))


def _shapes(labels: np.ndarray, regions: Regions) -> Iterator[tuple[int, np.ndarray, int, int]]:
    """Each region's label, its pixels (uint8 [h, w], 0 or 255) and where in ``labels`` they begin, x and y."""
    for label in regions.present.tolist():
        inside = cv2.inRange(labels, label, label)
        x, y, width, height = cv2.boundingRect(inside)
        yield label, np.ascontiguousarray(inside[y : y + height, x : x + width]), x, y


class _Part(NamedTuple):
    """A connected part of a mask: its box, int [4] xyxy, and a point well inside it, int [2] xy."""

    box: np.ndarray
    middle: np.ndarray


def _largest_part(inside: np.ndarray) -> _Part | None:
    """The largest part of a mask (bool [h, w]); None where it is too small to be named.

    Of the points that are far from its border, the middle is the one nearest to its centre, so that a plate moves
    smoothly when the part does.
    """
    _, parts, statistics, centres = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if not areas.size or areas.max() < _LEAST * inside.size:
        return None
    largest = 1 + int(areas.argmax())
    x, y, width, height = (int(value) for value in statistics[largest][: cv2.CC_STAT_AREA])
    padded = np.pad((parts == largest).view(np.uint8), 1)  # the frame's edge is a border, too
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= 0.6 * depth.max())
    nearest = np.hypot(columns - centres[largest][0], rows - centres[largest][1]).argmin()
    return _Part(np.array([x, y, x + width, y + height]), np.array([columns[nearest], rows[nearest]]))
