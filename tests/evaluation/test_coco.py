"""Average precision against pycocotools' own figures, and the slices that they come from."""

from __future__ import annotations

import contextlib
import io
import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from streamseg.evaluation.coco import average_precision

CLASSES = {"a": 3, "b": 7}
SIZE = (300, 400)
NAMES = ("ap", "ap50", "ap75", "small", "medium", "large")


def drawn(rng: np.random.Generator, image: int, category: int, box: list[float], **keys: float) -> dict:
    """An ellipse in a box xywh."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    left, top, width, height = box
    inside = ((x - left - width / 2) / (width / 2)) ** 2 + ((y - top - height / 2) / (height / 2)) ** 2 <= 1
    runs = coco_mask.encode(np.asfortranarray(inside, np.uint8))
    return {"image_id": image, "category_id": category, "bbox": box, "segmentation": runs, **keys}


def random_set(seed: int) -> tuple[list[dict], list[dict]]:
    """Objects of all sizes in twelve pictures, and noisy results."""
    rng = np.random.default_rng(seed)
    truth, results = [], []
    for image in range(12):
        for _ in range(rng.integers(1, 6)):
            width, height = np.exp(rng.uniform(np.log(12), np.log(170), 2))
            box = [rng.uniform(0, SIZE[1] - width), rng.uniform(0, SIZE[0] - height), width, height]
            category = int(rng.choice(list(CLASSES.values())))
            entry = drawn(rng, image, category, box, iscrowd=int(rng.random() < 0.1))
            truth.append({**entry, "area": float(coco_mask.area(entry["segmentation"]))})
            for _ in range(rng.integers(0, 3)):
                moved = [
                    value + rng.normal(0, 0.08) * size for value, size in zip(box, 2 * [width, height], strict=True)
                ]
                results.append(drawn(rng, image, category, moved, score=float(rng.random())))
        results.append(drawn(rng, image, 3, [rng.uniform(0, 300), 50, 60, 60], score=float(rng.random() / 2)))
    return truth, results


def pycocotools_says(tmp_path, truth: list[dict], results: list[dict], by: str, category: int | None) -> list[float]:
    """The first six figures of ``COCOeval.summarize``, by way of files as everybody does it."""

    def text(entry):
        return {**entry, "segmentation": {**entry["segmentation"], "counts": entry["segmentation"]["counts"].decode()}}

    unused = {"segm": "bbox", "bbox": "segmentation"}[by]
    content = {
        "images": [{"id": image, "width": SIZE[1], "height": SIZE[0]} for image in range(12)],
        "annotations": [{**text(entry), "id": number} for number, entry in enumerate(truth, 1)],
        "categories": [{"id": number, "name": name} for name, number in CLASSES.items()],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    kept = [{key: value for key, value in text(entry).items() if key != unused} for entry in results]
    (tmp_path / "results.json").write_text(json.dumps(kept))
    with contextlib.redirect_stdout(io.StringIO()):
        expected = COCO(str(tmp_path / "truth.json"))
        evaluator = COCOeval(expected, expected.loadRes(str(tmp_path / "results.json")), by)
        if category is not None:
            evaluator.params.catIds = [category]
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return [float("nan") if value == -1 else value for value in evaluator.stats[:6].tolist()]


@pytest.mark.parametrize("by", ["segm", "bbox"])
@pytest.mark.parametrize("seed", [0, 1])
def test_figures_are_those_of_pycocotools(tmp_path, seed, by):
    truth, results = random_set(seed)
    figures = average_precision(range(12), CLASSES, truth, results, by)
    for name, category in {"all": None, **CLASSES}.items():
        ours = [getattr(figures.precision[name], key) for key in NAMES]
        assert ours == pytest.approx(pycocotools_says(tmp_path, truth, results, by, category), abs=1e-9, nan_ok=True)
        assert 0.02 < figures.precision[name].ap < 0.98
    assert len({round(figures.precision["all"].ap, 6), *(round(figures.precision[n].ap, 6) for n in CLASSES)}) == 3


def test_the_curve_is_what_ap50_averages():
    truth, results = random_set(2)
    figures = average_precision(range(12), CLASSES, truth, results, "segm")
    for name, curve in figures.curves.items():
        assert curve.shape == (101,)
        assert curve.mean() == pytest.approx(figures.precision[name].ap50)
        assert (np.diff(curve) <= 1e-12).all()


def test_without_results_or_truth():
    truth, _ = random_set(0)
    some = [{**entry, "category_id": 3, "iscrowd": 0} for entry in truth]
    nothing = average_precision(range(12), CLASSES, some, [], "segm")
    assert (nothing.precision["a"].ap, nothing.precision["all"].ap) == (0, 0)
    assert math.isnan(nothing.precision["b"].ap) and np.isnan(nothing.curves["b"]).all()


def test_what_is_right_is_told_result_by_result():
    rng = np.random.default_rng(0)
    there, crowd = [20, 20, 40, 60], [200, 100, 150, 150]
    results = [
        drawn(rng, 0, 3, there, score=0.9),
        drawn(rng, 0, 3, [22, 20, 40, 60], score=0.8),  # found twice
        drawn(rng, 0, 7, there, score=0.7),  # of another class
        drawn(rng, 1, 3, there, score=0.6),  # in another picture
        drawn(rng, 0, 3, [20, 50, 40, 60], score=0.5),  # IoU 1/3
        drawn(rng, 0, 7, [220, 150, 50, 50], score=0.4),  # in a crowd
        drawn(rng, 0, 3, [220, 150, 50, 50], score=0.3),  # in one of another class
    ]
    truth = [drawn(rng, 0, 3, there, iscrowd=0, area=2400), drawn(rng, 0, 7, crowd, iscrowd=1, area=22500)]
    figures = average_precision(range(2), CLASSES, truth, results, "bbox")
    told = dict(zip(figures.scores.tolist(), figures.right.tolist(), strict=True))
    assert told == {0.9: True, 0.8: False, 0.7: False, 0.6: False, 0.5: False, 0.3: False}
    nothing = average_precision(range(2), CLASSES, truth, [], "bbox")
    assert (nothing.scores.shape, nothing.right.shape) == ((0,), (0,))


def test_ids_may_be_texts_and_zero():
    truth, results = random_set(0)
    figures = [average_precision(range(12), CLASSES, truth, results, "segm")]
    for side in (truth, results):
        for entry in side:
            entry["image_id"] = "x" if entry["image_id"] == 5 else entry["image_id"]
            entry["category_id"] = {3: 0, 7: "seven"}[entry["category_id"]]
    images = [0, 1, 2, 3, 4, "x", 6, 7, 8, 9, 10, 11]
    figures.append(average_precision(images, {"a": 0, "b": "seven"}, truth, results, "segm"))
    for name, one in figures[0].precision.items():
        assert asdict(one) == pytest.approx(asdict(figures[1].precision[name]), nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_pictures_and_objects_does_not_matter(seed):
    truth, results = random_set(3)
    random = np.random.default_rng(seed)
    before = average_precision(range(12), CLASSES, truth, results, "bbox").precision
    images = list(range(12))
    for some in (truth, results, images):
        random.shuffle(some)
    after = average_precision(images, CLASSES, truth, results, "bbox").precision
    for name, one in before.items():
        assert asdict(after[name]) == pytest.approx(asdict(one), nan_ok=True)


@pytest.mark.parametrize(("side", "size"), [(20, "small"), (60, "medium"), (150, "large")])
def test_sizes_are_those_of_pixels_not_boxes(side, size):
    # A ring of a large box has few pixels.
    rng = np.random.default_rng(0)
    entry = drawn(rng, 0, 3, [10.0, 10.0, float(side), float(side)])
    truth = [{**entry, "area": float(coco_mask.area(entry["segmentation"])), "iscrowd": 0}]
    figures = average_precision([0], {"a": 3}, truth, [{**entry, "score": 0.9}], "segm").precision["a"]
    known = {name for name in ("small", "medium", "large") if not math.isnan(getattr(figures, name))}
    assert known == {size} and getattr(figures, size) == pytest.approx(1)
