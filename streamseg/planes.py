"""A picture as video stores it: luma at full size, two chroma planes at half."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

BT709, BT601 = 1, 5
"""swscale's numbers of the two matrices that most videos have."""

# Weights of red and blue in luma (ITU-T H.273, table 4), by swscale's number of the matrix.
_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}


# ITU-T H.273 matrix coefficients -> swscale's own numbers. BT.470BG and SMPTE 170M are both BT.601.
MATRICES = {1: BT709, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: 9, 10: 9}


@dataclass(frozen=True, slots=True)
class Colours:
    """What the numbers of a video's pixels mean, coded as ITU-T H.273 does.

    Attributes:
        matrix: MatrixCoefficients, one of ``MATRICES``.
        primaries: ColourPrimaries.
        transfer: TransferCharacteristics.
        full_range: Whether luma runs from 0 to 255 rather than from 16 to 235.
    """

    matrix: int = 1
    primaries: int = 1
    transfer: int = 1
    full_range: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A picture in YCbCr 4:2:0 with 8 bits: half the bytes of RGB, and what decoders give and encoders take.

    Attributes:
        y: uint8 [H, W], C-contiguous.
        u: uint8 [ceil(H / 2), ceil(W / 2)], blue-difference chroma, C-contiguous.
        v: Like ``u``, red-difference.
        matrix: swscale's number of the matrix: 1 BT.709, 4 FCC, 5 BT.601, 7 SMPTE 240M, 9 BT.2020.
        full_range: Whether luma runs from 0 to 255 rather than from 16 to 235.
    """

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    matrix: int = BT709
    full_range: bool = False

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.y.shape[0])

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return int(self.y.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    def copy(self) -> Planes:
        """The same picture in memory of its own."""
        return Planes(self.y.copy(), self.u.copy(), self.v.copy(), self.matrix, self.full_range)

    def to_rgb(self) -> np.ndarray:
        """The picture as uint8 [H, W, 3] RGB, C-contiguous, chroma interpolated (by swscale)."""
        import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
        import av
        from av.video.reformatter import VideoReformatter

        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        self.write_into(frame)
        converted = VideoReformatter().reformat(
            frame,
            format="rgb24",
            src_colorspace=self.matrix,
            dst_colorspace=self.matrix,
            src_color_range=2 if self.full_range else 1,
            dst_color_range=2,
            interpolation=FULL_CHROMA_ACCURATE_BILINEAR,
        )
        return np.ascontiguousarray(converted.to_ndarray())

    def write_into(self, frame: Any) -> None:
        """Copy the planes into an ``av.VideoFrame`` of the format yuv420p and of this size."""
        for plane, values in zip(frame.planes, planes_of(self), strict=True):
            rows, columns = values.shape
            np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:rows, :columns] = values

    def to_rgb_matrix(self) -> np.ndarray:
        """What takes (y, u, v, 1) to RGB, all of 0 to 255: float64 [3, 4] (ITU-T H.273, equations 38 to 46)."""
        red, blue = _WEIGHTS[self.matrix]
        green = 1 - red - blue
        by_v, by_u = 2 * (1 - red), 2 * (1 - blue)
        matrix = np.array([[1, 0, by_v], [1, -blue * by_u / green, -red * by_v / green], [1, by_u, 0]])
        scale = np.ones(3) if self.full_range else 255 / np.array([219, 224, 224])
        matrix = matrix * scale
        origin = np.array([0 if self.full_range else 16, 128, 128])
        return np.column_stack([matrix, -matrix @ origin])

    def colour(self, rgb: tuple[int, int, int]) -> tuple[int, int, int]:
        """An RGB colour as this picture writes it: y, u and v, 0 to 255."""
        matrix = self.to_rgb_matrix()
        values = np.linalg.solve(matrix[:, :3], np.array(rgb) - matrix[:, 3])
        y, u, v = np.clip(np.rint(values), 0, 255).astype(int).tolist()
        return y, u, v


Picture = np.ndarray | Planes
"""Pixels: planes, or an array uint8 [H, W, 3] RGB, C-contiguous."""

FULL_CHROMA_ACCURATE_BILINEAR = 0x2002 | 0x40000
"""swscale's flags without which it rounds down twice, so that each generation is one level darker (measured: 1.2)."""


def as_rgb(picture: Picture) -> np.ndarray:
    """The picture as uint8 [H, W, 3] RGB; an array is handed back as it is."""
    return picture.to_rgb() if isinstance(picture, Planes) else picture


def planes_of(picture: Picture) -> tuple[np.ndarray, ...]:
    """The arrays of a picture: its planes y, u and v, or the one array that it is."""
    return (picture.y, picture.u, picture.v) if isinstance(picture, Planes) else (picture,)


def packed_size(picture: Picture) -> int:
    """Bytes of a picture."""
    return sum(array.size for array in planes_of(picture))


def pack(picture: Picture, row: np.ndarray) -> None:
    """Write a picture's bytes one after the other (its planes y, u, v) into ``row``, uint8 [packed_size]."""
    at = 0
    for array in planes_of(picture):
        row[at : at + array.size].reshape(array.shape)[...] = array
        at += array.size


def unpack(row: np.ndarray, like: Picture) -> Picture:
    """The picture of the kind and size of ``like`` whose bytes lie in ``row``, which it goes on using."""
    if not isinstance(like, Planes):
        return row.reshape(like.shape)
    ends = np.cumsum([like.y.size, like.u.size])
    y, u, v = (part.reshape(plane.shape) for part, plane in zip(np.split(row, ends), planes_of(like), strict=True))
    return Planes(y, u, v, like.matrix, like.full_range)
