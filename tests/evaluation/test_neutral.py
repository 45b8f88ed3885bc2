"""Which score is neutral: detections made up with a known calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from streamseg.evaluation.neutral import neutral_score


def drawn(neutral: float, slope: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all sizes, and whether each is right: at odds that are those above ``neutral`` times ``slope``."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(neutral / 2, 2.5, count)
    return expit(odds), rng.random(count) < expit(slope * (odds - neutral))


@pytest.mark.parametrize("count", [200, 5000])
@pytest.mark.parametrize("slope", [0.6, 1.0, 2.0])
@pytest.mark.parametrize("neutral", [0.4, 1.0, 2.4, 3.5])
def test_the_score_that_a_calibration_says(neutral: float, slope: float, count: int) -> None:
    error = 8 / np.sqrt(count) / min(slope, 1)  # of log odds
    assert expit(neutral - error) < neutral_score(*drawn(neutral, slope, count)) < expit(neutral + error)


@pytest.mark.parametrize(
    ("neutral", "expected"), [(-2.0, 0.55), (5.5, 0.98)], ids=["doubtful ones are right", "sure ones are wrong"]
)
def test_what_a_tracker_cannot_work_with_is_not_said(neutral: float, expected: float) -> None:
    assert neutral_score(*drawn(neutral, 1.0, 3000)) == expected


LOW, HIGH = [0.3] * 30, [0.95] * 30
TABLES = {
    "no detections": ([], [], None),
    "few are right": ([*LOW, *HIGH[:23]], [False] * 30 + [True] * 23, None),
    "few are wrong": ([*LOW[:23], *HIGH], [False] * 23 + [True] * 30, None),
    "all are right": (HIGH * 4, [True] * 120, None),
    "the doubtful ones are right": ([*LOW, *HIGH], [True] * 30 + [False] * 30, None),
    "the scores are all the same": ([0.8] * 80, [True, False] * 40, 0.8),
    "the scores are all 1": ([1.0] * 80, [True, False] * 40, 0.98),
    "told apart without a mistake": ([*LOW, *HIGH], [False] * 30 + [True] * 30, 0.74),
    "hosts of detections that are hardly any": ([0.05] * 9000 + [0.8] * 80, [False] * 9000 + [True, False] * 40, 0.8),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name: str) -> None:
    scores, right, expected = TABLES[name]
    assert neutral_score(np.array(scores), np.array(right)) == pytest.approx(expected, abs=0.01)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_one_sure_mistake_changes_little_and_the_order_nothing(seed: int) -> None:
    scores, right = drawn(2.4, 1.0, 400, seed)
    before = neutral_score(scores, right)
    order = np.random.default_rng(seed).permutation(len(scores))
    assert neutral_score(scores[order], right[order]) == pytest.approx(before, abs=1e-4)
    assert before < neutral_score(np.append(scores, 1 - 1e-9), np.append(right, False)) < before + 0.01
