"""Boxes that come without masks are steadied by hindsight: less noise, no lag, and the camera may shake."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streamseg.instances import Instances, Pasting
from streamseg.planes import Picture
from streamseg.tracking import make_tracker
from streamseg.tracking.hindsight import Hindsight

SIZE = (480, 640)
RATE = 20
ENDS = 8  # frames at either end of a stream with fewer neighbours than the rest


def seen(boxes: object, pasting: Pasting = "box") -> Instances:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(corners)
    return Instances(
        corners,
        np.full(count, 0.99, np.float32),
        np.zeros(count, np.int64),
        np.ones((count, 28, 28), np.float32),
        np.zeros(count, np.int64),
        ("person",),
        pasting=pasting,
    )


def told(
    stream: Sequence[tuple[float, Instances]], pictures: Sequence[Picture] | None = None, camera: bool = True
) -> list[Instances]:
    hindsight: Hindsight[int] = Hindsight(make_tracker(camera=camera, appearance=False), 1.0)
    results = []
    for number, (time, found) in enumerate(stream):
        picture = pictures[number] if pictures is not None else None
        results += hindsight.update(number, found, time, SIZE if picture is None else picture.shape[:2], picture)
    return [result for _, result in results + hindsight.finish()]


def walker(time: float, speed: float = 60.0, growth: float = 0.0) -> list[float]:
    x, half = 200 + speed * time, 20 * np.exp(growth * time)
    return [x - half, 240 - 2 * half, x + half, 240 + 2 * half]


def first_boxes(results: Sequence[Instances]) -> np.ndarray:
    return np.array([result.boxes[0] for result in results])


def off(boxes: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square, without the ends."""
    return float(np.sqrt(np.mean((boxes - truth)[ENDS:-ENDS] ** 2)))


@pytest.mark.parametrize(("speed", "growth"), [(0.0, 0.0), (90.0, 0.0), (60.0, 0.3)])
def test_there_is_less_noise(speed: float, growth: float) -> None:
    truth = np.array([walker(step / RATE, speed, growth) for step in range(80)])
    noisy = truth + np.random.default_rng(0).normal(0, 1.5, truth.shape)
    results = told([(step / RATE, seen(box)) for step, box in enumerate(noisy)])
    assert off(first_boxes(results), truth) < 0.6 * off(noisy, truth)


@pytest.mark.parametrize(("speed", "growth"), [(0.0, 0.0), (90.0, 0.0), (-40.0, 0.4), (0.0, -0.3)])
def test_there_is_no_lag(speed: float, growth: float) -> None:
    """What moves and grows evenly stays where it was found, from the first frame to the last, at uneven times too."""
    times = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.09, 60)).tolist()
    results = told([(time, seen([walker(time, speed, growth)])) for time in times])
    assert first_boxes(results) == pytest.approx(np.array([walker(time, speed, growth) for time in times]), abs=0.02)


@pytest.mark.parametrize("pasting", ["aligned", "torchvision"])
def test_boxes_with_masks_stay_where_they_were_found(pasting: Pasting) -> None:
    noisy = np.array([walker(step / RATE) for step in range(30)]) + np.random.default_rng(0).normal(0, 2, (30, 4))
    stream = [(step / RATE, seen(box, pasting)) for step, box in enumerate(noisy)]
    for (_, found), result in zip(stream, told(stream), strict=True):
        assert np.array_equal(result.boxes, found.boxes)


def test_boxes_on_no_track_stay_where_they_were_found() -> None:
    low = np.random.default_rng(0).uniform(0, 400, (30, 2))
    boxes = np.concatenate([low, low + 30], axis=1)
    stream = [(60.0 * step, seen(box)) for step, box in enumerate(boxes)]
    for (_, found), result in zip(stream, told(stream), strict=True):
        assert np.array_equal(result.boxes, found.boxes)


def test_what_the_frame_cuts_off_stays_cut_off() -> None:
    """Boxes end where the frame does; sides within it are steadied."""
    noise = np.random.default_rng(0).normal(0, 2, (60, 2))
    truth = np.array([0, 60, 50, 480])
    noisy = np.tile(truth, (60, 1)) + np.column_stack([np.zeros(60), noise, np.zeros(60)])
    boxes = first_boxes(told([(step / RATE, seen(box)) for step, box in enumerate(noisy)]))
    assert np.array_equal(boxes[:, [0, 3]], noisy[:, [0, 3]])
    assert off(boxes[:, 1:3], truth[1:3]) < 0.6 * off(noisy[:, 1:3], truth[1:3])


def shaken(frames: int) -> np.ndarray:
    """How far the camera is off in each frame, pixels: it trembles."""
    return np.random.default_rng(5).normal(0, 3, (frames, 2)).round()


def test_what_shakes_with_the_camera_is_not_smoothed() -> None:
    """One that trembles by itself is detected badly; where all of them do, it is the camera."""
    low = np.random.default_rng(0).uniform([20, 20], [560, 400], (40, 2))
    still = np.concatenate([low, low + np.random.default_rng(1).uniform(15, 30, (40, 2))], axis=1)
    truth = np.array([still + np.tile(offset, 2) for offset in shaken(60)])
    together = told([(step / RATE, seen(boxes)) for step, boxes in enumerate(truth)])
    alone = told([(step / RATE, seen(boxes[:1])) for step, boxes in enumerate(truth)])
    assert off(first_boxes(together), truth[:, 0]) < 0.25 * off(first_boxes(alone), truth[:, 0])


def test_the_picture_tells_how_the_camera_shakes() -> None:
    shake = shaken(50).astype(int)
    scene = np.kron(np.random.default_rng(0).integers(0, 255, (25, 34)).astype(np.uint8), np.ones((12, 12), np.uint8))
    truth = np.array([[150, 100, 180, 160]]) + np.tile(shake, 2)
    stream = [(step / RATE, seen(box)) for step, box in enumerate(truth)]
    views = [scene[20 - down : 260 - down, 20 - right : 340 - right] for right, down in shake]
    pictures = [np.ascontiguousarray(np.repeat(view[..., None], 3, axis=2)) for view in views]
    watched, blind = (first_boxes(told(stream, pictures, camera)) for camera in (True, False))
    assert off(watched, truth) < 0.3 * off(blind, truth)
