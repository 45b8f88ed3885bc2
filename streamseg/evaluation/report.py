"""Everything that one pass of a model over a labelled data set tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamseg.errors import UserError
from streamseg.evaluation.coco import Figures, Precision, average_precision
from streamseg.evaluation.confusion import Confusion, ConfusionTable
from streamseg.evaluation.neutral import neutral_score
from streamseg.evaluation.semantic import SemanticFigures, SemanticScore, paint_results, paint_truth
from streamseg.evaluation.truth import Entry, Id, picture_truth
from streamseg.instances import Instances
from streamseg.regions import Regions
from streamseg.training.coco import CocoData

Segment = Callable[[Sequence[np.ndarray]], Sequence[Instances | Regions]]

# COCO ranks everything that a model is able to find, not only what is worth showing: give the segmenter this.
RANKING_THRESHOLD = 0.02
WORST = 12


@dataclass(frozen=True, slots=True)
class WorstPicture:
    """A picture with many mistakes.

    Attributes:
        index: Position in the data set.
        note: What they are, in words.
    """

    index: int
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class DataReport:
    """How good a model is on a data set.

    A model that finds regions, not objects, has ``semantic`` figures only: ``mask``, ``box`` and ``curves`` are empty.

    Attributes:
        images: Number of pictures.
        class_names: The data set's classes.
        unknown: Those of them that the model does not know; they count as not found.
        mask: Average precision of masks by class name; ``"all"``, the mean over classes, comes first.
        box: Likewise of boxes.
        curves: Precision at mask IoU 0.50 for recall 0, 0.01, …, 1 by class name, float64 [101].
        score_threshold: Least score of what counts as found in confusion table, class maps and pictures.
        confusion: Which class objects, or for regions pixels, were taken for.
        semantic: Intersection over union and accuracy of pixels; objects are painted into class maps.
        worst: The pictures with most mistakes, worst first; those without any are not among them.
        neutral_score: Score of detections of which half are right, by box; see
            :func:`streamseg.evaluation.neutral.neutral_score`.
        median_ms: Median milliseconds of the model for one picture, everything from array to instances.
        p95_ms: The 95th percentile.
        results: Everything found, in COCO's results format; regions have neither ``bbox`` nor ``score``.
    """

    images: int
    class_names: tuple[str, ...]
    unknown: tuple[str, ...]
    mask: dict[str, Precision]
    box: dict[str, Precision]
    curves: dict[str, np.ndarray]
    score_threshold: float
    confusion: ConfusionTable
    semantic: SemanticFigures
    worst: tuple[WorstPicture, ...]
    neutral_score: float | None
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
        segment: Finds objects or regions: a :class:`streamseg.segmenter.Segmenter` with ``RANKING_THRESHOLD``.
        data: The truth.
        report: Called with the number of pictures done and in all.
        score_threshold: Least score of what counts as found outside of average precision, which takes everything.

    Raises:
        UserError: No picture, no class in common, or a picture or annotation that cannot be read.
    """
    if not data.images:
        raise UserError(f"{data.file}: has no pictures to evaluate")
    tally = _Tally(data, score_threshold)
    seconds = []
    for index in range(len(data)):
        image = data.image(index)
        begun = time.perf_counter()
        found = segment([image])[0]
        seconds.append(time.perf_counter() - begun)
        if not index:
            unknown = _unknown(data, found.class_names)
        tally.add(index, found, *image.shape[:2])
        report(index + 1, len(data))
    objects = isinstance(found, Instances)
    masks, boxes = (tally.precision(by) if objects else Figures({}, {}) for by in ("segm", "bbox"))
    return DataReport(
        images=len(data),
        class_names=data.class_names,
        unknown=unknown,
        mask=masks.precision,
        box=boxes.precision,
        curves=masks.curves,
        score_threshold=score_threshold,
        confusion=(tally.confusion if objects else tally.semantic).table(),
        semantic=tally.semantic.figures(),
        worst=tally.worst(),
        neutral_score=neutral_score(boxes.scores, boxes.right),
        median_ms=1000 * float(np.median(seconds)),
        p95_ms=1000 * float(np.percentile(seconds, 95)),
        results=tally.results,
    )


class _Tally:
    """What was found so far."""

    def __init__(self, data: CocoData, score_threshold: float) -> None:
        self._data, self._score_threshold = data, score_threshold
        self._classes = dict(zip(data.class_names, data.category_ids, strict=True))
        self._labels = {category: label for label, category in enumerate(data.category_ids, 1)}
        self._truth: list[Entry] = []
        self._mistakes: list[tuple[float, WorstPicture]] = []
        self.confusion = Confusion(data.class_names, data.category_ids, score_threshold)
        self.semantic = SemanticScore(data.class_names)
        self.results: list[Entry] = []

    def add(self, index: int, found: Instances | Regions, height: int, width: int) -> None:
        """Takes in what was found in picture ``index``."""
        there = picture_truth(self._data, index, height, width)
        results = to_results(found, self._data.images[index]["id"], self._classes, height, width)
        shown = [one for one in results if one.get("score", 1.0) >= self._score_threshold]
        maps = (
            paint(side, self._labels, height, width) for paint, side in ((paint_truth, there), (paint_results, shown))
        )
        right = self.semantic.add(*maps)
        if isinstance(found, Instances):
            mistakes = self.confusion.add(there, results)
            self._mistakes.append((mistakes.total, WorstPicture(index, str(mistakes))))
        elif right < 1:  # NaN where nothing is known of the picture
            self._mistakes.append((1 - right, WorstPicture(index, f"{100 * right:.0f} % of the pixels right")))
        self._truth += there
        self.results += results

    def precision(self, by: str) -> Figures:
        """Average precision of ``"segm"`` or ``"bbox"``."""
        images = [entry["id"] for entry in self._data.images]
        return average_precision(images, self._classes, self._truth, self.results, by)

    def worst(self) -> tuple[WorstPicture, ...]:
        """The pictures with most mistakes."""
        ranked = sorted(self._mistakes, key=lambda pair: -pair[0])
        return tuple(picture for number, picture in ranked[:WORST] if number)


def to_results(
    found: Instances | Regions, image: Id, classes: Mapping[str, Id], height: int, width: int
) -> list[Entry]:
    """Instances or regions in COCO's results format, those of classes without a category id left out."""
    if isinstance(found, Regions):
        return [
            {"image_id": image, "category_id": classes[name], "segmentation": runs}
            for name, runs in zip(found.names, found.to_rle(), strict=True)
            if name in classes
        ]
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


def _unknown(data: CocoData, names: Sequence[str]) -> tuple[str, ...]:
    unknown = tuple(name for name in data.class_names if name not in names)
    if len(unknown) == len(data.class_names):
        raise UserError(
            f"{data.file}: none of its classes ({', '.join(data.class_names)}) is known to the model"
            f" ({', '.join(names)}); classes belong together by name"
        )
    return unknown
