"""Following objects on one core: a tracker's update, the camera's motion and the objects' looks, each by itself."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from streamseg.benchmark.painting import noise, one_core, some_objects
from streamseg.instances import Instances
from streamseg.planes import Planes
from streamseg.tracking import make_tracker
from streamseg.tracking.appearance import describe
from streamseg.tracking.camera import CameraMotion

COUNTS = (20, 100)
SIZES = ((1280, 720), (1920, 1080))
RATE = 30
_MISSED, _FALSE = 0.05, 0.1  # shares of the objects, per frame
_STRAY = 0.02  # standard deviation of a detected side, sizes of the object
_WARM = 15  # updates that are not counted: tracks are born in them, and cameras found to stand


def measure_following(repeats: int = 120) -> list[dict[str, Any]]:
    """Milliseconds of each part of following, the median, on one core.

    Returns:
        Per part: ``part`` (``"tracker"``: an update without a picture; ``"camera, moving"`` and ``"camera, still"``;
        ``"looks"``; ``"all, camera moving"``: an update with a picture), ``size`` (width, height), ``instances`` in a
        frame, and ``ms``.
    """
    with one_core():
        rows = [_row("tracker", SIZES[0], count, _tracker(count, repeats)) for count in COUNTS]
        rows += [
            _row(f"camera, {state}", size, COUNTS[0], _camera(size, state == "moving", repeats))
            for size in SIZES
            for state in ("moving", "still")
        ]
        rows.append(_row("looks", SIZES[0], COUNTS[0], _looks(repeats)))
        pictures = moving_pictures(*SIZES[0], moving=True)
        rows.append(_row("all, camera moving", SIZES[0], COUNTS[0], _tracker(COUNTS[0], repeats, pictures)))
    return rows


def _row(part: str, size: tuple[int, int], count: int, milliseconds: float) -> dict[str, Any]:
    return {"part": part, "size": list(size), "instances": count, "ms": milliseconds}


def moving_objects(count: int, width: int, height: int, seed: int = 0) -> Iterator[Instances]:
    """Detections frame by frame: each object goes its way and turns at the rim; some are missed, and some are false."""
    rng = np.random.default_rng(seed)
    found = some_objects(count, width, height, seed)
    scale = 1.0 if count <= COUNTS[0] else 0.5
    centre = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]) * scale
    velocity = rng.normal(0, 0.05, (count, 2)) * sides
    while True:
        centre = centre + velocity
        leaving = (centre < 0) & (velocity < 0) | (centre > (width, height)) & (velocity > 0)
        velocity = np.where(leaving, -velocity, velocity)
        boxes = np.concatenate([centre - sides / 2, centre + sides / 2], axis=1)
        boxes = boxes + rng.normal(0, _STRAY, (count, 4)) * np.tile(sides, 2)
        seen = rng.random(count) >= _MISSED
        doubtful = rng.random(count) < _FALSE
        strange = boxes[doubtful] + rng.normal(0, 0.5, (int(doubtful.sum()), 1)) * np.tile(sides[doubtful], 2)
        rows = np.concatenate([np.flatnonzero(seen), np.flatnonzero(doubtful)])
        scores = np.concatenate([1 - 0.5 * rng.random(int(seen.sum())) ** 3, rng.uniform(0.1, 0.6, len(strange))])
        yield replace(
            found[rows],
            boxes=np.concatenate([boxes[seen], strange]).astype(np.float32),
            scores=scores.astype(np.float32),
            ids=np.zeros(len(rows), np.int64),
        )


def moving_pictures(width: int, height: int, moving: bool, count: int = 12) -> list[Planes]:
    """Pictures of a camera that swings to and fro, or stands; with the noise of a sensor."""
    reach, rng = 64, np.random.default_rng(0)
    whole = noise(width + reach, height + reach)
    grain = rng.integers(-3, 4, whole.y.shape, np.int8)
    pictures = []
    for index in range(count):
        away = 2 * round(reach / 4 * (1 - np.cos(2 * np.pi * index / count))) if moving else 0
        rows, columns = slice(away // 2, away // 2 + height), slice(away, away + width)
        dust = np.roll(grain, 37 * index, axis=1)[rows, columns]
        half = slice(away // 4, away // 4 + height // 2), slice(away // 2, away // 2 + width // 2)
        luma = np.clip(whole.y[rows, columns] + dust.astype(np.int16), 0, 255).astype(np.uint8)
        pictures.append(Planes(luma, whole.u[half].copy(), whole.v[half].copy()))
    return pictures


def _tracker(count: int, repeats: int, pictures: Sequence[Planes] = ()) -> float:
    width, height = SIZES[0]
    tracker, detections = make_tracker(), moving_objects(count, width, height)
    frames = [next(detections) for _ in range(_WARM + repeats)]

    def update(index: int) -> object:
        picture = pictures[index % len(pictures)] if pictures else None
        return tracker.update(frames[index], index / RATE, (height, width), picture)

    return _median_ms(update, repeats)


def _camera(size: tuple[int, int], moving: bool, repeats: int) -> float:
    camera, pictures = CameraMotion(), moving_pictures(*size, moving)
    boxes = some_objects(COUNTS[0], *size).boxes / 2  # so that they leave most of the picture free
    return _median_ms(lambda index: camera.update(pictures[index % len(pictures)], boxes), repeats)


def _looks(repeats: int) -> float:
    picture, found = noise(*SIZES[0]), some_objects(COUNTS[0], *SIZES[0])
    return _median_ms(lambda index: describe(picture, found), repeats)


def _median_ms(step: Callable[[int], object], repeats: int) -> float:
    for index in range(_WARM):
        step(index)
    laps = []
    for index in range(_WARM, _WARM + repeats):
        begin = time.perf_counter()
        step(index)
        laps.append(time.perf_counter() - begin)
    return 1000 * statistics.median(laps)
