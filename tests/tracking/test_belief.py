"""Evidence: what scores say of a track, how it adds up, and how it fades."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.tracking.belief import Belief

SURE = 0.99


def needed(scores: list[float | None], rate: float, best: float = SURE) -> int | None:
    """How many looks it takes until a track with these scores (None: not seen) is believed; None for never."""
    belief, total = Belief(), -math.inf
    belief.see(np.array([best]))
    for look, score in enumerate(scores, 1):
        seen = np.array([score] if score is not None else [])
        belief.see(seen)
        total *= belief.kept(1 / rate)
        if score is not None:
            said = belief.evidence(seen).sum()
            total = said if total == -math.inf else total + belief.weight(1 / rate) * said
        if total >= belief.enough:
            return look
    return None


@pytest.mark.parametrize(
    ("scores", "looks"),
    [
        pytest.param([0.999] * 9, 2, id="two of which there is no doubt"),
        pytest.param([0.99] * 9, 2, id="two sure ones"),
        pytest.param([0.98] * 9, 3, id="three not quite as sure"),
        pytest.param([0.999], None, id="never one alone"),
        pytest.param([0.9] * 200, None, id="those that are right as often as wrong say nothing"),
        pytest.param([0.8] * 200, None, id="doubtful ones never"),
        pytest.param([0.3] * 200, None, id="unlikely ones never"),
        pytest.param([0.99, 0.95, 0.99], 3, id="one less sure between sure ones delays it"),
        pytest.param([0.5, 0.99, 0.99, 0.99], 4, id="doubtful ones have to be made up for"),
        pytest.param([0.99, None, 0.99], 3, id="a look at which it was not seen"),
        pytest.param([0.99, None, None, None, 0.99], None, id="too long between sure ones"),
    ],
)
def test_how_many_looks_it_takes_at_ten_a_second(scores: list[float | None], looks: int | None) -> None:
    assert needed(scores, rate=10) == looks


@pytest.mark.parametrize(
    ("scores", "fewest", "most"),
    [([0.96] * 40, 4, 12), ([0.95] * 40, 7, 30), ([0.99, 0.8] * 20, 5, 9), ([0.98, 0.85] * 20, 5, 40)],
)
def test_the_less_sure_and_the_more_mixed_the_more_it_takes(scores: list[float], fewest: int, most: int) -> None:
    looks = needed(scores, rate=10)
    assert looks is not None and fewest <= looks <= most


@pytest.mark.parametrize("score", [0.96, 0.97, 0.98, 0.99])
def test_evidence_is_counted_by_time(score: float) -> None:
    """The first detection counts in full; half as many frames a second need half as many of the rest."""
    often, seldom = (needed([score] * 60, rate) for rate in (60, 30))
    assert often is not None and seldom is not None
    assert abs((often - 1) / 2 - (seldom - 1)) <= 1


@pytest.mark.parametrize("score", [0.95, 0.98, 0.99])
@pytest.mark.parametrize("rate", [5, 1, 1 / 60])
def test_at_low_frame_rates_each_look_counts_the_same(score: float, rate: float) -> None:
    assert needed([score] * 40, rate) == needed([score] * 40, 10) is not None


@pytest.mark.parametrize("rate", [1000, 120, 50])
def test_very_many_frames_a_second_do_not_make_up_for_doubt(rate: float) -> None:
    assert needed([0.92] * 2000, rate) is None


@pytest.mark.parametrize("best", [0.8, 0.6, 0.52])
def test_a_detector_that_is_never_sure_is_taken_at_its_own_measure(best: float) -> None:
    assert needed([best] * 5, 10, best=best) in (2, 3, 4)
    assert needed([best] * 5, 10, best=SURE) is None
    # A score of half its best log odds is as good as 0.9 is with another detector.
    half = 1 / (1 + math.exp(-math.log(best / (1 - best)) / 2))
    assert needed([half - 0.001] * 200, 10, best=best) is None


def test_a_surer_detection_changes_the_measure_from_then_on() -> None:
    belief = Belief()
    belief.see(np.array([0.7, 0.3]))
    before = belief.evidence(np.array([0.7]))[0]
    belief.see(np.array([0.99]))
    after = belief.evidence(np.array([0.7]))[0]
    belief.see(np.array([]))
    belief.see(np.array([0.2]))
    assert before > 0 > after == belief.evidence(np.array([0.7]))[0]


@given(st.lists(st.floats(0, 1), max_size=5), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_better_scores_say_more_and_no_score_says_everything(seen: list[float], one: float, other: float) -> None:
    belief = Belief()
    belief.see(np.array(seen))
    low, high = belief.evidence(np.array(sorted([one, other])))
    assert low <= high
    assert np.isfinite([low, high]).all()
    belief.see(np.array([SURE]))
    assert np.abs(belief.evidence(np.array([0.0, 1.0]))).max() <= belief.most + abs(belief.evidence(np.array([0.5]))[0])


@pytest.mark.parametrize("elapsed", [0.0, -0.1, -3600.0])
def test_time_that_does_not_pass_brings_no_evidence_and_takes_none(elapsed: float) -> None:
    belief = Belief()
    assert belief.weight(elapsed) == 0
    assert belief.kept(elapsed) == 1


def test_evidence_fades_by_the_time_between_looks() -> None:
    belief = Belief(fading=0.5)
    assert belief.kept(0.05) == pytest.approx(math.exp(-0.1))
    assert belief.kept(0.02) ** 2 == pytest.approx(belief.kept(0.04))
    assert belief.kept(math.inf) == belief.kept(0.2) > 0.8, "no more than while a detection counts for more"
    assert belief.weight(0.04) == pytest.approx(2 * belief.weight(0.02))
    assert belief.weight(0.2) == belief.weight(math.inf) == 1
