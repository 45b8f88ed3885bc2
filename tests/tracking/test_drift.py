"""What all detections move together is the camera's motion; what one of them moves is its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.tracking.drift import common_motion

WIDTH = 640
MIDDLE = np.array([320, 240, 320, 240])


def some_boxes(count: int, seed: int = 0, size: float = 20) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres, halves = rng.uniform([50, 50], [590, 430], (count, 2)), size / 2 * rng.uniform(0.5, 1.5, (count, 2))
    return np.concatenate([centres - halves, centres + halves], axis=1)


def moved(boxes: np.ndarray, shift: tuple[float, float] = (0, 0), zoom: float = 0.0) -> np.ndarray:
    """Boxes after the camera has moved: the picture is zoomed about its middle, and shifted."""
    return (boxes - MIDDLE) * (1 + zoom) + MIDDLE + np.tile(shift, 2)


def centres(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def taken(transform: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    return centres(boxes) @ transform[:, :2].T + transform[:, 2]


@pytest.mark.parametrize("shift", [(8, 0), (0, -6), (-12, 15), (20, 20)])
def test_shifts_in_which_many_agree_are_found(shift: tuple[float, float]) -> None:
    boxes = some_boxes(60)
    transform = common_motion(boxes, moved(boxes, shift), WIDTH)
    assert transform is not None and transform.shape == (2, 3)
    assert taken(transform, boxes) - centres(boxes) == pytest.approx(np.tile(shift, (60, 1)), rel=0.05, abs=0.6)


@pytest.mark.parametrize("count", [8, 20, 100])
@pytest.mark.parametrize(
    ("shift", "zoom"), [((4, 0), 0.0), ((9, -5), 0.0), ((0, 0), 0.01), ((0, 0), -0.01), ((6, 3), 0.01)]
)
def test_never_more_than_what_is_seen_and_more_the_more_agree(
    count: int, shift: tuple[float, float], zoom: float
) -> None:
    """A camera is expected to stay as it is, so that few objects have to be taken with a grain of salt."""
    lengths = []
    for number in (count, 2 * count):
        boxes = some_boxes(number)
        after = moved(boxes, shift, zoom)
        transform = common_motion(boxes, after, WIDTH)
        assert transform is not None
        assert np.array_equal(transform[:, :2], np.eye(2) * transform[0, 0]), "no rotation, no shear"
        before, left = (
            np.linalg.norm(each - centres(after), axis=1) for each in (centres(boxes), taken(transform, boxes))
        )
        assert (transform[0, 0] - 1) * zoom >= 0
        assert abs(transform[0, 0] - 1) <= abs(zoom) + 1e-3
        lengths.append(np.mean(left) / np.mean(before))
    assert 1 > lengths[0] > lengths[1]


@pytest.mark.parametrize("shift", [(0, 0), (9, 5)])
def test_those_who_move_by_themselves_have_little_to_say(shift: tuple[float, float]) -> None:
    boxes, rng = some_boxes(40), np.random.default_rng(1)
    after = moved(boxes, shift)
    after[:12] += np.tile(rng.uniform(20, 60, (12, 2)), 2)
    transform = common_motion(boxes, after, WIDTH)
    found = taken(transform, boxes) - centres(boxes) if transform is not None else np.zeros((40, 2))
    assert found == pytest.approx(np.tile(shift, (40, 1)), abs=1.5)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_objects_say_nothing(count: int) -> None:
    boxes = some_boxes(count)
    assert common_motion(boxes, moved(boxes, (40, 0)), WIDTH) is None


def test_objects_that_disagree_say_nothing() -> None:
    boxes = some_boxes(12)
    angles = np.arange(12) * 2 * np.pi * 5 / 12
    after = boxes + 10 * np.tile(np.column_stack([np.cos(angles), np.sin(angles)]), 2)
    assert common_motion(boxes, after, WIDTH) is None


@given(st.integers(0, 1000), st.integers(4, 30))
@settings(max_examples=30, deadline=None)
def test_what_detectors_are_off_by_is_no_motion(seed: int, count: int) -> None:
    """The noise of a still camera's detections moves nothing by more than that noise."""
    boxes, rng = some_boxes(count, seed), np.random.default_rng(seed)
    after = boxes + rng.normal(0, 1, boxes.shape)
    transform = common_motion(boxes, after, WIDTH)
    if transform is not None:
        assert np.abs(taken(transform, boxes) - centres(boxes)).max() < 1.5
    assert common_motion(boxes, boxes, WIDTH) is None


@given(st.integers(0, 1000), st.integers(4, 30))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_objects_does_not_matter(seed: int, count: int) -> None:
    boxes, rng = some_boxes(count, seed), np.random.default_rng(seed)
    after = moved(boxes, (6, -4), 0.005) + rng.normal(0, 1, boxes.shape)
    order = rng.permutation(count)
    first, second = common_motion(boxes, after, WIDTH), common_motion(boxes[order], after[order], WIDTH)
    assert first is not None and second is not None
    assert first == pytest.approx(second, rel=1e-9, abs=1e-9)


def test_boxes_without_area_break_nothing() -> None:
    boxes = some_boxes(20)
    boxes[:3, 2:] = boxes[:3, :2]
    boxes[3] = boxes[3, [2, 3, 0, 1]]
    transform = common_motion(boxes, moved(boxes, (6, 0)), WIDTH)
    assert transform is not None and np.isfinite(transform).all()
    assert common_motion(np.repeat(boxes[:1], 6, axis=0), np.repeat(boxes[:1], 6, axis=0), WIDTH) is None
