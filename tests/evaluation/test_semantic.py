"""Intersection over union and pixel accuracy of class maps, counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamseg.evaluation.semantic import UNKNOWN, SemanticScore, paint_results, paint_truth
from streamseg.masks import Patch, encode

MAPS = arrays.arrays(np.int32, (6, 8), elements=st.integers(0, 2))


def scored(truth, result):
    score = SemanticScore(("a", "b"))
    score.add(np.array(truth), np.array(result))
    return score.figures()


def test_counted_by_hand():
    figures = scored([[0, 0, 1, 1], [2, 2, UNKNOWN, UNKNOWN]], [[0, 1, 1, 0], [2, 2, 2, 1]])
    assert {name: (one.iou, one.accuracy) for name, one in figures.classes.items()} == {
        "background": (pytest.approx(1 / 3), 0.5),
        "a": (pytest.approx(1 / 3), 0.5),
        "b": (1.0, 1.0),
    }
    assert figures.mean_iou == pytest.approx((1 / 3 + 1 / 3 + 1) / 3)
    assert figures.mean_accuracy == pytest.approx(2 / 3)
    assert figures.pixel_accuracy == pytest.approx(4 / 6)


def test_a_class_that_never_occurs_is_left_out_of_the_mean():
    figures = scored([[0, 1]], [[0, 1]])
    assert math.isnan(figures.classes["b"].iou) and figures.mean_iou == 1
    false = scored([[0, 1]], [[2, 1]])
    assert (false.classes["b"].iou, false.mean_iou) == (0, pytest.approx(1 / 3))
    assert math.isnan(false.classes["b"].accuracy) and false.mean_accuracy == 0.5


def test_pictures_are_added_up_not_averaged():
    score = SemanticScore(("a",))
    assert score.add(np.ones((1, 9), int), np.ones((1, 9), int)) == 1
    assert score.add(np.ones((1, 1), int), np.zeros((1, 1), int)) == 0
    assert score.figures().classes["a"].iou == pytest.approx(0.9)


def test_a_picture_of_which_nothing_is_known():
    score = SemanticScore(("a",))
    assert math.isnan(score.add(np.full((2, 2), UNKNOWN), np.ones((2, 2), int)))
    assert math.isnan(score.figures().pixel_accuracy)


@given(MAPS, MAPS)
@settings(max_examples=20, deadline=None)
def test_laws(truth, result):
    perfect = scored(truth, truth)
    assert (perfect.mean_iou, perfect.pixel_accuracy) == (1, 1)
    one, other = scored(truth, result), scored(result, truth)
    for name, figures in one.classes.items():
        assert figures.iou == pytest.approx(other.classes[name].iou, nan_ok=True)
        assert not figures.iou > figures.accuracy + 1e-12
    assert one.pixel_accuracy == other.pixel_accuracy


def entry(category, box, **keys):
    x1, y1, x2, y2 = box
    runs = encode(Patch(np.ones((y2 - y1, x2 - x1), bool), x1, y1), 4, 6)
    return {"category_id": category, "segmentation": runs, "area": (x2 - x1) * (y2 - y1), "iscrowd": 0, **keys}


def test_the_best_score_lies_on_top():
    entries = [entry(7, (0, 0, 3, 4), score=0.9), entry(8, (2, 0, 6, 4), score=0.6)]
    painted = paint_results(entries, {7: 1, 8: 2}, 4, 6)
    assert painted.tolist() == [[1, 1, 1, 2, 2, 2]] * 4


def test_small_truth_lies_on_top_and_crowds_make_the_rest_unknown():
    entries = [
        entry(8, (1, 1, 2, 2)),
        entry(7, (0, 0, 4, 4)),
        entry(7, (3, 0, 5, 4), iscrowd=1),
    ]
    painted = paint_truth(entries, {7: 1, 8: 2}, 4, 6)
    assert painted.tolist() == [[1, 1, 1, 1, UNKNOWN, 0], [1, 2, 1, 1, UNKNOWN, 0], *[[1, 1, 1, 1, UNKNOWN, 0]] * 2]
