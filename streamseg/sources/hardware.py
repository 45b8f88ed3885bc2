"""Decoding by the video circuits of an NVIDIA GPU (NVDEC), where there are any."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av
from av.codec.hwaccel import HWAccel

from streamseg.errors import UserError

FEEDERS = 4
"""Threads that feed the circuits: each holds some of the 32 pictures that these have room for."""

_WITH_PROPERTIES = 18  # PyAV from which a downloaded frame keeps its colours, its rotation and its duration


def accelerator(codec: str) -> HWAccel | None:
    """What ``av.open`` needs to decode on the GPU; None to decode on the CPU.

    Formats that the circuits cannot decode are then decoded on the CPU all the same.

    Args:
        codec: ``software``, ``hardware``, or ``auto`` for hardware where it can be used.

    Raises:
        UserError: ``hardware``, and there is none that can be used.
    """
    if codec == "software":
        return None
    trouble = _trouble()
    if trouble is None:
        return HWAccel("cuda")
    if codec == "hardware":
        raise UserError(f"--codec hardware: no video can be decoded on a GPU here ({trouble}); use --codec auto")
    return None


def feed_sparingly(container: Any) -> None:
    """Give the decoders on the GPU of an open container no more threads than the circuits have room for."""
    for stream in container.streams.video:
        if stream.codec_context is not None and stream.codec_context.is_hwaccel:
            stream.codec_context.thread_count = FEEDERS


@lru_cache(maxsize=1)
def _trouble() -> str | None:
    """Why there is no decoding on a GPU; None where there is. The GPU is tried, which takes a moment."""
    version = int(av.__version__.split(".")[0])
    if version < _WITH_PROPERTIES:
        return f"PyAV {av.__version__} is too old, {_WITH_PROPERTIES} is not"
    try:
        HWAccel("cuda").create(av.Codec("h264", "r"))
    except (av.error.FFmpegError, NotImplementedError, ValueError) as error:
        return f"no CUDA device opens: {getattr(error, 'strerror', None) or error}"
    return None
