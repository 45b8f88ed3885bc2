"""What a tracker says of frames in which nobody looked for objects."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.instances import Instances
from streamseg.tracking import make_tracker
from streamseg.tracking.between import between, mixed, onward, together
from streamseg.tracking.two_stage import TwoStageTracker

SIZE = (480, 640)


def objects(boxes: list[list[float]], ids: list[int] | None = None, scores: list[float] | float = 0.99) -> Instances:
    count = len(boxes)
    return Instances(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.broadcast_to(np.array(scores, np.float32), (count,)).copy(),
        np.zeros(count, np.int64),
        np.linspace(0.3, 1, 28 * 28, dtype=np.float32).reshape(28, 28)
        * (1 - 0.05 * np.arange(count, dtype=np.float32))[:, None, None],
        np.array(ids if ids is not None else [0] * count, np.int64),
        ("person", "vehicle"),
    )


def walk(seconds: float, speed: float = 60.0, growth: float = 0.0) -> list[float]:
    x, half = 100 + speed * seconds, 20 * np.exp(growth * seconds)
    return [x - half, 200 - 2 * half, x + half, 200 + 2 * half]


def followed(frames: int = 20, rate: float = 10.0, **motion: float) -> TwoStageTracker:
    tracker = TwoStageTracker()
    for step in range(frames):
        tracker.update(objects([walk(step / rate, **motion)]), step / rate, SIZE)
    return tracker


@pytest.mark.parametrize("ahead", [0.0, 0.03, 0.1, 0.4])
@pytest.mark.parametrize(("speed", "growth"), [(60.0, 0.0), (-20.0, 0.3), (0.0, 0.0)])
def test_boxes_go_on_as_they_went(ahead, speed, growth):
    tracker = followed(speed=speed, growth=growth)
    carried = tracker.carry(1.9 + ahead, SIZE)
    assert carried.ids.tolist() == [1]
    assert np.abs(carried.boxes[0] - walk(1.9 + ahead, speed, growth)).max() < 0.3 + 6 * ahead


def test_what_is_carried_is_what_was_last_shown():
    tracker = followed(frames=5)
    shown = tracker.update(objects([walk(0.5), [300, 300, 360, 400]], scores=[0.4, 0.7]), 0.5, SIZE)
    carried = tracker.carry(0.5, SIZE)
    assert shown.ids.tolist() == [1, 0]
    for name in ("ids", "scores", "labels", "masks"):
        assert np.array_equal(getattr(carried, name), getattr(shown, name))
    assert carried.boxes == pytest.approx(shown.boxes, abs=1e-3)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 5), max_size=5), st.integers(0, 1000))
def test_carrying_changes_nothing(times, seed):
    rng = np.random.default_rng(seed)
    tracker = TwoStageTracker()
    for step in range(4):
        corners = rng.uniform(0, 300, (5, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(5, 100, (5, 2))], axis=1).tolist()
        tracker.update(objects(boxes, scores=rng.uniform(0.1, 1, 5).tolist()), step / 10, SIZE)
    other = copy.deepcopy(tracker)
    for ahead in times:
        tracker.carry(0.3 + ahead, SIZE)
    for step in range(4, 7):
        found = objects([walk(step / 10)])
        first, second = (each.update(found, step / 10, SIZE) for each in (tracker, other))
        assert pickle.dumps(first.ids) == pickle.dumps(second.ids)
        ahead = [each.carry(step / 10 + 0.05, SIZE).boxes.tolist() for each in (tracker, other)]
        assert ahead[0] == ahead[1]


def test_boxes_stay_in_the_frame_and_those_that_leave_it_go():
    tracker = followed(speed=250.0)  # at 575 of 640
    inside = tracker.carry(2.15, SIZE)
    assert inside.boxes[0, 2] == SIZE[1] and len(inside.masks) == 1
    assert len(tracker.carry(2.4, SIZE)) == 0


@pytest.mark.parametrize(("pace", "ahead", "there"), [(0.1, 0.9, 1), (0.1, 1.1, 0), (2.0, 3.9, 1), (2.0, 4.1, 0)])
def test_nothing_is_carried_for_ever(pace, ahead, there):
    tracker = followed(frames=3, rate=1 / pace, speed=0.0)
    assert len(tracker.carry(2 * pace + ahead, SIZE)) == there


@pytest.mark.parametrize("name", ["none", "two_stage"])
def test_before_the_first_update_there_is_nothing(name):
    assert len(make_tracker(name).carry(0.0, SIZE)) == 0


def test_without_a_tracker_things_stay_where_they_are():
    tracker = make_tracker("none")
    shown = tracker.update(objects([walk(0)], [4]), 0.0, SIZE)
    assert tracker.carry(0.5, SIZE) is shown and shown.ids.tolist() == [0]


BEFORE = objects([[0, 0, 10, 10], [100, 100, 120, 140], [200, 0, 210, 10]], [3, 7, 0], [0.5, 0.9, 0.6])
AFTER = objects([[110, 100, 130, 150], [300, 300, 310, 310], [8, 0, 18, 10]], [7, 9, 3], [0.8, 0.7, 0.9])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_objects_of_both_ends_are_mixed_in_proportion(share):
    middle = between(BEFORE, AFTER, share, BEFORE)
    assert middle.ids.tolist() == [3, 7, 0]  # the new one, 9, is not there before it was found
    assert middle.boxes[:2] == pytest.approx((1 - share) * BEFORE.boxes[:2] + share * AFTER.boxes[[2, 0]], abs=1e-4)
    assert middle.masks[:2] == pytest.approx((1 - share) * BEFORE.masks[:2] + share * AFTER.masks[[2, 0]], abs=1e-5)
    assert middle.scores == pytest.approx([0.5 + 0.4 * share, 0.9 - 0.1 * share, 0.6])
    assert middle.masks.dtype == middle.boxes.dtype == middle.scores.dtype == np.float32


@pytest.mark.parametrize(("share", "there"), [(0.25, True), (0.5, True), (0.75, False)])
def test_an_object_that_is_gone_afterwards_is_carried_half_of_the_way(share, there):
    carried = replace(BEFORE, boxes=BEFORE.boxes + 1)
    middle = between(BEFORE, AFTER[[0]], share, carried)
    assert middle.ids.tolist() == ([7, 3, 0] if there else [7, 0])
    assert middle.boxes[1:].tolist() == carried.boxes[[0, 2] if there else [2]].tolist()


@pytest.mark.parametrize(("before", "after"), [(BEFORE, AFTER[[]]), (BEFORE[[]], AFTER), (BEFORE[[]], AFTER[[]])])
def test_empty_ends(before, after):
    middle = between(before, after, 0.3, before)
    assert middle.ids.tolist() == before.ids.tolist()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75, 1.0])
def test_what_cannot_be_mixed_is_that_of_the_nearer_end(share):
    one, other = (
        objects([[0, 0, 10, 10]], [4], 0.5),
        replace(objects([[8, 0, 18, 10]], [4], 0.9), labels=np.ones(1, int)),
    )
    middle = mixed(one, other, share)
    assert (middle.ids.tolist(), middle.labels.tolist()) == ([4], [int(share >= 0.5)])
    assert middle.boxes[0] == pytest.approx([8 * share, 0, 10 + 8 * share, 10])
    assert middle.scores == pytest.approx([0.5 + 0.4 * share])


@pytest.mark.parametrize("ratio", [0.0, 0.5, 3.0])
def test_after_the_last_look_things_go_on_as_they_did(ratio):
    later = onward(BEFORE, AFTER, ratio, SIZE)
    assert later.ids.tolist() == [7, 9, 3]
    went = AFTER.boxes[[0, 2]] - BEFORE.boxes[[1, 0]]
    assert later.boxes[[0, 2]] == pytest.approx(AFTER.boxes[[0, 2]] + ratio * went, abs=1e-4)
    assert later.boxes[1].tolist() == AFTER.boxes[1].tolist(), "nobody knows where the new one goes"
    for name in ("scores", "labels", "masks"):
        assert np.array_equal(getattr(later, name), getattr(AFTER, name))


def test_what_goes_on_out_of_the_frame_is_gone():
    before, last = (
        objects([[500, 100, 560, 200], [10, 10, 30, 30]], [1, 0]),
        objects([[570, 100, 630, 200], [40, 10, 60, 30]], [1, 0]),
    )
    assert onward(before, last, 0.5, SIZE).boxes.tolist() == [[605, 100, 640, 200], [40, 10, 60, 30]]
    assert onward(before, last, 1.0, SIZE).ids.tolist() == [0]
    assert len(onward(before, last[[]], 1.0, SIZE)) == len(onward(before[[]], last[[0]], 1.0, SIZE)) - 1 == 0


def test_parts_are_put_together_in_order():
    assert together([BEFORE, AFTER[[]], AFTER[[1, 0]]]).ids.tolist() == [3, 7, 0, 9, 7]
    assert together([BEFORE[[]], AFTER]) is AFTER
    assert len(together([BEFORE[[]], AFTER[[]]])) == 0
