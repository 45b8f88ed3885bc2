"""Average precision of boxes and masks as COCO defines it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from streamseg.evaluation.truth import Entry, Id


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
        scores: float64 [D], of the results that count: those in crowd regions are neither right nor wrong.
        right: bool [D], whether they found an object, at IoU 0.50.
    """

    precision: dict[str, Precision]
    curves: dict[str, np.ndarray]
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    right: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


def average_precision(
    images: Sequence[Id], classes: Mapping[str, Id], truth: Sequence[Entry], results: Sequence[Entry], by: str
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
    unused = {"segm": "bbox", "bbox": "segmentation"}[by]
    # It sorts ids, which may be texts among numbers, and takes an object of id 0 for one that nothing matched.
    numbers = {image: number for number, image in enumerate(images)}
    labels = {category: label for label, category in enumerate(classes.values())}

    def numbered(entries: Sequence[Entry]) -> list[Entry]:
        return [
            {**entry, "id": number, "image_id": numbers[entry["image_id"]], "category_id": labels[entry["category_id"]]}
            for number, entry in enumerate(entries, 1)
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        expected = _indexed(len(numbers), len(labels), numbered(truth))
        found = _indexed(len(numbers), len(labels), [])
        if results:
            found = expected.loadRes([{key: one[key] for key in one if key != unused} for one in numbered(results)])
        evaluator = COCOeval(expected, found, by)
        evaluator.evaluate()
        evaluator.accumulate()
    # [IoU threshold, recall, class, area range (all, small, medium, large), limit of detections (1, 10, 100)]
    table = evaluator.eval["precision"][..., -1]
    figures = {"all": _precision(table)}
    curves = {}
    for label, name in enumerate(classes):
        mine = table[:, :, label]
        figures[name] = _precision(mine[:, :, None])
        curves[name] = np.where(mine[0, :, 0] > -1, mine[0, :, 0], np.nan)
    return Figures(figures, curves, *_judged(evaluator))


def _indexed(images: int, categories: int, annotations: list[Entry]) -> COCO:
    data = COCO()
    data.dataset = {
        # The size of a picture is read, but not used for run lengths, which have their own.
        "images": [{"id": number, "height": 0, "width": 0} for number in range(images)],
        "categories": [{"id": label} for label in range(categories)],
        "annotations": annotations,
    }
    data.createIndex()
    return data


def _judged(evaluator: COCOeval) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the results that count, and which of them are right."""
    every = evaluator.params.areaRng[0]
    pictures = [one for one in evaluator.evalImgs if one is not None and one["aRng"] == every]
    scores = np.array([score for one in pictures for score in one["dtScores"]])
    # The first row is that of IoU 0.50.
    right, left_out = (
        np.array([value for one in pictures for value in one[key][0]], bool) for key in ("dtMatches", "dtIgnore")
    )
    return scores[~left_out], right[~left_out]


def _precision(table: np.ndarray) -> Precision:
    """The means of ``table`` [IoU threshold, recall, class, area range]; -1 marks what has no truth."""

    def mean(values: np.ndarray) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else float("nan")

    every = table[..., 0]
    sizes = (mean(table[..., area]) for area in (1, 2, 3))
    return Precision(mean(every), mean(every[0]), mean(every[5]), *sizes)
