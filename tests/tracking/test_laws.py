"""Laws of identities, of the tracker by itself (no delay) and of what hindsight makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.instances import Instances
from streamseg.tracking import make_tracker
from streamseg.tracking.hindsight import Hindsight
from streamseg.tracking.two_stage import TwoStageTracker

SIZE = (480, 640)
DELAYS = pytest.mark.parametrize("delay", [0.0, 1.0])
SEEDS = st.integers(0, 10_000)
Stream = Sequence[tuple[float, Instances]]


def seen(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> Instances:
    count = len(boxes)
    return Instances(
        boxes.reshape(-1, 4).astype(np.float32),
        scores.astype(np.float32),
        labels.astype(np.int64),
        np.ones((count, 28, 28), np.float32),
        np.zeros(count, np.int64),
        ("person", "vehicle", "cycle"),
    )


def easy(seed: int, times: Iterable[float], missed: float = 0.0) -> Stream:
    """Six people, one above the other, walk to and fro; the score of each tells who it is."""
    rng = np.random.default_rng(seed)
    start, speed, phase = rng.uniform(150, 490, 6), rng.uniform(0, 60, 6), rng.uniform(0, 6, 6)
    stream = []
    for time in times:
        x, y = start + speed * np.sin(time + phase), 45 + 78 * np.arange(6)
        boxes = np.column_stack([x - 18, y - 36, x + 18, y + 36]) + rng.normal(0, 1, (6, 4))
        there = np.flatnonzero(rng.random(6) >= missed)
        stream.append((float(time), seen(boxes, 0.99 + 0.001 * np.arange(6), np.zeros(6))[there]))
    return stream


def wild(seed: int, frames: int = 25) -> Stream:
    """Objects come and go, are missed, doubled, mislabelled and invented, with any scores."""
    rng = np.random.default_rng(seed)
    start, extent, velocity = (
        rng.uniform([0, 100], [640, 400], (7, 2)),
        rng.uniform(20, 120, (7, 2)),
        rng.normal(0, 50, (7, 2)),
    )
    stream = []
    for step in range(frames):
        low = np.concatenate([start + velocity * step / 10 - extent / 2, rng.uniform(0, 400, (2, 2))])
        boxes = np.concatenate([low, low + np.concatenate([extent, [[40, 40], [60, 30]]])], axis=1)
        boxes = boxes[rng.permutation(rng.choice(9, rng.integers(0, 12), p=[0.12] * 8 + [0.04]))]
        sure = 1 - rng.uniform(0, 1, len(boxes)) ** rng.choice([1, 6])
        labels = rng.choice(3, len(boxes), p=[0.8, 0.1, 0.1])
        stream.append((step / 10, seen(boxes + rng.normal(0, 2, boxes.shape), sure, labels)))
    return stream


def told(stream: Stream, delay: float) -> list[Instances]:
    hindsight: Hindsight[int] = Hindsight(TwoStageTracker(), delay)
    results = []
    for number, (time, found) in enumerate(stream):
        results += hindsight.update(number, found, time, SIZE)
    results += hindsight.finish()
    assert [number for number, _ in results] == list(range(len(stream)))
    return [result for _, result in results]


def identity_of_each(stream: Stream, results: list[Instances], since: float) -> dict[int, int]:
    """The one identity that each of the easy scene's people has from some time on; seen or filled in."""
    names: dict[int, set[int]] = {}
    for (time, _), result in zip(stream, results, strict=True):
        for score, identity in zip(result.scores.tolist(), result.ids.tolist(), strict=True):
            if time >= since:
                names.setdefault(round((score - 0.99) / 0.001), set()).add(identity)
    assert all(len(each) == 1 and each != {0} for each in names.values()), names
    only = {person: each.pop() for person, each in names.items()}
    assert len(set(only.values())) == len(only) == 6
    return only


@DELAYS
@pytest.mark.parametrize("missed", [0.0, 0.15])
@given(seed=SEEDS)
@settings(max_examples=4, deadline=None)
def test_half_the_frames_give_the_same_identities(delay: float, missed: float, seed: int) -> None:
    stream = easy(seed, np.arange(60) / 20, missed)
    whole, half = told(stream, delay), told(stream[::2], delay)
    whole_names = identity_of_each(stream, whole, 1.0)
    half_names = identity_of_each(stream[::2], half, 1.0)
    if not missed:
        assert whole_names == half_names
    assert [each.ids.astype(bool).all() for each in half[10:]] == [each.ids.astype(bool).all() for each in whole[20::2]]


