"""Images: one, a folder of them, or those that a glob matches."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.sources.depth import eight_bits
from streamseg.sources.paths import find_images, find_videos, is_pattern
from streamseg.sources.quiet import quiet_opencv

TIME_BASE = Fraction(1, 25)  # images have no time of their own: as a video they run at 25 per second
UNREADABLE = "unreadable images"


def open_images(spec: str) -> ImageSource:
    """Open an image file, the images of a folder, or those that a glob matches.

    Raises:
        UserError: There is no image that can be read.
    """
    if not (Path(spec).is_dir() or is_pattern(spec)):
        return ImageSource([Path(spec)], Path(spec).name)
    images = find_images(spec)
    if not images:
        hint = "its videos are sources of their own; name one" if find_videos(spec) else "check the path"
        raise UserError(f"{spec}: no image in this folder; {hint}")
    return ImageSource(images, Path(os.path.abspath(spec)).name)


class ImageSource:
    """A sequence of images, each at its own size, turned upright as EXIF says.

    Grey, 16-bit (:func:`streamseg.sources.depth.eight_bits`) and CMYK images become 8-bit RGB; transparency is dropped.
    ``pts`` is the image's place in ``files`` with a time base of 1/25, so an image that cannot be read leaves a gap.

    Args:
        files: The images in order.
        name: What the user sees.

    Raises:
        UserError: Not one of the images can be read.
    """

    def __init__(self, files: Sequence[Path], name: str) -> None:
        self.losses: Counter[str] = Counter()
        self.notes: list[str] = []
        self._closed = threading.Event()
        self._files = [Path(os.path.abspath(file)) for file in files]
        self._frames = self._read(name)
        self._first = next(self._frames, None)
        if self._first is None:
            raise UserError(_why_not(files))
        self.info = StreamInfo(
            name=name,
            width=self._first.width,
            height=self._first.height,
            time_base=TIME_BASE,
            rate=1 / TIME_BASE,
            frames=len(self._files),
            duration=float(len(self._files) * TIME_BASE),
            files=tuple(self._files),
        )

    def __iter__(self) -> Iterator[Frame]:
        """Yield the images in order, one pass only."""
        first, self._first = self._first, None
        if first is not None and not self._closed.is_set():
            yield first
        yield from self._frames

    def begin_at(self, index: int, seconds: Fraction, is_it: Callable[[Frame], bool]) -> None:
        """Begin with a later image, see :class:`streamseg.sources.base.Seekable`."""
        place = round(seconds / TIME_BASE)
        frames = self._read(self.info.name, place, index)
        first = next(frames, None)
        if first is not None and is_it(first):
            self._first, self._frames = first, frames

    def close(self) -> None:
        """End the sequence; may be called twice and from another thread."""
        self._closed.set()

    def _read(self, name: str, start: int = 0, index: int = 0) -> Iterator[Frame]:
        """The images from a place on, the first of which has the given index."""
        for place, file in enumerate(self._files[start:], start):
            if self._closed.is_set():
                return
            image = read_image(file)
            if image is None:
                self.losses[UNREADABLE] += 1
                continue
            yield Frame(image, index, place, TIME_BASE, name, duration=1)
            index += 1


def read_image(file: Path) -> np.ndarray | None:
    """Read one image as uint8 [H, W, 3] RGB; None where it cannot be read, or has neither 8 nor 16 bits."""
    try:
        # Through the bytes, since OpenCV's own opening fails on some names on Windows.
        data = np.frombuffer(file.read_bytes(), np.uint8)
        with quiet_opencv():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if len(data) else None
        return None if image is None else cv2.cvtColor(eight_bits(image), cv2.COLOR_BGR2RGB)
    except (OSError, cv2.error, ValueError):
        return None


def _why_not(files: Sequence[Path]) -> str:
    if len(files) > 1:
        return f"{files[0].parent}: none of its {len(files)} images can be read; check one in a viewer"
    try:
        empty = not files[0].read_bytes()
    except OSError as error:
        return f"{files[0]}: cannot be read ({error.strerror}); check the path and its permissions"
    return f"{files[0]}: {'the file is empty' if empty else 'not an image that OpenCV can read'}; check it in a viewer"
