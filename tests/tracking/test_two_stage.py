"""Which detections get an identity, when, and what keeps it on their object; laws are in test_laws.py."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.instances import Instances
from streamseg.tracking import TRACKERS, make_tracker
from streamseg.tracking.association import Rules
from streamseg.tracking.two_stage import TwoStageTracker

SIZE = (480, 640)
SURE = 0.99  # two detections of this score, 0.1 s apart, are believed
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


def seen(boxes: list[list[float]], labels: list[int] | None = None, scores: list[float] | float = SURE) -> Instances:
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


def identities(stream: list[tuple[float, Instances]], tracker: TwoStageTracker | None = None) -> list[list[int]]:
    tracker = tracker or TwoStageTracker()
    return [tracker.update(found, seconds, SIZE).ids.tolist() for seconds, found in stream]


def settled(rows: list[list[int]]) -> int:
    """From which frame on all objects have identities; they must keep them from then on."""
    first = next(number for number, row in enumerate(rows) if row and all(row))
    assert rows[first:] == [rows[first]] * (len(rows) - first)
    return first


def test_sure_objects_soon_have_identities_and_keep_them() -> None:
    rows = identities([(step / 30, look(step / 30, noise=1.0)) for step in range(60)])
    assert rows[0] == [0] * 4
    assert settled(rows) <= 3
    assert sorted(rows[3]) == [1, 2, 3, 4]


@pytest.mark.parametrize("rate", [30, 15, 10, 6])
def test_the_frame_rate_does_not_matter_on_easy_motion(rate: int) -> None:
    rows = identities([(step / rate, look(step / rate, noise=0.5)) for step in range(2 * rate)])
    assert settled(rows) <= max(1, 0.15 * rate)
    assert rows[-1] == identities([(step / 30, look(step / 30, noise=0.5)) for step in range(60)])[-1]


def test_uneven_timestamps_are_understood() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.12, 40))
    first = settled(identities([(float(t), look(float(t), noise=0.5)) for t in times]))
    assert times[first] - times[0] < 0.2


def test_boxes_scores_and_masks_stay_the_detectors() -> None:
    tracker = TwoStageTracker()
    for step in range(8):
        found = look(step / 10, noise=1.0)
        found = replace(found, scores=np.array([0.99, 0.1, 0.6, 0.99], np.float32))
        before = replace(found, boxes=found.boxes.copy(), labels=found.labels.copy(), ids=found.ids.copy())
        result = tracker.update(found, step / 10, SIZE)
        rows = [found.boxes.tolist().index(box) for box in result.boxes.tolist()]
        assert rows == [0, 2, 3], "the order of the input"
        for name in ("scores", "masks"):
            assert np.array_equal(getattr(result, name), getattr(found, name)[rows])
        for name in ("boxes", "labels", "ids"):
            assert np.array_equal(getattr(found, name), getattr(before, name))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([0.99] * 3, [0, 1, 1], id="two sure ones"),
        pytest.param([0.98] * 4, [0, 0, 1, 1], id="three a little less sure"),
        pytest.param([0.8] * 9, [0] * 9, id="doubtful ones never"),
        pytest.param([0.8, 0.99, 0.99, 0.99], [0, 0, 0, 1], id="doubt has to be made up for"),
        pytest.param([0.3] * 6, [None] * 6, id="unlikely ones never start a track"),
        pytest.param([0.99, 0.99, 0.2, 0.2, 0.8], [0, 1, 1, 1, 1], id="but they hold on to one"),
        pytest.param([0.99, 0.99, 0.05, 0.99], [0, 1, None, 1], id="noise does not"),
    ],
)
def test_birth(scores: list[float], expected: list[int | None]) -> None:
    tracker = TwoStageTracker()
    tracker.update(seen([[400, 300, 450, 400]], scores=SURE), -9.0, SIZE)  # this detector can be sure
    rows = []
    for step, score in enumerate(scores, 1):
        ids = tracker.update(seen([[100, 100, 150, 200]], scores=score), step / 10, SIZE).ids.tolist()
        rows.append(ids[0] if ids else None)
    assert rows == expected


@pytest.mark.parametrize("most", [0.8, 0.55])
def test_a_detector_that_is_never_sure_gives_identities_too(most: float) -> None:
    stream = [seen([[100, 100, 150, 200], [300, 100, 350, 200]], scores=[most, most - 0.03]) for _ in range(9)]
    rows = identities([(step / 10, found) for step, found in enumerate(stream)])
    assert rows[2][0] == 1
    assert [row[0] for row in rows[2:]] == [1] * 7


def test_detections_far_apart_in_time_are_no_birth() -> None:
    tracker = TwoStageTracker()
    for step in range(40):
        shown = [[100, 100, 150, 200]] if step % 10 == 5 else []
        assert tracker.update(seen(shown), step / 10, SIZE).ids.tolist() == [0] * len(shown)


@pytest.mark.parametrize(("gap", "kept"), [(0.3, True), (0.9, True), (1.3, False)])
def test_an_object_out_of_sight_keeps_its_identity_for_a_while(gap: float, kept: bool) -> None:
    tracker = TwoStageTracker()
    for step in range(int((1 + gap) * 20) + 8):
        time = step / 20
        hidden = 1 < time <= 1 + gap
        ids = tracker.update(look(time, () if hidden else (WALKER,)), time, SIZE).ids.tolist()
    assert (ids == [1]) is kept
    assert ids[0] > 0


def test_at_a_very_low_frame_rate_an_object_gets_one_chance() -> None:
    assert identities([(step * 4.0, look(0, (PARKED,))) for step in range(5)]) == [[0], [1], [1], [1], [1]]


@pytest.mark.parametrize(("left", "identity"), [(648, 2), (630, 1)])
def test_those_who_have_left_the_frame_are_forgotten(left: float, identity: int) -> None:
    """Somebody walks out; whoever is seen where that one would be is somebody else, unless it is still in sight."""
    tracker = TwoStageTracker()
    for step in range(20):
        corner = left - 5 * (20 - step)
        tracker.update(seen([[corner, 100, corner + 40, 200]] if step < 16 else []), step / 20, SIZE)
    for step in range(20, 24):
        ids = tracker.update(seen([[632, 100, 672, 200]]), step / 20, SIZE).ids.tolist()
    assert ids == [identity]


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
    rows = []
    tracker = TwoStageTracker(Rules(double=1.1, inside=1.1))
    for step in range(12):
        order = [0, 1] if step % 2 else [1, 0]
        box = [100 + 2 * step, 100, 200 + 2 * step, 200]
        found = replace(seen([box, box]), masks=shapes[order])
        ids = tracker.update(found, step / 20, SIZE).ids
        rows.append(ids[order].tolist())
    assert settled(rows) <= 2
    assert sorted(rows[-1]) == [1, 2]


def test_the_label_is_the_vote_of_a_life() -> None:
    tracker = TwoStageTracker()
    labels, ids = [], []
    for step in range(8):
        found = seen([[100, 100, 180, 200]], [0 if step in (3, 5) else 2])
        result = tracker.update(found, step / 20, SIZE)
        labels.append(int(result.labels[0]))
        ids.append(result.ids.tolist())
    assert labels == [2] * 8
    assert settled(ids) <= 2


def test_a_vehicle_does_not_become_a_person() -> None:
    rows = identities([(step / 10, seen([[100, 100, 180, 200]], [1 if step < 4 else 0])) for step in range(8)])
    assert rows == [[0], [1], [1], [1], [0], [2], [2], [2]]


def test_rider_and_cycle_in_one_place_keep_an_identity_each() -> None:
    tracker, rows = TwoStageTracker(), []
    for step in range(10):
        boxes = [[100 + 3 * step, 100, 160 + 3 * step, 200], [98 + 3 * step, 130, 165 + 3 * step, 205]]
        order = [0, 1] if step % 2 else [1, 0]
        result = tracker.update(seen([boxes[i] for i in order], [(0, 2)[i] for i in order]), step / 20, SIZE)
        assert sorted(result.labels.tolist()) == [0, 2]
        rows.append([result.ids.tolist()[order.index(i)] for i in (0, 1)])
    assert settled(rows) <= 2
    assert sorted(rows[-1]) == [1, 2]


@pytest.mark.parametrize(("rules", "expected"), [(Rules(), [1]), (Rules(mask_share=0), [0, 1])])
def test_a_double_detection_is_no_birth(rules: Rules, expected: list[int]) -> None:
    """Where masks tell that it is the same object found twice, it is not even shown."""
    tracker = TwoStageTracker(rules)
    for step in range(8):
        boxes = [[100, 100, 180, 200]] + ([[101, 102, 182, 199]] if step else [])
        ids = tracker.update(seen(boxes, scores=[0.99, 0.985][: len(boxes)]), step / 20, SIZE).ids.tolist()
    assert sorted(ids) == expected


def test_time_that_stands_still_or_runs_back_a_little_does_no_harm() -> None:
    times = (0.0, 0.1, 0.2, 0.2, 0.15, 0.2, 0.3, -0.5, 0.4)
    assert settled(identities([(time, look(0.0)) for time in times])) == 1


@pytest.mark.parametrize("back", [1.5, 3600.0, 1e6])
def test_time_that_runs_back_a_lot_is_that_of_another_recording(back: float) -> None:
    tracker = TwoStageTracker()
    first = identities([(step / 10, look(step / 10)) for step in range(20)], tracker)
    second = identities([(step / 10 - back, look(step / 10)) for step in range(20)], tracker)
    assert settled(first) == settled(second) == 1
    assert sorted(first[-1] + second[-1]) == list(range(1, 9)), "no identity is used again"


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
    assert tracker.rules.mask_share == Rules().mask_share > 0
    assert tracker.camera is not None and tracker.gallery is not None
    plain = make_tracker("two_stage", masks=False, camera=False, appearance=False)
    assert isinstance(plain, TwoStageTracker)
    assert (plain.rules.mask_share, plain.camera, plain.gallery) == (0, None, None)


def test_an_unknown_tracker_is_named() -> None:
    with pytest.raises(UserError, match="unknown tracker 'magic'; choose one of two_stage"):
        make_tracker("magic")
