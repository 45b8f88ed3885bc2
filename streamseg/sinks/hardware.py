"""Encoding by the video circuits of an NVIDIA GPU (NVENC), where there are any; not every such GPU has them."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av

from streamseg.errors import UserError

_SPEEDS = {
    "ultrafast": "p1",
    "superfast": "p1",
    "veryfast": "p2",
    "faster": "p3",
    "fast": "p3",
    "medium": "p4",
    "slow": "p5",
    "slower": "p6",
    "veryslow": "p7",
}
"""libx264's presets and what NVENC calls those that go about as far."""


def on_gpu(codec: str, width: int, height: int) -> bool:
    """Whether to encode pictures of this size on the GPU.

    Args:
        codec: ``software``, ``hardware``, or ``auto`` for hardware where it can be used.
        width: Columns, even.
        height: Rows, even.

    Raises:
        UserError: ``hardware``, and there is none that can be used.
    """
    if codec == "software":
        return False
    trouble = _trouble(width, height)
    if trouble is not None and codec == "hardware":
        raise UserError(
            f"--codec hardware: no {width}x{height} video can be encoded on a GPU here ({trouble}); use --codec auto"
        )
    return trouble is None


def options(crf: float, preset: str) -> dict[str, str]:
    """NVENC's options for about the quality and speed that libx264's mean, without B-frames."""
    speed = _SPEEDS.get(preset, "p4")
    return {"preset": speed, "rc": "vbr", "cq": f"{crf:g}", "b": "0", "bf": "0", "rc-lookahead": "0"}


@lru_cache(maxsize=16)
def _trouble(width: int, height: int) -> str | None:
    """Why pictures of this size cannot be encoded on a GPU; None where they can. One is tried."""
    try:
        context = av.CodecContext.create("h264_nvenc", "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
        context.options = options(23, "superfast")
        frame = av.VideoFrame(width, height, "yuv420p")
        frame.pts, frame.time_base = 0, context.time_base
        made = [*context.encode(frame), *context.encode(None)]
    except (av.error.FFmpegError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None if made else "nothing came out"
