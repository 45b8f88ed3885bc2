"""How the camera itself moved from one picture to the next, by what stands still in front of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from streamseg.planes import Picture, Planes
from streamseg.tracking.flow import WINDOW, followed_points
from streamseg.tracking.similarity import FEWEST, similarity
from streamseg.tracking.stateful import Stateful

LONGEST = 480
"""Pixels of the longer side of the small copy that is looked at, at most."""

_SMALLEST = 40  # pixels of its shorter side, below which there is nothing to follow
_SQUARES, _LEAST_CELL = 150, 16  # one point is followed in each of so many squares, of so many pixels at least
_LEAST_EDGE = 5e-5  # smaller eigenvalue of the gradients around a point, of luma from 0 to 1
_SHARE_OF_STRONG = 0.005  # the same in shares of the strongest tenth's
_AGAIN = 5  # updates for which points are followed on, because choosing them costs more than following them
_ENOUGH = 0.6  # share of the points that must be left for that
_STRAY = 1.0  # small pixels beyond which a point counts for little
_LEAST_AGREEING = 0.3  # share of the points followed on which a motion must be agreed
_NARROW = 0.1  # of the picture's diagonal: points closer together tell no zoom and no rotation

_STILL_LOOKS = 10  # after so many in which nothing moved the camera is taken to stand
_STILL = 0.25  # small pixels that the corners of the picture may move meanwhile

_STEEP = 4.0  # levels of luma per small pixel, without which a watched pixel tells nothing
_FEWEST_WATCHED = 24
_MOVED = 0.2  # small pixels by which the camera has moved where it is looked at again

_CUT_FOLLOWED = 0.05  # of the points, at most, can be followed over a cut (measured: 0.02; in a scene, 1 s on, 0.12)
_CUT_ALIKE = 0.8  # correlation of two scenes' light and dark, at most (road before sky: up to 0.7)
_CONTRAST = 4.0  # levels, without which there is no light and dark


@dataclass(slots=True, eq=False)
class CameraMotion(Stateful):
    """The motion of the background between the pictures of one stream: shift, rotation and zoom.

    Points outside of objects, one in each square of a grid, are followed by pyramidal Lucas-Kanade (Bouguet 2000)
    forth and back on a small copy of the picture. A similarity is fitted to them by iteratively reweighted least
    squares, whose weights (of Geman and McClure) leave out what moves by itself. An affine map or a homography brings
    nothing more: things at different distances move differently, which none of them can say. Everything is a function
    of the pictures and boxes alone.

    A camera that has stood still for ten updates is only watched from there on: some hundred pixels at edges are
    compared with what they were. As soon as half of them have changed by what a shift of about a pixel (at 1280x720)
    would do, it is looked at in full again, in the same update. Slow motion adds up until it is noticed.

    Attributes:
        still: Whether the camera is taken to stand still, so that only the watch was asked.
        cut: Whether the last picture shows another scene than the one before: nothing could be followed, and what is
            dark and light lies elsewhere. Tracks should not live on.
    """

    still: bool = field(init=False, default=False)
    cut: bool = field(init=False, default=False)
    _shape: tuple[int, ...] = field(init=False, default=(0, 0))  # of the last picture, if there was one
    _small: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0), np.uint8))
    _points: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 2), np.float32))
    _chosen: int = field(init=False, default=0)  # how many points there were when they were chosen
    _age: int = field(init=False, default=0)  # for how many updates they have been followed
    _looks: int = field(init=False, default=0)  # in which the camera stood still
    _since: np.ndarray = field(init=False, default_factory=lambda: np.eye(3))  # what it moved in them
    _watch: _Watch = field(init=False, default_factory=lambda: _Watch.none())

    def update(self, picture: Picture, boxes: np.ndarray) -> np.ndarray:
        """Compare the next picture with the one before.

        Args:
            picture: The frame's pixels. Where its size is not that of the one before, in proportion, the answer is the
                change of scale.
            boxes: float [N, 4], xyxy, pixels: what is in the picture and may move by itself. Points inside are not
                followed.

        Returns:
            float64 [2, 3], takes a place (x, y, 1) of the picture before, in pixels as boxes have them (0 is the left
            edge of the first pixel), to where it is now. The identity for the first picture, after a cut, where too
            little can be followed (darkness, fog, a picture of less than some 40 pixels), and while the camera stands.
        """
        shape, last = _shape(picture), self._shape
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        self.cut = False
        if last != shape:
            self._forget()
        elif self.still and not self._watch.sees_motion(picture, boxes):
            return np.eye(2, 3)
        factor = _factor(shape)
        small = _small_luma(picture, factor)
        motion, kept = np.eye(2, 3), self._points[:0]
        if last == shape:
            motion, kept = self._compared(small, boxes / factor, factor)
            self._rest(motion, factor, shape)
        elif any(last):
            motion = _rescaled(last, shape)
        self._shape, self._small = shape, small
        self._age += 1
        if self._age >= _AGAIN or len(kept) < max(FEWEST, _ENOUGH * self._chosen):
            kept = _points(small, boxes / factor)
            self._chosen, self._age = len(kept), 0
        self._points = kept
        self._watch = _Watch.of(picture, small, factor) if self.still else _Watch.none()
        return motion

    def check(self) -> None:
        """Raise ValueError where the last picture cannot have been one of its size."""
        some, places = min(self._shape) > 0, self._watch.places
        small = tuple(side // _factor(self._shape) for side in self._shape) if some else (0, 0)
        watched = ((places >= 0) & (places < self._shape[::-1])).all()
        if self._small.shape != small or not watched or not (some or not any(self._shape)):
            raise ValueError("a picture of another size")

    def _forget(self) -> None:
        """Know nothing of pictures of another size."""
        self.still, self._looks, self._since, self._watch = False, 0, np.eye(3), _Watch.none()

    def _compared(self, small: np.ndarray, boxes: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
        """What the camera did between the last small copy and this one, and the points that can be followed on.

        Sets ``cut``. Boxes and points are in small pixels.
        """
        first, second = followed_points(self._small, small, self._points)
        known, followed = len(self._points), len(first)
        outside = ~_inside(second, boxes)
        kept = second[outside].astype(np.float32)
        first, second = (first[outside] + 0.5) * factor, (second[outside] + 0.5) * factor
        reach = float(np.hypot(*small.shape)) * factor
        motion, agreeing = similarity(first, second, _STRAY * factor, _NARROW * reach)
        if agreeing < max(FEWEST, _LEAST_AGREEING * len(first)):
            few = known >= 2 * FEWEST and followed < _CUT_FOLLOWED * known
            self.cut = few and _differ(self._small, small)
            return np.eye(2, 3), kept[:0]
        return motion, kept

    def _rest(self, motion: np.ndarray, factor: int, shape: tuple[int, ...]) -> None:
        """Find out whether the camera stands still."""
        since = np.vstack([motion, [0, 0, 1]]) @ self._since
        height, width = shape[:2]
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
        stands = bool(np.abs(corners @ since[:2].T - corners[:, :2]).max() <= _STILL * factor) and not self.cut
        if stands and len(self._points) >= FEWEST:
            self._looks, self._since = self._looks + 1, since
        else:
            self._looks, self._since = 0, np.eye(3)
        self.still = self._looks >= _STILL_LOOKS


@dataclass(frozen=True, slots=True, eq=False)
class _Watch:
    """K pixels at edges of a picture, that tell whether the camera has moved since.

    Attributes:
        places: int64 [K, 2] xy.
        steep: float32 [K], gradients, levels of luma per small pixel.
        before: float32 [K], luma of the picture, 0 to 255.
    """

    places: np.ndarray
    steep: np.ndarray
    before: np.ndarray

    @classmethod
    def none(cls) -> _Watch:
        """Nothing to watch."""
        return cls(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32))

    @classmethod
    def of(cls, picture: Picture, small: np.ndarray, factor: int) -> _Watch:
        """The best pixels of a picture, of which ``small`` is the small copy."""
        across, down = (cv2.Sobel(small, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
        steepness = np.sqrt(
            across**2 + down**2
        )  # not cv2.magnitude, whose last bits depend on where in memory it writes
        places, steep = _strongest(steepness, _cell(small.shape) // 2)
        good = steep >= max(_STEEP, float(np.median(steep)))
        places = (places[good] * factor + factor // 2).astype(np.int64)
        return cls(places, steep[good], _luma_at(picture, places))

    def sees_motion(self, picture: Picture, boxes: np.ndarray) -> bool:
        """Whether the camera has moved, or may have: too little can be seen."""
        free = ~_inside(self.places, boxes)
        if np.count_nonzero(free) < _FEWEST_WATCHED:
            return True
        change = (_luma_at(picture, self.places) - self.before)[free]
        return bool(np.median(np.abs(change - np.median(change)) / self.steep[free]) > _MOVED)


def _shape(picture: Picture) -> tuple[int, ...]:
    return picture.shape[:2]


def _factor(shape: tuple[int, ...]) -> int:
    """How many pixels of a picture a small copy has as one, on each side."""
    return -(-max(shape) // LONGEST)


def _small_luma(picture: Picture, factor: int) -> np.ndarray:
    """The picture in grey, uint8, each pixel the mean of ``factor`` x ``factor``; what is left over at the end, cut."""
    array = picture.y if isinstance(picture, Planes) else picture
    height, width = (side // factor for side in array.shape[:2])
    if factor > 1 and height and width:
        whole = array[: height * factor, : width * factor]
        array = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return array.copy() if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2GRAY)


def _luma_at(picture: Picture, places: np.ndarray) -> np.ndarray:
    """float32 [K], 0 to 255, at whole places [K, 2] xy."""
    x, y = places.T
    if isinstance(picture, Planes):
        return picture.y[y, x].astype(np.float32)
    return picture[y, x].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def _cell(shape: tuple[int, ...]) -> int:
    """The side of the squares of a small copy, pixels."""
    return max(_LEAST_CELL, round((shape[0] * shape[1] / _SQUARES) ** 0.5))


def _strongest(strength: np.ndarray, cell: int) -> tuple[np.ndarray, np.ndarray]:
    """The strongest pixel of each square of ``cell`` pixels: int [K, 2] xy, and its strength [K]."""
    rows, columns = (side // cell for side in strength.shape)
    squares = strength[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    squares = squares.transpose(0, 2, 1, 3).reshape(rows * columns, cell * cell)
    best = squares.argmax(axis=1)
    square = np.arange(len(squares))
    x, y = square % max(columns, 1) * cell + best % cell, square // max(columns, 1) * cell + best // cell
    return np.stack([x, y], axis=1), squares[square, best]


def _points(small: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Places to follow in a small copy, outside of boxes in its pixels: float32 [K, 2] xy."""
    if min(small.shape) < _SMALLEST:
        return np.zeros((0, 2), np.float32)
    edges = cv2.cornerMinEigenVal(small, 3)  # Shi and Tomasi 1994
    for left, top, right, bottom in _around(boxes, small.shape).tolist():
        edges[top:bottom, left:right] = 0
    rim = WINDOW[0] // 2
    edges[:rim] = edges[-rim:] = edges[:, :rim] = edges[:, -rim:] = 0
    places, strength = _strongest(edges, _cell(small.shape))
    strong = np.sort(strength)[-max(1, len(strength) // 10) :].mean()
    return places[strength >= max(_LEAST_EDGE, _SHARE_OF_STRONG * float(strong))].astype(np.float32)


def _around(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels of boxes and one more on each side, int [N, 4] xyxy, clipped to the picture."""
    height, width = shape
    grown = np.nan_to_num(boxes + np.array([-1, -1, 2, 2]), posinf=1e9, neginf=-1e9)
    return np.clip(grown, 0, [width, height, width, height]).astype(np.intp)


def _inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether each point [K, 2] lies in any box [N, 4]: bool [K]."""
    x, y = points[:, 0, None], points[:, 1, None]
    left, top, right, bottom = boxes.T
    return np.asarray(((x >= left) & (x < right) & (y >= top) & (y < bottom)).any(axis=1))


def _rescaled(last: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """From a picture of one size to the same in another; the identity where the proportions differ."""
    down, across = shape[0] / last[0], shape[1] / last[1]
    if abs(down / across - 1) > 0.02:
        return np.eye(2, 3)
    return np.array([[across, 0.0, 0.0], [0.0, down, 0.0]])


def _differ(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether dark and light lie elsewhere in two small copies; not where one of them has nothing of the kind."""
    coarse = [cv2.resize(one, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float64) for one in (first, second)]
    one, other = (array - array.mean() for array in coarse)
    contrast = float(one.std()), float(other.std())
    return min(contrast) >= _CONTRAST and float((one * other).mean()) < _CUT_ALIKE * contrast[0] * contrast[1]
