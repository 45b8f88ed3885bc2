"""A copy of a picture to draw on, RGB or planes, with the few ways to draw that an overlay needs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from streamseg.overlay.palette import SHADE, Colour
from streamseg.planes import Picture, Planes

FONT = cv2.FONT_HERSHEY_SIMPLEX
_FADES = 8  # steps of opacity along a trail
_SHIFT = 3  # binary digits after the point of OpenCV's coordinates


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """The arrays of a picture that share their sampling.

    Attributes:
        arrays: uint8 [h, w] each, or one of uint8 [h, w, 3].
        channels: Which values of a colour each array takes.
        step: Pixels of the picture per row and column of the arrays: 2 for chroma.
    """

    arrays: tuple[np.ndarray, ...]
    channels: tuple[slice, ...]
    step: int

    def values(self, colour: Colour) -> Iterator[tuple[np.ndarray, Any]]:
        """Each array with its part of a colour."""
        return zip(self.arrays, (colour[channels] for channels in self.channels), strict=True)

    def sampled(self, x: int, y: int, shape: np.ndarray) -> np.ndarray:
        """A shape whose first pixel lies at ``x``, ``y``; chroma takes the even rows and columns of the picture."""
        return shape if self.step == 1 else np.ascontiguousarray(shape[y % 2 :: 2, x % 2 :: 2])

    def under(self, x: int, y: int, shape: np.ndarray) -> tuple[slice, slice]:
        """Where the sampled shape lies in the arrays."""
        left, top = -(-x // self.step), -(-y // self.step)
        return slice(top, top + shape.shape[0]), slice(left, left + shape.shape[1])


class Canvas:
    """Draws in RGB colours on whatever a picture is made of. Nothing is drawn outside the picture.

    Args:
        picture: What to draw on.
        copy: Whether to leave it as it is, and draw on a copy.

    Attributes:
        picture: What has been drawn so far, of the kind that was given.
        height: Rows.
        width: Columns.
    """

    def __init__(self, picture: Picture, *, copy: bool = True) -> None:
        self.picture: Picture = picture.copy() if copy else picture
        self.height, self.width = picture.shape[:2]
        self._planes = self.picture if isinstance(self.picture, Planes) else None
        if isinstance(self.picture, Planes):
            luma, chroma = (self.picture.y,), (self.picture.u, self.picture.v)
            self._layers = [_Layer(luma, (slice(0, 1),), 1), _Layer(chroma, (slice(1, 2), slice(2, 3)), 2)]
        else:
            self._layers = [_Layer((self.picture,), (slice(0, 3),), 1)]

    def tint(self, x: int, y: int, inside: np.ndarray, colour: Colour, opacity: float) -> None:
        """Mix a colour into the pixels where ``inside`` is not 0.

        Args:
            x: Column of the picture that ``inside[:, 0]`` lies on; all of ``inside`` lies in the picture.
            y: Row of the picture that ``inside[0]`` lies on.
            inside: uint8 [h, w].
            colour: Red, green, blue.
            opacity: 0 (nothing happens) to 1 (nothing of the picture shows through).
        """
        if opacity <= 0:
            return
        native = self._native(colour)
        for layer in self._layers:
            shape = layer.sampled(x, y, inside)
            if not shape.size:
                continue
            where = layer.under(x, y, shape)
            for array, values in layer.values(native):
                part = array[where]
                if part.ndim == 2:
                    mixed = cv2.convertScaleAbs(part, alpha=1 - opacity, beta=opacity * values[0])
                else:
                    mixed = cv2.transform(part, _mixing(values, opacity))
                cv2.copyTo(mixed, shape, part)

    def outline(self, x: int, y: int, inside: np.ndarray, colour: Colour, line: int) -> None:
        """Draw the border of a shape: ``line`` pixels of the colour inside it, a dark rim outside.

        Args:
            x: As for ``tint``, and so on.
            y: See above.
            inside: uint8 [h, w], 0 or 1.
            colour: Red, green, blue.
            line: Width in pixels.
        """
        rim = 1 + line // 2
        framed = cv2.copyMakeBorder(inside, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=0)
        ring = framed - cv2.erode(framed, _square(line))
        around = cv2.dilate(framed, _square(rim)) - framed
        # The rim may lie outside the picture where the shape does not.
        top, left = max(0, rim - y), max(0, rim - x)
        seen = (slice(top, self.height - y + rim), slice(left, self.width - x + rim))
        for shape, value in ((around, SHADE), (ring, colour)):
            self._fill(x - rim + left, y - rim + top, shape[seen], value)

    def _fill(self, x: int, y: int, inside: np.ndarray, colour: Colour) -> None:
        """Give a shape (uint8 [h, w], 0 or 1) a colour; a dark rim only darkens."""
        native = self._native(colour)
        for layer in self._layers[: 1 if colour == SHADE else None]:
            shape = layer.sampled(x, y, inside)
            where = layer.under(x, y, shape)
            for array, values in layer.values(native):
                part = array[where]
                if not part.size:
                    continue
                if part.ndim == 2:
                    cv2.copyTo(shape * np.uint8(values[0]), shape, part)
                else:
                    part[np.divmod(np.flatnonzero(shape), shape.shape[1])] = values

    def trail(self, points: np.ndarray, colour: Colour, line: int) -> None:
        """Draw a line through points that fades towards its beginning.

        Args:
            points: float [K, 3]: x and y, pixels, and how opaque the line is there, 0 to 1 and not falling; rows that
                are not finite are left out.
            colour: Red, green, blue.
            line: Width in pixels.
        """
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) < 2:
            return
        native = self._native(colour)
        left, top, full = _faded(points, self.height, self.width, line)
        for layer in self._layers:
            opacity = full[: self.height - top, : self.width - left]
            if layer.step == 2 and full.size:  # chroma is covered as much as its four pixels are on average
                opacity = cv2.resize(full, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            places = cv2.findNonZero(opacity)
            if places is None:
                continue
            columns, rows = places.reshape(-1, 2).T
            share = opacity[rows, columns] * np.float32(1 / 255)
            where = rows + top // layer.step, columns + left // layer.step
            for array, values in layer.values(native):
                known = array[where]
                covered = share if known.ndim == 1 else share[:, None]
                array[where] = known + covered * (np.array(values, np.float32) - known) + np.float32(0.5)

    def contours(self, borders: Sequence[np.ndarray], colour: Colour, line: int) -> None:
        """Draw closed lines through points as ``cv2.findContours`` gives them."""
        native = self._native(colour)
        for layer in self._layers:
            points = borders if layer.step == 1 else [border // 2 for border in borders]
            for array, values in layer.values(native):
                cv2.drawContours(array, points, -1, values, -(-line // layer.step), cv2.LINE_AA)

    def rectangle(self, x0: int, y0: int, x1: int, y1: int, colour: Colour, line: int) -> None:
        """Draw a box through its corner pixels."""
        native = self._native(colour)
        for layer in self._layers:
            low, high = (x0 // layer.step, y0 // layer.step), (x1 // layer.step, y1 // layer.step)
            for array, values in layer.values(native):
                cv2.rectangle(array, low, high, values, -(-line // layer.step))

    def plate(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Fill a rectangle with a colour, as far as it lies in the picture."""
        native = self._native(colour)
        for layer in self._layers:
            step = layer.step
            columns = slice(max(x, 0) // step, -(-max(x + width, 0) // step))
            for array, values in layer.values(native):
                array[max(y, 0) // step : -(-max(y + height, 0) // step), columns] = values

    def text(self, words: str, x: int, y: int, scale: float, weight: int, colour: Colour) -> None:
        """Write on the line ``y`` from column ``x`` on, with OpenCV's ``scale`` and stroke ``weight``."""
        native = self._native(colour)
        for layer in self._layers:
            where, strokes = (x // layer.step, y // layer.step), -(-weight // layer.step)
            for array, values in layer.values(native):
                cv2.putText(array, words, where, FONT, scale / layer.step, values, strokes, cv2.LINE_AA)

    def _native(self, colour: Colour) -> Colour:
        return native(self.picture, colour)


def _faded(points: np.ndarray, height: int, width: int, line: int) -> tuple[int, int, np.ndarray]:
    """How opaque a line that fades is, in the part of a picture that it touches.

    Args:
        points: float [K, 3], K from 2: x and y, pixels, and opacity, 0 to 1.
        height: Rows of the picture.
        width: Columns of the picture.
        line: Width in pixels.

    Returns:
        The part's first column and row, and its opacity, uint8 [h, w]; all four are even, so that it may reach one
        pixel beyond the picture.
    """
    limit = 4 * (height + width)  # what lies farther away touches no pixel, and would not fit into OpenCV's coordinates
    places, size = points[:, :2].clip(-limit, limit), np.array([width, height])
    low = (np.floor(places.min(axis=0)).astype(int) - line).clip(0, size) // 2 * 2
    high = -(-(np.ceil(places.max(axis=0)).astype(int) + line + 1).clip(low, size) // 2) * 2
    opacity = np.zeros((high - low)[::-1], np.uint8)
    if opacity.size:
        fixed = np.rint((places - low) * (1 << _SHIFT)).astype(np.int32)
        bounds = [0, *np.searchsorted(points[:, 2], np.arange(1, _FADES) / _FADES).tolist(), len(points)]
        for level, (first, last) in enumerate(itertools.pairwise(bounds), 1):
            if last > first and last > 1:
                stretch = fixed[max(first - 1, 0) : last]
                cv2.polylines(opacity, [stretch], False, 255 * level / _FADES, line, cv2.LINE_AA, _SHIFT)
    return int(low[0]), int(low[1]), opacity


def native(picture: Picture, colour: Colour) -> Colour:
    """A colour as the arrays of a picture hold it: as it is, or y, u and v."""
    if not isinstance(picture, Planes):
        return colour
    return _in_planes(colour, picture.matrix, picture.full_range)


@lru_cache(maxsize=8192)
def _in_planes(colour: Colour, matrix: int, full_range: bool) -> Colour:
    nothing = np.zeros((0, 0), np.uint8)
    return Planes(nothing, nothing, nothing, matrix, full_range).colour(colour)


@lru_cache(maxsize=1024)
def _mixing(colour: Colour, opacity: float) -> np.ndarray:
    """What takes (r, g, b, 1) to its mixture with a colour, float64 [3, 4]."""
    return np.column_stack([np.eye(3) * (1 - opacity), np.array(colour) * opacity])


@lru_cache(maxsize=16)
def _square(reach: int) -> np.ndarray:
    """Of what lies within ``reach`` pixels."""
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
