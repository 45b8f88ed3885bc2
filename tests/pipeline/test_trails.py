"""Objects remember where they stood."""

from __future__ import annotations

import numpy as np
import pytest

from streamseg.instances import Instances
from streamseg.pipeline.trails import Trails
from streamseg.regions import Regions


def at(places: dict[int, float]) -> Instances:
    """Objects of 10 x 20 pixels on the ground at y = 50, their middle at x, by identity."""
    found = Instances.empty(("thing",))
    boxes = np.array([[x - 5, 30, x + 5, 50] for x in places.values()], np.float32).reshape(-1, 4)
    count = len(boxes)
    return Instances(
        boxes,
        np.ones(count, np.float32),
        np.zeros(count, np.int64),
        np.ones((count, 28, 28), np.float32),
        np.array(list(places), np.int64),
        found.class_names,
    )


def test_a_trail_is_the_way_of_the_feet_and_fades_with_time():
    trails = Trails(2.0)
    for now, places in ((0.0, {1: 10}), (0.5, {1: 20, 2: 90}), (1.5, {1: 40, 0: 70})):
        found = trails.add(at(places), now)
    first, untracked = found.trails
    assert np.allclose(first, [[10, 50, 0.25], [20, 50, 0.5], [40, 50, 1]])
    assert np.isnan(untracked).all()


def test_old_places_are_forgotten_and_short_trails_are_filled_up():
    trails = Trails(1.0)
    for step in range(100):
        found = trails.add(at({1: step, 100 + step: 5}), step / 10)
    long, short = found.trails
    assert np.allclose(long[:, 0], range(90, 100)) and (np.diff(long[:, 2]) > 0).all()
    assert np.isnan(short[:-1]).all() and np.allclose(short[-1], [5, 50, 1])
    assert len(trails._places) == 11  # what is gone is forgotten, however many there were


def test_trails_go_with_their_objects():
    trails = Trails(1.0)
    trails.add(at({1: 10, 2: 20, 3: 30}), 0)
    found = trails.add(at({3: 31, 1: 11}), 0.1)
    assert np.allclose(found.trails[:, :, 0], [[30, 31], [10, 11]])
    assert np.allclose(found[found.ids == 1].trails[:, :, 0], [[10, 11]])
    with pytest.raises(ValueError, match="2 boxes but 1 trails"):
        Instances(found.boxes, found.scores, found.labels, found.masks, found.ids, trails=found.trails[:1])


def test_a_stream_that_begins_again_begins_without_trails():
    trails = Trails(5.0)
    trails.add(at({1: 10}), 100)
    assert trails.add(at({1: 500}), 0).trails.shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("seconds", "found"),
    [(0, at({1: 3})), (2, Regions(np.zeros((4, 4), np.uint8), ("road",)))],
    ids=["none", "regions"],
)
def test_what_has_no_trails_stays_as_it_is(seconds, found):
    assert Trails(seconds).add(found, 0) is found


def test_nothing_in_sight_has_empty_trails():
    assert Trails(1).add(at({}), 0).trails.shape == (0, 0, 3)
