"""The law by which a run that broke off is resumed: soon, results are those of a run that never did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.instances import Instances, Pasting
from streamseg.tracking.hindsight import Hindsight
from streamseg.tracking.state import from_bytes, to_bytes
from streamseg.tracking.two_stage import TwoStageTracker

SIZE = (480, 640)
MARGIN = 0.35  # seconds beyond the delay
SEEDS = st.integers(0, 1000)
PASTINGS = pytest.mark.parametrize("pasting", ["aligned", "box"])
MOST = pytest.mark.parametrize("most", [2, 10_000])
Stream = Sequence[tuple[float, Instances]]


def seen(boxes: np.ndarray, scores: np.ndarray, masks: np.ndarray, pasting: Pasting) -> Instances:
    nothing = np.zeros(len(boxes), np.int64)
    return Instances(
        boxes.astype(np.float32), scores.astype(np.float32), nothing, masks, nothing, ("person",), pasting=pasting
    )


def wild(seed: int, times: Sequence[float], pasting: Pasting, away: float = 0.3) -> Stream:
    """Five things move, come and go, tremble with the camera, and are invented, with any scores."""
    rng, start = np.random.default_rng(seed), 60 + 90 * np.arange(5)
    velocity, phase = rng.normal(0, 30, (5, 2)), rng.uniform(0, 1, 5)
    stream = []
    for time in times:
        low = np.column_stack([start, start % 170 + 60]) + velocity * (time - times[0]) + rng.normal(0, 2, 2)
        there = (time / (3 * away) + phase) % 1 > 1 / 3  # each is away for so many seconds, again and again
        low = np.concatenate([low[there], rng.uniform(0, 400, (rng.integers(0, 2), 2))])
        boxes = np.concatenate([low, low + np.array([50, 90])], axis=1) + rng.normal(0, 1, (len(low), 4))
        scores, masks = 1 - rng.uniform(0, 1, len(low)) ** 5, rng.uniform(0.3, 1, (len(low), 7, 7)).astype(np.float32)
        stream.append((time, seen(boxes, scores, masks, pasting)))
    return stream


def told(
    stream: Stream, delay: float, most: int, since: int = 0, states: Sequence[bytes] = ()
) -> tuple[dict[int, Instances], list[bytes]]:
    """Results from a frame on, going on from the state just before it, by number; and the states before all frames."""
    tracker = TwoStageTracker()
    if since:
        tracker.restore(from_bytes(states[since]))
    hindsight: Hindsight[int] = Hindsight(tracker, delay, most=most)
    results, before = [], []
    for number, (time, found) in enumerate(stream[since:], since):
        before.append(to_bytes(tracker.state()))
        results += hindsight.update(number, found, time, SIZE)
    return dict(results + hindsight.finish()), before


def same(one: Instances, other: Instances) -> bool:
    pairs = [(getattr(one, each.name), getattr(other, each.name)) for each in fields(one) if each.init]
    arrays = [pair for pair in pairs if isinstance(pair[0], np.ndarray)]
    exact = all((a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()) for a, b in arrays)
    return exact and (one.class_names, one.pasting) == (other.class_names, other.pasting)


def differences(stream: Stream, delay: float, most: int, since: int) -> list[int]:
    """The frames whose results are not those of a run that was never cut."""
    whole, states = told(stream, delay, most)
    rest, _ = told(stream, delay, most, since, states)
    assert list(rest) == list(range(since, len(stream)))
    return [number for number, result in rest.items() if not same(result, whole[number])]


@PASTINGS
@MOST
@pytest.mark.parametrize("delay", [0.0, 0.5, 1.0])
@given(seed=SEEDS, since=st.integers(1, 40), rate=st.sampled_from([10, 25, 0]))
@settings(max_examples=4, deadline=None)
def test_soon_after_a_cut_results_are_as_if_there_had_been_none(
    pasting: Pasting, most: int, delay: float, seed: int, since: int, rate: int
) -> None:
    rng = np.random.default_rng(seed)
    steps = np.full(65, 1 / rate) if rate else rng.choice([0.0, 0.02, 0.05, 0.1, 0.3], 65)
    stream = wild(seed, np.cumsum(steps).tolist(), pasting)
    late = [n for n in differences(stream, delay, most, since) if stream[n][0] >= stream[since][0] + delay + MARGIN]
    assert late == []


@PASTINGS
@given(seed=SEEDS, since=st.integers(1, 40))
@settings(max_examples=10, deadline=None)
def test_without_a_delay_nothing_differs(pasting: Pasting, seed: int, since: int) -> None:
    assert differences(wild(seed, (np.arange(50) / 10).tolist(), pasting), 0.0, 10_000, since) == []


@pytest.mark.parametrize("delay", [0.5, 1.0])
@given(
    seed=SEEDS,
    since=st.integers(1, 40),
    steps=st.lists(st.sampled_from([0.1, 0.1, 0.1, 0.04, -0.05, -0.3]), min_size=65, max_size=65),
)
@settings(max_examples=10, deadline=None)
def test_where_times_are_in_disorder_the_latest_counts(delay: float, seed: int, since: int, steps: list[float]) -> None:
    times = np.cumsum(steps).tolist()
    stream = wild(seed, times, "box")
    late = [
        n for n in differences(stream, delay, 10_000, since) if times[n] >= max(times[: since + 1]) + delay + MARGIN
    ]
    assert late == []


@PASTINGS
def test_from_another_clock_on_nothing_differs(pasting: Pasting) -> None:
    times = [*(100 + np.arange(30) / 10).tolist(), *(np.arange(30) / 10).tolist()]
    differing = differences(wild(1, times, pasting), 1.0, 10_000, 25)
    assert differing and max(differing) < 30


@pytest.mark.parametrize(
    ("pasting", "delay", "away", "reach"),
    [
        pytest.param("aligned", 1.0, 0.9, 1.0, id="gaps are filled for as long as the delay"),
        pytest.param("box", 0.2, 0.1, 0.3, id="boxes are steadied by those of 0.3 s"),
    ],
)
def test_less_than_that_is_too_little(pasting: Pasting, delay: float, away: float, reach: float) -> None:
    """How long after a cut results may differ, and that they do for nearly as long."""
    latest = -1.0
    for seed in range(4):
        stream = wild(seed, (np.arange(60) / 20).tolist(), pasting, away)
        for since in (11, 17, 24):
            latest = max(
                latest, *(stream[n][0] - stream[since][0] for n in differences(stream, delay, 999, since)), -1.0
            )
    assert 0.6 * reach < latest <= reach + 1e-6


def test_time_that_has_just_run_back_makes_it_longer() -> None:
    """Frames after it are told no earlier times than those before, so that gaps last less long than they seem to."""
    times = [*(np.arange(31) / 10).tolist(), *(2.1 + np.arange(40) / 10).tolist()]
    stream = []
    for number, time in enumerate(times):
        there = number <= 31 or not 2.45 < time < 3.75
        box, mask = np.array([[100, 100, 140, 200]])[: int(there)], np.ones((1, 7, 7), np.float32)[: int(there)]
        stream.append((time, seen(box, np.full(len(box), 0.99), mask, "aligned")))
    latest = max(times[number] for number in differences(stream, 1.0, 10_000, 31))
    assert times[31] + 1 + MARGIN < latest < max(times[:32]) + 1 + MARGIN
