"""Average precision of boxes and masks as COCO defines it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from streamseg.evaluation.truth import Entry


@dataclass(frozen=True, slots=True)
class Precision:
    """COCO's average precision, 0 to 1; NaN where there is no truth.

    Attributes:
        ap: Mean over IoU 0.50 to 0.95.
        ap50: At IoU 0.50.
        ap75: At IoU 0.75.
        small: Objects below 32² square pixels; mean over IoU, like the next two.
        medium: Objects from 32² to 96² square pixels.
        large: Objects above 96² square pixels.
    """

    ap: float
    ap50: float
    ap75: float
    small: float
    medium: float
    large: float


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Average precision of one kind of overlap.

    Attributes:
        precision: By class name; ``"all"``, the mean over classes, comes first.
        curves: Precision at IoU 0.50 by class name, float64 [101], for recall 0, 0.01, …, 1; all NaN without truth.
    """

    precision: dict[str, Precision]
    curves: dict[str, np.ndarray]


def average_precision(
    images: Iterable[int], classes: dict[str, int], truth: Sequence[Entry], results: Sequence[Entry], by: str
) -> Figures:
    """Scores results against truth.

    Args:
        images: Every picture's id, those without objects too.
        classes: Category id by class name.
        truth: COCO annotations, see :func:`streamseg.evaluation.truth.picture_truth`; ``id`` is not needed.
        results: COCO results; a low score threshold gives COCO the whole ranking that it wants. At most 100 of each
            class in a picture count, best first.
        by: ``"segm"`` for masks or ``"bbox"`` for boxes.
    """
    # With a box in the results pycocotools would judge the size of masks by it, not by their pixels.
    other = {"segm": "bbox", "bbox": "segmentation"}[by]
    # pycocotools reads the size of a picture, and does not use it for run lengths, which have their own.
    pictures = [{"id": image, "height": 0, "width": 0} for image in images]
    categories = [{"id": category, "name": name} for name, category in classes.items()]
    with contextlib.redirect_stdout(io.StringIO()):
        expected = _indexed(pictures, categories, truth)
        found = _indexed(pictures, categories, [])
        if results:
            found = expected.loadRes([{key: value for key, value in one.items() if key != other} for one in results])
        evaluator = COCOeval(expected, found, by)
        evaluator.evaluate()
        evaluator.accumulate()
    order = evaluator.params.catIds
    # [IoU threshold, recall, class, area range (all, small, medium, large), limit of detections (1, 10, 100)]
    table = evaluator.eval["precision"][..., -1]
    figures = {"all": _precision(table)}
    curves = {}
    for name, category in classes.items():
        mine = table[:, :, order.index(category)]
        figures[name] = _precision(mine[:, :, None])
        curves[name] = np.where(mine[0, :, 0] > -1, mine[0, :, 0], np.nan)
    return Figures(figures, curves)


def _indexed(images: list[Entry], categories: list[Entry], annotations: Sequence[Entry]) -> COCO:
    data = COCO()
    # From 1: pycocotools takes an object of id 0 for one that nothing matched.
    numbered = [{**annotation, "id": number} for number, annotation in enumerate(annotations, 1)]
    data.dataset = {"images": images, "categories": categories, "annotations": numbered}
    data.createIndex()
    return data


def _precision(table: np.ndarray) -> Precision:
    """The means of ``table`` [IoU threshold, recall, class, area range]; -1 marks what has no truth."""

    def mean(values: np.ndarray) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else float("nan")

    every = table[..., 0]
    sizes = (mean(table[..., area]) for area in (1, 2, 3))
    return Precision(mean(every), mean(every[0]), mean(every[5]), *sizes)
