"""A pass over a data set: perfect, empty, shifted and confused answers."""

import pytest

from streamseg.errors import UserError
from streamseg.evaluation.report import evaluate_data

A, B = (10, 10, 40, 30), (50, 20, 90, 60)
TRUTH = [("a", A), ("b", B)]


@pytest.mark.parametrize(
    ("answer", "ap50", "ap"),
    [
        ([("a", A, 0.9), ("b", B, 0.9)], {"a": 1, "b": 1, "all": 1}, {"a": 1, "b": 1}),
        ([("a", A, 0.9)], {"a": 1, "b": 0, "all": 0.5}, {"a": 1, "b": 0}),
        ([], {"a": 0, "b": 0, "all": 0}, {"a": 0, "b": 0}),
        # IoU 24/36 = 0.667: found at 0.50, 0.55, 0.60 and 0.65 only.
        ([("a", (16, 10, 46, 30), 0.9), ("b", B, 0.9)], {"a": 1, "b": 1, "all": 1}, {"a": 0.4, "b": 1}),
    ],
    ids=["perfect", "one class", "nothing", "shifted"],
)
def test_average_precision(scene, model, answer, ap50, ap):
    for _ in range(2):
        scene.picture(TRUTH)
    report = evaluate_data(model([answer] * 2), scene.data())
    assert report.images == 2
    for kind in (report.mask, report.box):
        assert {name: item.ap50 for name, item in kind.items()} == pytest.approx(ap50, abs=1e-6)
        assert {name: kind[name].ap for name in ap} == pytest.approx(ap, abs=1e-6)


def test_progress_is_told(scene, model):
    told = []
    scene.picture(TRUTH), scene.picture()
    evaluate_data(model([[]] * 2), scene.data(), report=lambda done, count: told.append((done, count)))
    assert told == [(1, 2), (2, 2)]


def test_a_model_of_other_classes_is_refused(scene, model):
    scene.picture(TRUTH)
    with pytest.raises(UserError, match=r"none of its classes \(a, b\) is known to the model \(x\)"):
        evaluate_data(model([[]], names=("x",)), scene.data())


def test_no_pictures_are_refused(scene, model):
    with pytest.raises(UserError, match="no pictures"):
        evaluate_data(model([]), scene.data())
