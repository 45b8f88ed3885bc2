from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.benchmark.timing import Stopwatch, Timing, together


def test_figures_of_known_laps():
    timing = Timing(4, 2.0, 1.0, (0.1, 0.4, 0.3, 0.2))
    assert (timing.fps, timing.mean_ms, timing.cpu_ms) == (2, 500, 250)
    assert (timing.median_ms, timing.p95_ms) == (pytest.approx(250), 400)
    assert timing.figures()["ms"] == {"mean": 500, "median": pytest.approx(250), "p95": 400}
    assert timing.figures()["cpu_seconds"] == 0.25


@pytest.mark.parametrize(("laps", "expected"), [(1, 1), (19, 19), (20, 19), (21, 20), (100, 95), (1000, 950)])
def test_p95_is_the_least_that_95_of_100_stay_within(laps, expected):
    seconds = [number / 1000 for number in range(1, laps + 1)]
    assert Timing(laps, 1, 1, tuple(reversed(seconds))).p95_ms == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0.01, 100)), min_size=1, max_size=5))
def test_rounds_together_are_their_sums(rounds):
    timings = [Timing(frames, seconds, seconds / 2, (seconds / frames,) * frames) for frames, seconds in rounds]
    whole = together(timings)
    assert whole.frames == len(whole.laps) == sum(frames for frames, _ in rounds)
    assert whole.seconds == pytest.approx(sum(seconds for _, seconds in rounds))
    assert whole.fps * whole.mean_ms == pytest.approx(1000)
    assert min(one.fps for one in timings) * 0.999 <= whole.fps <= max(one.fps for one in timings) * 1.001


def test_a_lap_of_several_frames_is_shared_by_them():
    watch = Stopwatch()
    with watch.lap(4):
        sum(range(1000))
    timing = watch.stop()
    assert timing.frames == 4 and len(set(timing.laps)) == 1
    assert sum(timing.laps) <= timing.seconds


def test_what_comes_one_by_one_is_handed_on_and_counted():
    watch = Stopwatch()
    assert list(watch.waiting(iter([[1, 2], [3]]), frames=len)) == [[1, 2], [3]]
    assert watch.stop().frames == 3


def test_the_clock_waits_for_the_device():
    finished = []
    watch = Stopwatch(lambda: finished.append(1))
    with watch.lap():
        assert len(finished) == 1
    assert len(finished) == 2
    watch.stop()
    assert len(finished) == 3
