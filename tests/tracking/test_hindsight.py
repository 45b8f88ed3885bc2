"""What results that may wait are told with: identities from the start, gaps filled; steadied in test_steadying.py."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.instances import Instances, Pasting
from streamseg.tracking.hindsight import Hindsight
from streamseg.tracking.two_stage import TwoStageTracker

SIZE = (480, 640)
RATE = 20
Stream = Iterable[tuple[float, Instances]]


def seen(
    boxes: object,
    scores: object = 0.99,
    labels: object = 0,
    masks: np.ndarray | None = None,
    pasting: Pasting = "aligned",
) -> Instances:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(corners)
    return Instances(
        corners,
        np.full(count, scores, np.float32),
        np.full(count, labels, np.int64),
        np.ones((count, 28, 28), np.float32) if masks is None else masks,
        np.zeros(count, np.int64),
        ("person", "cycle"),
        pasting=pasting,
    )


def told(stream: Stream, delay: float = 1.0, finish: bool = True, **options: float) -> list[tuple[int, Instances]]:
    hindsight: Hindsight[int] = Hindsight(TwoStageTracker(), delay, **options)
    results = []
    for number, (time, found) in enumerate(stream):
        results += hindsight.update(number, found, time, SIZE)
    return results + (hindsight.finish() if finish else [])


def same(one: Instances, other: Instances) -> bool:
    names = ("boxes", "scores", "labels", "masks", "ids")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def walker(time: float) -> list[float]:
    x = 100 + 60 * time
    return [x - 20, 200, x + 20, 280]


def walking(frames: int, missed: Iterable[int] = (), pasting: Pasting = "aligned") -> list[tuple[float, Instances]]:
    """Somebody walks to the right, and is not seen in some frames."""
    missed = set(missed)
    boxes = [[] if step in missed else [walker(step / RATE)] for step in range(frames)]
    return [(step / RATE, seen(box, pasting=pasting)) for step, box in enumerate(boxes)]


def wild(seed: int, frames: int, pasting: Pasting = "aligned") -> list[Instances]:
    """Five things move, are missed and invented, with any scores and labels."""
    rng = np.random.default_rng(seed)
    start, velocity = rng.uniform([0, 100], [600, 400], (5, 2)), rng.normal(0, 30, (5, 2))
    stream = []
    for step in range(frames):
        low = start + velocity * step / 10 + rng.normal(0, 1, (5, 2))
        low[rng.random(5) < 0.05] = rng.uniform(0, 400, 2)
        boxes = np.concatenate([low, low + np.array([50, 90])], axis=1)[rng.random(5) < 0.8]
        scores, labels = 1 - rng.uniform(0, 1, len(boxes)) ** 4, rng.random(len(boxes)) < 0.1
        stream.append(seen(boxes, scores, labels, rng.random((len(boxes), 7, 7), np.float32), pasting))
    return stream


@pytest.mark.parametrize("pasting", ["aligned", "box"])
def test_first_sightings_have_the_identity_and_label_that_came_later(pasting: Pasting) -> None:
    def labelled(step: int) -> Instances:
        return seen([walker(step / RATE)], labels=int(step == 0), pasting=pasting)

    stream = [(step / RATE, labelled(step)) for step in range(20)]
    at_once = [(result.ids.tolist(), result.labels.tolist()) for _, result in told(stream, delay=0)]
    assert (at_once[0], at_once[-1]) == (([0], [1]), ([1], [0]))
    assert [(result.ids.tolist(), result.labels.tolist()) for _, result in told(stream)] == [([1], [0])] * 20


def test_doubtful_sightings_of_a_track_that_is_believed_later_are_shown_too() -> None:
    scores = [0.6, 0.3, 0.99, 0.99, 0.99, 0.99, 0.99]
    stream = [(step / 10, seen([walker(step / 10)], score)) for step, score in enumerate(scores)]
    at_once = [result.ids.tolist() for _, result in told(stream, delay=0)]
    assert (at_once[:3], at_once[-1]) == ([[0], [], [0]], [1])
    assert [result.ids.tolist() for _, result in told(stream)] == [[1]] * 7
    assert [result.ids.tolist() for _, result in told(stream[:3])] == [[0], [], [0]], "it never was believed"


def test_what_came_too_late_is_not_told() -> None:
    stream = [(step / 10, seen([walker(step / 10)], 0.96)) for step in range(12)]
    stream.insert(0, (-5.0, seen([[500, 300, 540, 400]])))  # this detector can be sure
    believed = next(number for number, result in told(stream, delay=0) if result.ids.any())
    assert believed > 4
    for frames in (1, 2, 3, 12):
        ids = [result.ids.tolist() for _, result in told(stream, frames / 10)]
        assert ids == [[int(0 < number >= believed - frames)] for number in range(13)]


@pytest.mark.parametrize(
    ("missed", "delay", "filled"),
    [
        (range(8, 9), 1.0, True),
        (range(8, 20), 1.0, True),
        (range(8, 26), 1.0, True),
        (range(8, 13), 0.3, True),  # 0.3 s from the last sighting to the next
        (range(8, 14), 0.3, False),
        (range(8, 9), 0.0, False),
    ],
)
@pytest.mark.parametrize("pasting", ["aligned", "box"])
def test_gaps_are_filled_within_the_delay(missed: range, delay: float, filled: bool, pasting: Pasting) -> None:
    results = told(walking(40, missed, pasting), delay)
    assert [len(result) for _, result in results] == [int(filled or number not in missed) for number in range(40)]
    for number, result in results:
        if len(result) and (delay or number > 4):
            assert result.ids.tolist() == [1]
            assert result.boxes[0] == pytest.approx(walker(number / RATE), abs=0.01)


@pytest.mark.parametrize(
    ("times", "share"), [((1, 1, 1), 0), ((1, 1, 1.1), 0), ((1, 1.1, 1.1), 1), ((1, 0.9, 1.1), 0), ((1, 1.05, 1.02), 1)]
)
@pytest.mark.parametrize("pasting", ["aligned", "box"])
def test_gaps_are_filled_where_time_stands_still_or_runs_back(
    times: tuple[float, ...], share: float, pasting: Pasting
) -> None:
    """Never beyond what was seen before and after."""
    stream = [(n / 10, seen([[100, 200, 140, 280]], pasting=pasting)) for n in range(8)]
    boxes = ([[100, 200, 140, 280]], [], [[104, 200, 144, 280]])
    stream += [(time, seen(box, pasting=pasting)) for time, box in zip(times, boxes, strict=True)]
    filled = told(stream)[9][1]
    assert filled.ids.tolist() == [1]
    assert filled.boxes[0] == pytest.approx([100 + 4 * share, 200, 140 + 4 * share, 280], abs=0.01)


def test_nothing_is_put_before_the_first_sighting_or_after_the_last_one() -> None:
    stream = walking(40, [*range(10), *range(25, 40)])
    assert [len(result) for _, result in told(stream)] == [0] * 10 + [1] * 15 + [0] * 15


def test_a_track_that_nobody_believes_is_not_filled_up() -> None:
    stream = [(step / RATE, seen([] if step == 5 else [walker(step / RATE)], 0.8)) for step in range(12)]
    stream.insert(0, (-5.0, seen([[500, 300, 540, 400]])))  # this detector can be sure
    assert [len(result) for _, result in told(stream)] == [1] + [int(step != 5) for step in range(12)]


def behind(masks: Callable[[], np.ndarray]) -> list[tuple[float, Instances]]:
    """A small thing passes behind a wide one, where it is not seen."""
    stream = []
    for step in range(40):
        small = [100 + 6 * step, 200, 120 + 6 * step, 240]
        hidden = 200 <= small[0] <= 260
        boxes = [[190, 150, 290, 330]] + ([] if hidden else [small])
        stream.append((step / RATE, seen(boxes, labels=[1, 0][: len(boxes)], masks=masks()[: len(boxes)])))
    return stream


def test_masks_are_not_filled_in_behind_others() -> None:
    results = told(behind(lambda: np.ones((2, 28, 28), np.float32)))
    counts = [len(result) for _, result in results]
    assert counts == [2 - (200 <= 100 + 6 * step <= 260) for step in range(40)]
    assert results[-1][1].ids.tolist() == results[0][1].ids.tolist(), "it kept its identity"


def test_masks_are_filled_in_where_another_box_shows_through() -> None:
    frame = np.zeros((28, 28), np.float32)
    frame[:4] = frame[-4:] = 1  # above and below the small thing's way
    results = told(behind(lambda: np.stack([frame, np.ones_like(frame)])))
    assert [len(result) for _, result in results] == [2] * 40


def test_boxes_are_filled_in_behind_others() -> None:
    stream = [
        (time, seen(each.boxes, labels=each.labels, pasting="box"))
        for time, each in behind(lambda: np.ones((2, 28, 28)))
    ]
    assert [len(result) for _, result in told(stream)] == [2] * 40


def test_a_filled_mask_lies_between_its_neighbours() -> None:
    first, last = np.full((1, 28, 28), 0.4, np.float32), np.full((1, 28, 28), 0.8, np.float32)
    stream = [(n / 10, seen([walker(n / 10)], masks=first)) for n in range(5)]
    stream += [(0.5, seen([]))] + [(n / 10, seen([walker(n / 10)], 0.95, masks=last)) for n in range(6, 10)]
    middle = told(stream)[5][1]
    assert middle.masks == pytest.approx(np.full((1, 28, 28), 0.6), abs=1e-5)
    assert middle.scores == pytest.approx([0.97], abs=1e-5)


@given(seed=st.integers(0, 1000), pasting=st.sampled_from(["aligned", "torchvision", "box"]))
@settings(max_examples=8, deadline=None)
def test_no_delay_is_the_tracker_itself(seed: int, pasting: Pasting) -> None:
    tracker, hindsight = TwoStageTracker(), Hindsight[int](TwoStageTracker(), 0.0)
    for number, found in enumerate(wild(seed, 25, pasting)):
        time = number / 10 - 2.0 * (number > 20)
        ((key, result),) = hindsight.update(number, found, time, SIZE)
        assert key == number
        assert same(result, tracker.update(found, time, SIZE))
    assert hindsight.finish() == []


TIMES = st.lists(
    st.sampled_from([0.0, 0.0, 0.04, 0.1, 0.1, 0.7, 30.0, -0.05, -0.4, -5.0, -7200.0, 86400.0]), max_size=30
)


@given(
    steps=TIMES,
    seed=st.integers(0, 1000),
    delay=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
    most=st.sampled_from([1, 2, 7, 10_000]),
    pasting=st.sampled_from(["aligned", "box"]),
)
@settings(max_examples=40, deadline=None)
def test_every_frame_comes_out_once_in_order_whatever_the_times(
    steps: list[float], seed: int, delay: float, most: int, pasting: Pasting
) -> None:
    hindsight: Hindsight[int] = Hindsight(TwoStageTracker(), delay, most=most)
    results = []
    for number, (time, found) in enumerate(
        zip(np.cumsum(steps).tolist(), wild(seed, len(steps), pasting), strict=True)
    ):
        results += hindsight.update(number, found, time, SIZE)
        assert number + 1 - len(results) <= most, "no more wait than may"
    results += hindsight.finish()
    assert [number for number, _ in results] == list(range(len(steps)))
    for _, result in results:
        assert np.isfinite(result.boxes).all()
        ids = result.ids[result.ids > 0].tolist()
        assert len(set(ids)) == len(ids)
    assert hindsight.finish() == []


def test_results_leave_when_their_time_is_over() -> None:
    for delay in (0.1, 0.5, 2.0):
        hindsight: Hindsight[int] = Hindsight(TwoStageTracker(), delay)
        left = []
        for number, (time, found) in enumerate(walking(60)):
            left += [key for key, _ in hindsight.update(number, found, time, SIZE)]
            assert left == list(range(max(0, number + 1 - round(delay * RATE))))


def test_another_clock_waits_for_nothing_of_the_one_before() -> None:
    """Joined recordings: results of the first leave at once, and those of the second wait no longer than they must."""
    hindsight: Hindsight[int] = Hindsight(TwoStageTracker(), 1.0)
    first = [
        key for n, (time, found) in enumerate(walking(40)) for key, _ in hindsight.update(n, found, 7200 + time, SIZE)
    ]
    assert first == list(range(20))
    results = []
    for number, (time, found) in enumerate(walking(40), 40):
        results += hindsight.update(number, found, time, SIZE)
    assert [key for key, _ in results] == list(range(20, 60))
    assert {tuple(result.ids.tolist()) for key, result in results if key >= 40} == {(2,)}


@pytest.mark.parametrize("pasting", ["aligned", "box"])
@given(seed=st.integers(0, 1000), cut=st.integers(1, 24), delay=st.sampled_from([0.3, 1.0]))
@settings(max_examples=8, deadline=None)
def test_the_end_of_a_stream_says_only_that_nothing_follows(
    pasting: Pasting, seed: int, cut: int, delay: float
) -> None:
    """What has left by then is as it would have been; the rest as if nobody were seen any more."""
    stream = [(number / 10, found) for number, found in enumerate(wild(seed, 24, pasting))]
    blank = [(number / 10, seen([], masks=np.zeros((0, 7, 7)), pasting=pasting)) for number in range(cut, cut + 12)]
    ended, left = told(stream[:cut], delay), len(told(stream[:cut], delay, finish=False))
    assert left == max(0, cut - round(10 * delay))
    for others, count in ((told(stream, delay), left), (told([*stream[:cut], *blank], delay), cut)):
        assert all(same(one, other) for (_, one), (_, other) in zip(ended[:count], others[:count], strict=True))


def test_frames_that_have_left_are_let_go() -> None:
    """Keys may hold pictures; however long tracks are remembered, those are not."""

    class Key:
        pass

    hindsight: Hindsight[Key] = Hindsight(TwoStageTracker(), 1.0, most=3)
    alive = weakref.WeakSet()
    for time, found in walking(30, [5, 9, 12]):
        key = Key()
        alive.add(key)
        hindsight.update(key, found, time, SIZE)
        del key
        assert len(alive) <= 3
    assert len(hindsight.finish()) == 3
