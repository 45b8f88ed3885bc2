"""A decoded picture of any pixel format, as upright planes or RGB."""

from __future__ import annotations

import cv2  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
from dataclasses import replace
from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from streamseg.planes import BT709, FULL_CHROMA_ACCURATE_BILINEAR, MATRICES, Colours, Picture, Planes

LIMITED, FULL = 1, 2
_UNSPECIFIED = 2

# Of video that does not say, by its matrix: primaries and transfer (ITU-T H.273) that usually go with it.
_USUAL = {1: (1, 1), 4: (4, 6), 5: (5, 6), 6: (6, 6), 7: (7, 7), 9: (9, 14), 10: (9, 14)}


def colours(frame: av.VideoFrame) -> Colours | None:
    """What the numbers of a decoded frame mean: as tagged, else as players take it; None for RGB.

    Untagged video is BT.709 from 1280 columns or 577 rows on, else BT.601.
    """
    if frame.format.is_rgb or frame.format.name.startswith("pal"):
        return None
    matrix = int(frame.colorspace)
    if matrix not in MATRICES:
        matrix = 1 if frame.width >= 1280 or frame.height > 576 else 6
    tagged = int(frame.color_primaries), int(frame.color_trc)
    primaries, transfer = (
        usual if tag in (0, _UNSPECIFIED) else tag for tag, usual in zip(tagged, _USUAL[matrix], strict=True)
    )
    return Colours(matrix, primaries, transfer, has_full_range(frame))


def matrix(frame: av.VideoFrame) -> int:
    """The YCbCr matrix of a frame as swscale numbers it; BT.709 for RGB."""
    meant = colours(frame)
    return MATRICES[meant.matrix] if meant is not None else BT709


def has_full_range(frame: av.VideoFrame) -> bool:
    """Whether luma runs from 0 to 255: as tagged; untagged only for formats that are full by their nature."""
    if int(frame.color_range) in (LIMITED, FULL):
        return int(frame.color_range) == FULL
    return frame.format.name.startswith(("yuvj", "gray", "ya"))


def to_picture(frame: av.VideoFrame, reformatter: VideoReformatter, orientation: Orientation) -> Picture:
    """Turn a decoded frame upright: as planes where it is 8-bit 4:2:0, which costs a copy, else as RGB.

    Args:
        frame: As the decoder gave it.
        reformatter: Kept from frame to frame, since it holds a conversion's tables.
        orientation: How the frame lies.
    """
    planes = _planes(frame) if orientation.keeps_chroma(frame.height, frame.width) else None
    if planes is None:
        return orientation.apply(to_rgb(frame, reformatter))
    return replace(planes, y=orientation.apply(planes.y), u=orientation.apply(planes.u), v=orientation.apply(planes.v))


def _planes(frame: av.VideoFrame) -> Planes | None:
    """A copy of the planes of 8-bit 4:2:0 video; None for any other format."""
    chroma = (-(-frame.height // 2), -(-frame.width // 2))
    y: np.ndarray
    if frame.format.name in ("yuv420p", "yuvj420p"):
        y = _rows(frame.planes[0], frame.height, frame.width)
        u, v = (_rows(plane, *chroma) for plane in frame.planes[1:])
    elif frame.format.name == "nv12":
        y = _rows(frame.planes[0], frame.height, frame.width)
        u, v = cv2.split(_rows(frame.planes[1], chroma[0], 2 * chroma[1]).reshape(*chroma, 2))
    else:
        return None
    return Planes(y, u, v, matrix(frame), has_full_range(frame))


def _rows(plane: Any, rows: int, columns: int) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:rows, :columns].copy()


def to_rgb(frame: av.VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """Convert a decoded frame of any pixel format.

    Args:
        frame: As the decoder gave it.
        reformatter: Kept from frame to frame, since it holds the conversion's tables.

    Returns:
        uint8 [H, W, 3] RGB, C-contiguous, as stored (not rotated). High dynamic range is not tone-mapped.
    """
    number = matrix(frame)
    full = has_full_range(frame)
    converted = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=number,
        dst_colorspace=number,
        src_color_range=FULL if full else LIMITED,
        dst_color_range=FULL,
        interpolation=FULL_CHROMA_ACCURATE_BILINEAR,
    )
    image: np.ndarray = converted.to_ndarray()
    if not full and frame.format.name.startswith(("gray", "ya")):
        image = cv2.LUT(image, _stretch())  # swscale takes every gray for full range
    return np.ascontiguousarray(image)


@lru_cache(maxsize=1)
def _stretch() -> np.ndarray:
    levels = (np.arange(256) - 16) * (255 / 219)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


class Orientation:
    """One of the eight ways a picture can lie: perhaps transposed, then perhaps mirrored each way."""

    def __init__(self, transposed: bool = False, mirrored: bool = False, flipped: bool = False) -> None:
        self.transposed = transposed
        self.mirrored = mirrored
        self.flipped = flipped

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Orientation:
        """Read the display matrix that the container carries (ISO/IEC 14496-12, 6.2.2); other angles go to the nearest.

        The matrix takes a stored point (x, y) to (a x + c y, b x + d y).
        """
        data: Any = frame.side_data.get("DISPLAYMATRIX")
        if data is None:
            return cls()
        a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), "=i4")[:5])
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(mirrored=a < 0, flipped=d < 0)
        return cls(transposed=True, mirrored=c < 0, flipped=b < 0)

    def keeps_chroma(self, height: int, width: int) -> bool:
        """Whether chroma samples still cover the same pixels: mirroring an odd side moves them by one."""
        columns, rows = (height, width) if self.transposed else (width, height)
        return not (self.mirrored and columns % 2) and not (self.flipped and rows % 2)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Turn a stored picture [H, W, 3], or a plane [H, W], upright; C-contiguous."""
        if self.transposed:
            image = cv2.transpose(image)
        if self.mirrored or self.flipped:
            image = cv2.flip(image, -1 if self.mirrored and self.flipped else 1 if self.mirrored else 0)
        return image
