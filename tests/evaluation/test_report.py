"""A pass over a data set: perfect, empty, shifted and confused answers."""

import math

import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.evaluation.page import write_page
from streamseg.evaluation.report import evaluate_data
from streamseg.regions import Regions

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


def test_the_neutral_score_is_that_of_boxes_outside_of_crowds(scene, model):
    answers = []
    for number in range(60):
        scene.picture(TRUTH, crowds=[("a", (60, 62, 90, 80))])
        right = [("a", A, 0.8), ("b", B, 0.8)] if number % 2 else []
        answers.append([*right, ("b", (5, 50, 25, 70), 0.8), ("a", (62, 63, 88, 78), 0.99)])
    assert evaluate_data(model(answers), scene.data()).neutral_score == pytest.approx(0.8, abs=1e-3)
    assert evaluate_data(model(answers[:1] * 60), scene.data()).neutral_score is None


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


def test_everything_else_that_one_pass_tells(scene, model):
    scene.picture(TRUTH)
    scene.picture([("a", A)])
    scene.picture([("a", A)])
    answers = [[("a", A, 0.9), ("b", B, 0.9)], [("b", A, 0.9), ("a", B, 0.45)], [("a", B, 0.9)]]
    report = evaluate_data(model(answers), scene.data())
    assert report.confusion.counts.tolist() == [[1, 1, 1], [0, 1, 0], [1, 0, 0]]
    assert [(one.index, one.note) for one in report.worst] == [
        (2, "1 missed, 1 false, 0 confused"),
        (1, "0 missed, 0 false, 1 confused"),
    ]
    assert report.semantic.classes["a"].accuracy == pytest.approx(1 / 3)
    assert len(report.results) == 5 and 0 < report.median_ms <= report.p95_ms
    low = evaluate_data(model(answers), scene.data(), score_threshold=0.4)
    assert low.confusion.counts.tolist() == [[1, 1, 1], [0, 1, 0], [2, 0, 0]]
    assert low.mask["a"].ap == report.mask["a"].ap


def test_classes_belong_together_by_name(scene, model):
    scene.picture(TRUTH)
    report = evaluate_data(model([[("z", A, 0.9), ("b", B, 0.9)]], names=("z", "b")), scene.data())
    assert report.unknown == ("a",)
    assert (report.mask["a"].ap, report.mask["b"].ap) == (0, pytest.approx(1))
    assert report.confusion.counts.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_what_is_in_a_crowd_or_not_labelled_is_neither_right_nor_wrong(scene, model):
    scene.picture([("a", A)], crowds=[("b", B)])
    scene.picture([("a", A)], labelled_categories=[scene.category("a")])
    scene.picture([("b", B)])
    answers = [[("a", A, 0.8), ("b", B, 0.9)]] * 2 + [[("b", B, 0.7)]]
    report = evaluate_data(model(answers), scene.data())
    assert (report.mask["a"].ap, report.mask["b"].ap) == pytest.approx((1, 1))
    assert report.confusion.counts.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert (report.semantic.mean_iou, report.worst) == (1, ())
    false = evaluate_data(model([[], [("a", B, 0.9)], []]), scene.data())
    assert false.confusion.counts.tolist() == [[0, 0, 2], [0, 0, 1], [1, 0, 0]]


def test_a_crowd_without_a_class_is_one_of_every_class(scene, model):
    scene.picture(TRUTH)
    scene.picture(crowds=[("a", A)])
    del scene.content["annotations"][-1]["category_id"]
    answers = [[("a", A, 0.5), ("b", B, 0.5)], [("a", A, 0.9), ("b", A, 0.9)]]
    report = evaluate_data(model(answers), scene.data())
    assert report.mask["all"].ap == pytest.approx(1)
    assert report.confusion.counts[-1].tolist() == [0, 0, 0]


def test_a_model_that_finds_regions_has_pixels_only(scene, tmp_path):
    scene.picture(TRUTH, crowds=[("a", (0, 62, 100, 80))])
    scene.picture([("a", A)])

    def segment(images):
        labels = np.zeros((80, 100), np.uint8)
        labels[20:60, 50:90], labels[10:30, 10:25], labels[70:, :] = 2, 3, 1
        return [Regions(labels, ("z", "b", "a"))]

    data = scene.data()
    report = evaluate_data(segment, data)
    assert (report.mask, report.box, report.curves) == ({}, {}, {})
    assert (report.confusion.things, report.confusion.rows) == ("pixels", ("background", "a", "b"))
    assert report.confusion.counts[2].tolist() == [0, 0, 40 * 40]
    assert report.semantic.classes["a"].iou == pytest.approx(0.5)
    assert report.semantic.classes["b"].iou == pytest.approx(0.5)
    assert report.semantic.classes["b"].accuracy == 1
    assert [one.index for one in report.worst] == [1, 0]
    assert set(report.results[0]) == {"image_id", "category_id", "segmentation"}
    assert sorted(entry["category_id"] for entry in report.results) == [5, 5, 9, 9]
    write_page(tmp_path / "page.html", "regions", report, data)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<img") == 8 and "of the pixels right" in page and "Average precision" not in page


def test_a_class_without_truth_has_no_figure(scene, model):
    scene.picture([("a", A)])
    report = evaluate_data(model([[("a", A, 0.9)]]), scene.data())
    assert math.isnan(report.mask["b"].ap) and report.mask["all"].ap == pytest.approx(1)
