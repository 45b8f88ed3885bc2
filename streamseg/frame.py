"""One decoded picture of a stream, and what is known about the stream it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamseg.planes import Colours, Picture, as_rgb


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture in its displayed orientation.

    Attributes:
        pixels: As the source gave them: planes of 8-bit 4:2:0 video, else uint8 [H, W, 3] RGB, C-contiguous.
        index: Position in the source, from 0, counting every frame that the source yielded.
        pts: Presentation time in units of ``time_base``, exactly as the container gave it.
        time_base: Seconds per unit of ``pts``.
        source: Name of the source, without credentials.
        duration: How long the frame is shown, in units of ``time_base``; None where not known.
    """

    pixels: Picture
    index: int
    pts: int
    time_base: Fraction
    source: str = ""
    duration: int | None = None
    _image: np.ndarray | None = field(default=None, init=False, repr=False)

    @property
    def image(self) -> np.ndarray:
        """The picture as uint8 [H, W, 3] RGB, C-contiguous; converted on first use and kept."""
        if self._image is None:
            object.__setattr__(self, "_image", as_rgb(self.pixels))
        assert self._image is not None
        return self._image

    @property
    def seconds(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    @property
    def height(self) -> int:
        """Rows of the image."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the image."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source knows about its stream before the first frame.

    Attributes:
        name: What the user sees: a file name, ``camera 0``, a URL without credentials.
        width: Columns of the displayed frame (after rotation), pixels.
        height: Rows of the displayed frame, pixels.
        time_base: Seconds per unit of a frame's ``pts``.
        live: True where frames come at their own pace and may be dropped, never awaited.
        rate: Average frames per second; None where not known.
        frames: Number of frames, as far as the container tells; None where not known.
        duration: Seconds; None where not known.
        path: The local media file, from which a sink may copy audio; None for anything else.
        sample_aspect_ratio: Width of a pixel over its height, as displayed.
        colours: What the pixels' numbers mean in the file; None for RGB.
        bit_rate: Bits per second of the picture, as far as is known; None where not.
        broadcast: Whether times are those of a clock that starts anywhere, and that players count from the first frame.
        files: The image files, one for each ``pts``, from which a sink may take names; empty for anything else.
    """

    name: str
    width: int
    height: int
    time_base: Fraction
    live: bool = False
    rate: Fraction | None = None
    frames: int | None = None
    duration: float | None = None
    path: Path | None = None
    sample_aspect_ratio: Fraction = Fraction(1)
    colours: Colours | None = None
    bit_rate: int | None = None
    broadcast: bool = False
    files: tuple[Path, ...] = ()
