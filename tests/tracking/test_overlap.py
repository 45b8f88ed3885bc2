"""Which masks lie inside others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.tracking.overlap import Shapes, area, covered, mask_intersection, mask_overlap

LEFT, RIGHT, ALL = (np.zeros((4, 4), bool) for _ in range(3))
LEFT[:, :2] = RIGHT[:, 2:] = ALL[:] = True


@pytest.mark.parametrize(
    ("box", "mask", "least", "doubled"),
    [
        pytest.param([0, 0, 40, 80], LEFT, 0.3, True, id="found twice"),
        pytest.param([0, 0, 40, 80], RIGHT, 0.3, False, id="one box, two objects"),
        pytest.param([0, 20, 20, 60], ALL, 0.9, True, id="a part of it"),
        pytest.param([-60, 0, 20, 80], ALL, 0.3, False, id="a quarter is shared"),
        pytest.param([-60, 0, 20, 80], ALL, 0.2, True, id="a quarter is enough"),
        pytest.param([40, 0, 80, 80], ALL, 0.01, False, id="side by side"),
        pytest.param([0, 0, 40, 80], ~ALL, 0.3, False, id="nothing to be covered"),
        pytest.param([5, 5, 5, 5], ALL, 0.3, False, id="a box without area"),
    ],
)
def test_what_a_mask_covers(box: list[float], mask: np.ndarray, least: float, doubled: bool) -> None:
    shapes = Shapes.of(np.array([[0, 0, 40, 80], box], float), np.stack([LEFT, mask]))
    better = np.tri(2, k=-1, dtype=bool)
    assert covered(shapes, better, least).tolist() == [False, doubled]
    assert not covered(shapes, better & False, least).any()


def test_nothing_covers_nothing() -> None:
    nothing = Shapes.of(np.zeros((0, 4)), np.zeros((0, 28, 28), bool))
    assert covered(nothing, np.zeros((0, 0), bool), 0.3).shape == (0,)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_covered_asks_every_pair_of_rivals(seed: int) -> None:
    """The bound by boxes settles pairs as their masks would, and the order of the shapes does not matter."""
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.integers(0, 60, (12, 2, 2)), axis=1).reshape(12, 4)
    shapes, rivals = Shapes.of(corners, rng.random((12, 7, 7)) < 0.6), rng.random((12, 12)) < 0.5
    rows, columns = np.nonzero(np.ones((12, 12), bool))
    shared = mask_intersection(shapes[rows], shapes[columns]).reshape(12, 12)
    expected = (rivals & (shared >= 0.3 * shapes.areas[:, None]) & (shared > 0)).any(axis=1)
    assert covered(shapes, rivals, 0.3).tolist() == expected.tolist()
    order = rng.permutation(12)
    assert covered(shapes[order], rivals[np.ix_(order, order)], 0.3).tolist() == expected[order].tolist()


def test_masks_share_square_pixels() -> None:
    boxes = np.array([[0, 0, 40, 80], [20, 0, 60, 40]], float)
    first, second = (Shapes.of(boxes[i : i + 1], ALL[None]) for i in (0, 1))
    assert mask_intersection(first, second) == pytest.approx([20 * 40])
    assert mask_overlap(first, second) == pytest.approx([800 / (area(boxes).sum() - 800)])
