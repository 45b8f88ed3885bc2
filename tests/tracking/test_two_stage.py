"""Identities stay on their objects, whatever the frame rate and the order of the detections."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.errors import UserError
from streamseg.instances import Instances
from streamseg.tracking import TRACKERS, make_tracker
from streamseg.tracking.two_stage import Rules, TwoStageTracker

SIZE = (480, 640)
NAMES = ("person", "vehicle", "cycle")
BLOB = cv2.ellipse(np.zeros((28, 28), np.float32), (14, 14), (12, 13), 0, 0, 360, 1.0, -1)

# centre x, centre y, width, height at time 0; velocity x, y in pixels and growth in factors of e, per second; label
WALKER = (100, 240, 40, 110, 60, 0, 0.0, 0)
STRANGER = (500, 250, 44, 120, -50, 4, 0.0, 0)
ONCOMING = (330, 230, 40, 30, 30, 8, 0.7, 1)
PARKED = (560, 300, 90, 60, 0, 0, 0.0, 1)
SCENE = (WALKER, STRANGER, ONCOMING, PARKED)


def box_at(thing: tuple[float, ...], seconds: float) -> list[float]:
    x, y, width, height, right, down, growth, _ = thing
    x, y, scale = x + right * seconds, y + down * seconds, np.exp(growth * seconds)
    return [x - width * scale / 2, y - height * scale / 2, x + width * scale / 2, y + height * scale / 2]


def seen(boxes: list[list[float]], labels: list[int] | None = None, scores: list[float] | float = 0.85) -> Instances:
    count = len(boxes)
    return Instances(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.broadcast_to(np.array(scores, np.float32), (count,)).copy(),
        np.array(labels if labels is not None else [0] * count, np.int64),
        np.repeat(BLOB[None], count, axis=0),
        np.zeros(count, np.int64),
        NAMES,
    )


def look(seconds: float, things: tuple[tuple[float, ...], ...] = SCENE, noise: float = 0.0, seed: int = 0) -> Instances:
    rng = np.random.default_rng([seed, round(seconds * 1000)])
    boxes = np.array([box_at(thing, seconds) for thing in things])
    return seen((boxes + rng.normal(0, noise, boxes.shape)).tolist(), [int(thing[7]) for thing in things])


def random_stream(seed: int, frames: int = 25) -> list[Instances]:
    """Objects come and go, are missed, doubled, mislabelled and invented, with scores from 0 to 1."""
    rng = np.random.default_rng(seed)
    things = [
        (*rng.uniform([0, 100], [640, 400]), *rng.uniform(20, 120, 2), *rng.uniform(-80, 80, 2), rng.normal(0, 0.2), 0)
        for _ in range(6)
    ]
    stream = []
    for step in range(frames):
        boxes = [box_at(thing, step / 10) for thing in things if rng.random() < 0.8]
        boxes += [[x, y, x + 40, y + 40] for x, y in rng.uniform(0, 400, (rng.integers(0, 3), 2))]
        corners = (np.array(boxes).reshape(-1, 4) + rng.normal(0, 2, (len(boxes), 4))).tolist()
        stream.append(seen(corners, rng.integers(0, 3, len(boxes)).tolist(), rng.uniform(0, 1, len(boxes)).tolist()))
    return stream


def identities(stream: list[tuple[float, Instances]], tracker: TwoStageTracker | None = None) -> list[list[int]]:
    tracker = tracker or TwoStageTracker()
    return [tracker.update(found, seconds, SIZE).ids.tolist() for seconds, found in stream]


def test_the_first_frame_has_identities_at_once_and_they_stay() -> None:
    rows = identities([(step / 30, look(step / 30, noise=1.0)) for step in range(60)])
    assert rows == [rows[0]] * 60
    assert sorted(rows[0]) == [1, 2, 3, 4]


@pytest.mark.parametrize("rate", [30, 15, 10, 6])
def test_the_frame_rate_does_not_matter_on_easy_motion(rate: int) -> None:
    rows = identities([(step / rate, look(step / rate, noise=0.5)) for step in range(2 * rate)])
    assert rows == [identities([(step / 30, look(step / 30, noise=0.5)) for step in range(60)])[-1]] * (2 * rate)


def test_uneven_timestamps_are_understood() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.12, 40))
    rows = identities([(float(t), look(float(t), noise=0.5)) for t in times])
    assert rows == [rows[0]] * 40


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_detections_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    straight, shuffled = TwoStageTracker(), TwoStageTracker()
    for step, found in enumerate(random_stream(seed)):
        mixed = rng.permutation(len(found))
        first = straight.update(found, step / 10, SIZE)
        second = shuffled.update(found[mixed], step / 10, SIZE)
        by_box = [sorted(zip(one.boxes.tolist(), one.ids.tolist(), strict=True)) for one in (first, second)]
        assert by_box[0] == by_box[1]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_no_identity_is_in_two_places_or_comes_back_after_its_death(seed: int) -> None:
    tracker, last_seen, highest = TwoStageTracker(), {}, 0
    for step, found in enumerate(random_stream(seed, 40)):
        result = tracker.update(found, step / 10, SIZE)
        ids = result.ids[result.ids > 0].tolist()
        assert len(set(ids)) == len(ids)
        for identity in sorted(set(ids) - set(last_seen)):
            assert identity > highest, "a new identity is a new number"
            highest = identity
        for identity in ids:
            assert step / 10 - last_seen.get(identity, step / 10) <= tracker.rules.lost_seconds + 0.11
            last_seen[identity] = step / 10
        untracked = result.scores[result.ids == 0]
        assert (untracked >= tracker.rules.high_score).all()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_boxes_scores_and_masks_stay_the_detectors(seed: int) -> None:
    tracker = TwoStageTracker()
    for step, found in enumerate(random_stream(seed)):
        before = replace(found, boxes=found.boxes.copy(), labels=found.labels.copy())
        result = tracker.update(found, step / 10, SIZE)
        rows = [found.boxes.tolist().index(box) for box in result.boxes.tolist()]
        assert rows == sorted(rows), "the order of the input"
        assert np.array_equal(result.scores, found.scores[rows])
        assert np.array_equal(found.boxes, before.boxes)
        assert np.array_equal(found.labels, before.labels)
        assert not found.ids.any()


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([0.8] * 5, [0, 0, 1, 1, 1], id="three detections"),
        pytest.param([0.99, 0.8], [1, 1], id="a sure one"),
        pytest.param([0.8, 0.99], [0, 1], id="sure the second time"),
        pytest.param([0.3] * 6, [None] * 6, id="doubtful ones never start a track"),
        pytest.param([0.8, 0.8, 0.8, 0.2, 0.2, 0.8], [0, 0, 1, 1, 1, 1], id="doubtful ones hold on to it"),
        pytest.param([0.8, 0.8, 0.8, 0.05], [0, 0, 1, None], id="noise does not"),
    ],
)
def test_birth(scores: list[float], expected: list[int | None]) -> None:
    tracker = TwoStageTracker()
    tracker.update(seen([]), 0.0, SIZE)
    rows = []
    for step, score in enumerate(scores, 1):
        ids = tracker.update(seen([[100, 100, 150, 200]], scores=score), step / 10, SIZE).ids.tolist()
        rows.append(ids[0] if ids else None)
    assert rows == expected


def test_detections_far_apart_in_time_are_no_birth() -> None:
    tracker = TwoStageTracker()
    for step in range(40):
        shown = [[100, 100, 150, 200]] if step % 10 == 5 else []
        assert tracker.update(seen(shown), step / 10, SIZE).ids.tolist() == [0] * len(shown)


@pytest.mark.parametrize(("gap", "kept"), [(0.3, True), (1.2, True), (1.8, False)])
def test_an_object_out_of_sight_keeps_its_identity_for_a_while(gap: float, kept: bool) -> None:
    tracker = TwoStageTracker()
    for step in range(int((1 + gap) * 20) + 8):
        time = step / 20
        hidden = 1 < time <= 1 + gap
        ids = tracker.update(look(time, () if hidden else (WALKER,)), time, SIZE).ids.tolist()
    assert (ids == [1]) is kept
    assert ids[0] > 0


def test_at_a_very_low_frame_rate_an_object_gets_one_chance() -> None:
    assert identities([(step * 4.0, look(0, (PARKED,))) for step in range(5)]) == [[1]] * 5


def test_those_who_leave_the_frame_are_forgotten() -> None:
    tracker = TwoStageTracker()
    leaving = (600, 240, 40, 110, 300, 0, 0.0, 0)
    for step in range(12):
        time = step / 30
        tracker.update(look(time, (leaving,) if box_at(leaving, time)[0] < 635 else ()), time, SIZE)
    for step in range(12, 24):
        ids = tracker.update(look(0, (leaving,)), step / 30, SIZE).ids.tolist()
    assert ids == [2]


def test_people_who_cross_keep_their_identities() -> None:
    left, right = (200, 240, 40, 110, 100, 0, 0.0, 0), (400, 245, 44, 120, -100, 0, 0.0, 0)
    tracker = TwoStageTracker()
    for step in range(60):
        time = step / 30
        pair = (left, right)
        if abs(box_at(left, time)[0] - box_at(right, time)[0]) < 25:
            pair = (right,)  # the one behind is hidden
        ids = tracker.update(look(time, pair, noise=0.7), time, SIZE).ids.tolist()
    assert ids == [1, 2]


def test_masks_tell_apart_what_boxes_do_not() -> None:
    """Two objects share a box; one fills its upper left half, one its lower right half."""
    upper = np.tril(np.ones((28, 28), np.float32))[::-1]
    shapes = np.stack([upper, upper[::-1, ::-1]])
    tracker = TwoStageTracker(Rules(double=1.1))
    for step in range(12):
        order = [0, 1] if step % 2 else [1, 0]
        box = [100 + 2 * step, 100, 200 + 2 * step, 200]
        found = replace(seen([box, box]), masks=shapes[order])
        ids = tracker.update(found, step / 20, SIZE).ids.tolist()
        if step == 0:
            named = dict(zip(order, ids, strict=True))
        assert [named[shape] for shape in order] == ids


def test_the_label_is_the_vote_of_a_life() -> None:
    tracker = TwoStageTracker()
    labels = []
    for step in range(8):
        found = seen([[100, 100, 180, 200]], [0 if step in (3, 5) else 2])
        result = tracker.update(found, step / 20, SIZE)
        labels.append(int(result.labels[0]))
        assert result.ids.tolist() == [1]
    assert labels == [2] * 8


def test_a_vehicle_does_not_become_a_person() -> None:
    tracker = TwoStageTracker()
    tracker.update(seen([[100, 100, 180, 200]], [1], 0.99), 0.0, SIZE)
    assert tracker.update(seen([[100, 100, 180, 200]], [0], 0.99), 0.1, SIZE).ids.tolist() == [2]


def test_rider_and_cycle_in_one_place_keep_an_identity_each() -> None:
    tracker, first = TwoStageTracker(), None
    for step in range(10):
        boxes = [[100 + 3 * step, 100, 160 + 3 * step, 200], [98 + 3 * step, 130, 165 + 3 * step, 205]]
        order = [0, 1] if step % 2 else [1, 0]
        result = tracker.update(seen([boxes[i] for i in order], [(0, 2)[i] for i in order]), step / 20, SIZE)
        pairs = set(zip(result.ids.tolist(), result.labels.tolist(), strict=True))
        assert len(pairs) == 2
        first = pairs if step == 0 else first
        assert pairs == first


def test_a_double_detection_is_no_birth() -> None:
    tracker = TwoStageTracker()
    for step in range(6):
        boxes = [[100, 100, 180, 200]] + ([[101, 102, 182, 199]] if step else [])
        ids = tracker.update(seen(boxes, scores=[0.97, 0.96][: len(boxes)]), step / 20, SIZE).ids.tolist()
    assert sorted(ids) == [0, 1]


def test_time_that_stands_still_or_runs_back_does_no_harm() -> None:
    assert identities([(t, look(0.0)) for t in (0.0, 0.1, 0.1, 0.05, 0.2)]) == [identities([(0, look(0.0))])[0]] * 5


def test_empty_frames() -> None:
    tracker = TwoStageTracker()
    for step in range(3):
        assert len(tracker.update(Instances.empty(NAMES), step / 30, SIZE)) == 0


def test_none_gives_no_identities() -> None:
    found = look(0.0).with_ids(np.arange(4))
    result = make_tracker("none").update(found, 0.0, SIZE)
    assert result.ids.tolist() == [0] * 4
    assert np.array_equal(result.boxes, found.boxes)


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_every_listed_tracker_can_be_made(name: str) -> None:
    assert len(make_tracker(name).update(look(0.0), 0.0, SIZE)) == 4


def test_settings_reach_the_tracker() -> None:
    tracker = make_tracker("two_stage", lost_seconds=4, high_score=0.3)
    assert isinstance(tracker, TwoStageTracker)
    assert (tracker.rules.lost_seconds, tracker.rules.high_score) == (4, 0.3)
    assert tracker.rules.low_score == Rules().low_score


def test_an_unknown_tracker_is_named() -> None:
    with pytest.raises(UserError, match="unknown tracker 'magic'; choose one of two_stage"):
        make_tracker("magic")
