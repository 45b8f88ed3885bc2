from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.instances import Instances
from streamseg.tracking import make_tracker
from streamseg.tracking.gallery import Gallery, Plausible, Portraits, recognised

BOX = (100.0, 100.0, 140.0, 200.0)


def look(*angles):
    """Unit vectors that are the less alike, the more their angles (degrees) differ."""
    turned = np.radians(angles)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def somebody(id=0, label=0, angle=0.0, box=BOX, seconds=0.0, says=True):
    return Portraits(
        np.array([id]), np.array([label]), look(angle) * says, np.array([box], np.float64), np.array([float(seconds)])
    )


def all_of(*portraits):
    together = portraits[0]
    for one in portraits[1:]:
        together = together.and_(one)
    return together


def shifted(x, y=0.0, zoom=1.0):
    centre, half = np.array([120.0 + x, 150.0 + y]), np.array([20.0, 50.0]) * zoom
    return (*(centre - half), *(centre + half))


@pytest.mark.parametrize(
    ("comes", "back"),
    [
        ({}, True),
        ({"angle": 10}, True),
        ({"angle": 60}, False),
        ({"says": False}, False),
        ({"label": 1}, False),
        ({"box": shifted(150)}, True),
        ({"box": shifted(150), "seconds": 0.5}, False),  # nobody runs so fast
        ({"box": shifted(600), "seconds": 7}, False),  # nor so far
        ({"box": shifted(0, zoom=2)}, True),
        ({"box": shifted(0, zoom=4)}, False),
        ({"seconds": 0.0}, False),  # was there before the other one had gone
        ({"seconds": 7.9}, True),
        ({"seconds": 8.1}, False),
    ],
    ids=str,
)
def test_only_who_may_be_the_same_is_recalled(comes, back):
    gallery = Gallery()
    gallery.put(somebody(7))
    assert gallery.recall(somebody(**{"seconds": 2.0, **comes})).tolist() == [7 if back else 0]


def test_nobody_comes_back_twice():
    gallery = Gallery()
    gallery.put(all_of(somebody(7), somebody(8, angle=90, box=shifted(60))))
    twins = all_of(somebody(seconds=1), somebody(box=shifted(20), angle=25, seconds=1))
    assert gallery.recall(twins).tolist() == [7, 0]
    assert gallery.recall(somebody(seconds=2)).tolist() == [0]
    assert gallery.recall(somebody(angle=90, seconds=2)).tolist() == [8]


def test_of_two_who_look_the_same_nobody_is_recalled():
    gallery = Gallery()
    gallery.put(all_of(somebody(7), somebody(8, angle=1, box=shifted(30))))
    assert gallery.recall(somebody(seconds=1)).tolist() == [0]


def test_who_left_without_a_look_is_forgotten():
    gallery = Gallery()
    gallery.put(somebody(7, says=False))
    assert gallery.recall(somebody(seconds=1)).tolist() == [0]
    assert gallery.recall(somebody(seconds=1)[np.zeros(0, int)]).tolist() == []


def test_the_oldest_are_forgotten_first():
    gallery = Gallery(most=2)
    for id in (1, 2, 3):
        gallery.put(somebody(id, angle=60 * id, seconds=id / 10))
    comes = all_of(*(somebody(angle=60 * id, seconds=1) for id in (1, 2, 3)))
    assert gallery.recall(comes).tolist() == [0, 2, 3]


def test_places_move_with_the_camera():
    gallery = Gallery()
    gallery.put(somebody(7))
    gallery.move(np.array([[1.0, 0, 400], [0, 1, 0]]))
    assert gallery.recall(somebody(seconds=0.5)).tolist() == [0]
    assert gallery.recall(somebody(box=shifted(400), seconds=0.5)).tolist() == [7]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.permutations(range(6)))
def test_no_row_comes_twice_and_the_order_does_not_matter(seed, order):
    rng = np.random.default_rng(seed)

    def crowd(count, seconds):
        return all_of(
            *(
                somebody(id + 1, int(rng.integers(2)), rng.uniform(0, 120), shifted(*rng.uniform(-90, 90, 2)), seconds)
                for id in range(count)
            )
        )

    known, seen, rules = crowd(5, 0.0), crowd(6, 1.0), Plausible()
    rows = recognised(known, seen, rules)
    taken = rows[rows >= 0]
    assert len(set(taken.tolist())) == len(taken) and (known.labels[taken] == seen.labels[rows >= 0]).all()
    np.testing.assert_array_equal(recognised(known, seen[list(order)], rules), rows[list(order)])


RED, BLUE = (180, 40, 40), (40, 60, 190)


def walk(colours, seconds, at):
    """Pictures and detections of one who walks, is hidden from 2 to 4.5 s, and comes out in the second colour."""
    for k in range(round(seconds * 10)):
        now, picture = k / 10, np.full((240, 640, 3), 110, np.uint8)
        picture += np.random.default_rng(k).integers(0, 8, picture.shape, np.uint8)
        left = round(at(now))
        box = np.array([[left, 60, left + 50, 200]], np.float32)
        hidden = 2.0 < now < 4.5
        picture[60:200, left : left + 50] = (90, 120, 90) if hidden else colours[now >= 4.5]
        found = Instances(
            box,
            np.ones(1, np.float32),
            np.zeros(1, int),
            np.ones((1, 28, 28), np.float32),
            np.zeros(1, int),
            ("person",),
        )
        yield now, picture, found[[] if hidden else [0]]


@pytest.mark.parametrize(
    ("colours", "appearance", "same"),
    [((RED, RED), True, True), ((RED, BLUE), True, False), ((RED, RED), False, False)],
    ids=["the same", "somebody else", "switched off"],
)
def test_who_comes_out_from_behind_something_keeps_the_identity(colours, appearance, same):
    tracker, seen = make_tracker(lost_seconds=1.0, appearance=appearance), []
    for now, picture, found in walk(colours, 7, lambda now: 100 + 20 * now):
        seen.append(tracker.update(found, now, (240, 640), picture).ids.tolist())
    before, after = seen[19], seen[-1]
    assert before[0] > 0 and after[0] > 0 and (before == after) == same


def test_portraits_are_not_changed_by_the_gallery():
    gallery, gone = Gallery(), somebody(7)
    before = replace(gone, boxes=gone.boxes.copy())
    gallery.put(gone)
    gallery.move(np.array([[1.0, 0, 400], [0, 1, 0]]))
    np.testing.assert_array_equal(gone.boxes, before.boxes)