@DELAYS
@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_identities_hold_at_a_rate_that_varies(delay: float, seed: int) -> None:
    times = np.cumsum(np.random.default_rng(seed).uniform(0.01, 0.15, 40))
    stream = easy(seed, times, 0.05)
    identity_of_each(stream, told(stream, delay), 1.0)


@DELAYS
@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_identities_hold_where_frames_are_dropped(delay: float, seed: int) -> None:
    kept = np.flatnonzero(np.random.default_rng(seed).random(90) < 0.5)
    stream = easy(seed, kept / 30)
    identity_of_each(stream, told(stream, delay), 0.5)


@DELAYS
@pytest.mark.parametrize("seconds", [0.8, 3.0, 20.0])
def test_an_outage_is_survived_by_what_stands_where_it_was(delay: float, seconds: float) -> None:
    times = np.arange(20) / 20
    boxes = np.array([[100, 100, 140, 200], [300, 100, 350, 200], [500, 250, 560, 300]])
    rng = np.random.default_rng(0)
    stream = [
        (float(time), seen(boxes + rng.normal(0, 1, boxes.shape), np.full(3, 0.99), np.zeros(3)))
        for time in (*times, *(times + 1 + seconds))
    ]
    results = told(stream, delay)
    assert all(len(result) == 3 for result in results)
    assert all(result.ids.tolist() == [1, 2, 3] for result in results[5:])
    assert (results[0].ids > 0).all() == (delay > 0)


@DELAYS
@given(seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_the_order_of_detections_does_not_matter(delay: float, seed: int) -> None:
    rng, stream = np.random.default_rng(seed), wild(seed)
    shuffled = [(time, found[rng.permutation(len(found))]) for time, found in stream]
    for one, other in zip(told(stream, delay), told(shuffled, delay), strict=True):
        first, second = (
            sorted(zip(each.boxes.tolist(), each.ids.tolist(), each.labels.tolist(), strict=True))
            for each in (one, other)
        )
        assert first == second


@DELAYS
@given(seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_no_identity_is_in_two_places_or_comes_back_after_its_death(delay: float, seed: int) -> None:
    stream, last_seen = wild(seed, 40), {}
    for (time, _), result in zip(stream, told(stream, delay), strict=True):
        ids = result.ids[result.ids > 0].tolist()
        assert len(set(ids)) == len(ids)
        for identity in ids:
            assert time - last_seen.get(identity, time) <= TwoStageTracker().rules.lost_seconds + 0.11
            last_seen[identity] = time
    assert last_seen, "some of it can be followed"
    assert set(last_seen) == set(range(1, max(last_seen) + 1)), "none is left out"


@given(seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_new_identities_are_new_numbers_and_what_has_none_is_confident(seed: int) -> None:
    tracker, known = TwoStageTracker(), 0
    for time, found in wild(seed, 40):
        result = tracker.update(found, time, SIZE)
        ids = sorted(result.ids[result.ids > 0].tolist())
        fresh = [identity for identity in ids if identity > known]
        assert fresh == list(range(known + 1, known + 1 + len(fresh)))
        known += len(fresh)
        assert (result.scores[result.ids == 0] >= tracker.rules.high_score).all()
    assert known


@DELAYS
def test_those_who_come_back_have_their_identity_again_and_nobody_else_has_it_then(delay: float) -> None:
    colours = ((200, 30, 30), (30, 160, 40), (40, 60, 200), (230, 220, 60))
    hindsight: Hindsight[float] = Hindsight(make_tracker(lost_seconds=0.3), delay)
    results = []
    for step in range(60):
        picture = np.full((120, 160, 3), 90, np.uint8)
        low = np.column_stack([20 + 35 * np.arange(4), 40 + 10 * np.sin(step / 10 + np.arange(4))]).astype(int)
        for (x, y), colour in zip(low, colours, strict=True):
            picture[y : y + 50, x : x + 22] = colour
        there = np.flatnonzero((np.arange(4) * 13 + step) % 30 > 9)  # each is away for a second at a time
        boxes = np.concatenate([low, low + np.array([22, 50])], axis=1)[there]
        found = seen(boxes, np.full(len(there), 0.99), np.zeros(len(there)))
        results += hindsight.update(step / 10, found, step / 10, (120, 160), picture)
    results += hindsight.finish()
    assert [time for time, _ in results] == [step / 10 for step in range(60)]
    named = {
        (int(left), identity)
        for _, result in results
        for left, identity in zip(result.boxes[:, 0].tolist(), result.ids.tolist(), strict=True)
    }
    assert {place for place, _ in named} == {20, 55, 90, 125}
    assert len({(place, identity) for place, identity in named if identity}) == 4
