"""Everything that one pass of a model over a labelled data set tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from streamseg.errors import UserError
from streamseg.evaluation.coco import Precision, average_precision
from streamseg.evaluation.confusion import Confusion, Mistakes
from streamseg.evaluation.semantic import SemanticFigures, SemanticScore, paint_results, paint_truth
from streamseg.evaluation.truth import Entry, picture_truth
from streamseg.instances import Instances
from streamseg.training.coco import CocoData

Segment = Callable[[Sequence[np.ndarray]], list[Instances]]

# COCO ranks everything that a model is able to find, not only what is worth showing: give the segmenter this.
RANKING_THRESHOLD = 0.02
WORST = 12


@dataclass(frozen=True, slots=True)
class WorstPicture:
    """A picture with many mistakes.

    Attributes:
        index: Position in the data set.
        mistakes: What they are.
    """

    index: int
    mistakes: Mistakes


@dataclass(frozen=True, slots=True, eq=False)
class DataReport:
    """How good a model is on a data set.

    Attributes:
        images: Number of pictures.
        class_names: The data set's classes.
        unknown: Those of them that the model does not know; they count with AP 0.
        mask: Average precision of masks by class name; ``"all"`` is the mean over classes.
        box: Likewise of boxes.
        curves: Precision at mask IoU 0.50 for recall 0, 0.01, …, 1 by class name, float64 [101].
        score_threshold: Least score of what counts as found in the confusion table, class maps and pictures.
        confusion: int64 [C + 1, C + 1], see :class:`streamseg.evaluation.confusion.Confusion`.
        semantic: Intersection over union and accuracy of pixels, objects painted into class maps.
        worst: The pictures with most mistakes, worst first; none without any.
        median_ms: Median milliseconds of the model for one picture, everything from array to instances.
        p95_ms: The 95th percentile.
        results: Everything found, in COCO's results format.
    """

    images: int
    class_names: tuple[str, ...]
    unknown: tuple[str, ...]
    mask: dict[str, Precision]
    box: dict[str, Precision]
    curves: dict[str, np.ndarray]
    score_threshold: float
    confusion: np.ndarray
    semantic: SemanticFigures
    worst: tuple[WorstPicture, ...]
    median_ms: float
    p95_ms: float
    results: list[Entry]


def evaluate_data(
    segment: Segment,
    data: CocoData,
    report: Callable[[int, int], None] = lambda done, all: None,
    score_threshold: float = 0.5,
) -> DataReport:
    """Runs a model once over every picture of a data set and measures what it finds.

    Classes of model and data set belong together by name. What the model finds of other classes is left out.

    Args:
        segment: Finds objects, for example a :class:`streamseg.segmenter.Segmenter` with ``RANKING_THRESHOLD``.
        data: The truth.
        report: Called with the number of pictures done and in all.
        score_threshold: Least score of what counts as found outside of average precision, which takes everything.

    Raises:
        UserError: No picture, no class in common, or a picture or annotation that cannot be read.
    """
    if not data.images:
        raise UserError(f"{data.file}: has no pictures to evaluate")
    classes = dict(zip(data.class_names, data.category_ids, strict=True))
    labels = {category: label for label, category in enumerate(data.category_ids, 1)}
    confusion = Confusion(data.class_names, data.category_ids, score_threshold)
    semantic = SemanticScore(data.class_names)
    known: tuple[str, ...] = ()
    seconds: list[float] = []
    truth: list[Entry] = []
    results: list[Entry] = []
    mistakes: list[Mistakes] = []
    for index, entry in enumerate(data.images):
        image = data.image(index)
        size = image.shape[:2]
        begun = time.perf_counter()
        instances = segment([image])[0]
        seconds.append(time.perf_counter() - begun)
        known = known or _known(data, instances.class_names)
        there, found = picture_truth(data, index, *size), to_results(instances, entry["id"], classes, *size)
        shown = [one for one in found if one["score"] >= score_threshold]
        mistakes.append(confusion.add(there, found))
        semantic.add(paint_truth(there, labels, *size), paint_results(shown, labels, *size))
        truth += there
        results += found
        report(index + 1, len(data.images))
    images = [entry["id"] for entry in data.images]
    masks, boxes = (average_precision(images, classes, truth, results, by) for by in ("segm", "bbox"))
    return DataReport(
        images=len(images),
        class_names=data.class_names,
        unknown=tuple(name for name in data.class_names if name not in known),
        mask=masks.precision,
        box=boxes.precision,
        curves=masks.curves,
        score_threshold=score_threshold,
        confusion=confusion.counts,
        semantic=semantic.figures(),
        worst=_worst(mistakes),
        median_ms=1000 * float(np.median(seconds)),
        p95_ms=1000 * float(np.percentile(seconds, 95)),
        results=results,
    )


def to_results(found: Instances, image: int, classes: dict[str, int], height: int, width: int) -> list[Entry]:
    """Instances in COCO's results format, those of classes without a category id left out."""
    wanted = found[np.array([name in classes for name in found.names], bool)]
    rows = zip(wanted.names, wanted.boxes.tolist(), wanted.scores.tolist(), wanted.to_rle(height, width), strict=True)
    return [
        {
            "image_id": image,
            "category_id": classes[name],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": score,
            "segmentation": runs,
        }
        for name, (x1, y1, x2, y2), score, runs in rows
    ]


def _known(data: CocoData, names: Sequence[str]) -> tuple[str, ...]:
    known = tuple(name for name in data.class_names if name in names)
    if not known:
        raise UserError(
            f"{data.file}: none of its classes ({', '.join(data.class_names)}) is known to the model"
            f" ({', '.join(names)}); classes belong together by name"
        )
    return known


def _worst(mistakes: list[Mistakes]) -> tuple[WorstPicture, ...]:
    ranked = sorted(enumerate(mistakes), key=lambda pair: -pair[1].total)
    return tuple(WorstPicture(index, one) for index, one in ranked[:WORST] if one.total)
