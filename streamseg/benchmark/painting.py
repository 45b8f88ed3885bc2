"""The overlay on one core: the same objects drawn by streamseg, by torchvision and by supervision."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import torch

from streamseg.benchmark import peers
from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay.painter import Painter
from streamseg.planes import Planes

SIZES = ((1280, 720), (1920, 1080))
COUNT = 20
FEWEST, SECONDS = 3, 1.0
"""How often, and how long, a way to draw is tried at least and at most."""
_NAMES = ("person", "vehicle", "cycle")


def some_objects(count: int, width: int, height: int, seed: int = 0) -> Instances:
    """Objects of mixed sizes, 40 to 350 pixels wide on a picture 720 high, with soft elliptical masks."""
    rng = np.random.default_rng(seed)
    scale = height / 720
    sides = rng.uniform(40, 350, count) * scale
    heights = np.minimum(sides * rng.uniform(0.6, 1.8, count), 0.9 * height)
    left, top = rng.uniform(0, width - sides), rng.uniform(0, height - heights)
    down, across = np.mgrid[-1:1:28j, -1:1:28j]
    soft = 1 / (1 + np.exp(8 * (np.hypot(down, across) - 0.85)))
    return Instances(
        boxes=np.stack([left, top, left + sides, top + heights], 1).astype(np.float32),
        scores=rng.uniform(0.5, 1, count).astype(np.float32),
        labels=rng.integers(0, len(_NAMES), count),
        masks=np.repeat(soft[None], count, 0).astype(np.float32),
        ids=np.arange(1, count + 1),
        class_names=_NAMES,
    )


def noise(width: int, height: int) -> Planes:
    """A picture of smooth noise, as a decoder gives it."""
    rng = np.random.default_rng(0)

    def plane(columns: int, rows: int) -> np.ndarray:
        return cv2.resize(rng.integers(16, 235, (rows // 16, columns // 16), np.uint8), (columns, rows))

    return Planes(plane(width, height), plane(width // 2, height // 2), plane(width // 2, height // 2))


def measure_painting(repeats: int = 50) -> list[dict[str, Any]]:
    """Milliseconds for :data:`COUNT` objects with outlines and labels, the median, on one core.

    Returns:
        Per picture size: ``size``, ``instances``, and in ``ms`` the ways to draw: ``streamseg_planes`` (4:2:0 video),
        ``streamseg_rgb``, ``torchvision`` (pasting and drawing), ``supervision`` (drawing alone, of masks that are
        pasted already; None where it is not installed).
    """
    with one_core():
        return [_painted(*size, repeats) for size in SIZES]


def _painted(width: int, height: int, repeats: int) -> dict[str, Any]:
    found, planes = some_objects(COUNT, width, height), noise(width, height)
    picture = planes.to_rgb()
    painter = Painter()

    def ours(pixels: Any) -> Callable[[], object]:
        frame = Frame(pixels, 0, 0, Fraction(1, 30))
        return lambda: painter.paint(frame, found)

    ways: dict[str, Callable[[], object] | None] = {
        "streamseg_planes": ours(planes),
        "streamseg_rgb": ours(picture),
        "torchvision": peers.torchvision_way(picture, found),
        "supervision": peers.supervision_way(picture, found),
    }
    return {
        "size": [width, height],
        "instances": COUNT,
        "ms": {name: _median_ms(way, repeats) if way is not None else None for name, way in ways.items()},
    }


def _median_ms(draw: Callable[[], object], repeats: int) -> float:
    draw()
    laps: list[float] = []
    while len(laps) < min(repeats, FEWEST) or (len(laps) < repeats and sum(laps) < SECONDS):
        begin = time.perf_counter()
        draw()
        laps.append(time.perf_counter() - begin)
    return 1000 * statistics.median(laps)


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Inside ``with``, OpenCV and torch work in the calling thread alone."""
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])
