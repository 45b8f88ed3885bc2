"""Intersection over union and pixel accuracy of class maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from streamseg.evaluation.confusion import ConfusionTable
from streamseg.evaluation.truth import Entry, Id

BACKGROUND = "background"
UNKNOWN = -1  # a pixel of which nobody said what it is


@dataclass(frozen=True, slots=True)
class ClassPixels:
    """How well the pixels of one class are found, 0 to 1.

    Attributes:
        iou: Pixels that truth and result both give to the class, of those that either does; NaN where neither does.
        accuracy: Pixels of the class that were found, of all that it has; NaN where it has none.
    """

    iou: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class SemanticFigures:
    """Figures over all pixels of all pictures together (not means of pictures).

    Attributes:
        classes: By class name, ``"background"`` (no class at all) first.
        mean_iou: Mean IoU of the classes, background among them, that occur in truth or result.
        mean_accuracy: Mean accuracy of the classes, background among them, that occur in the truth.
        pixel_accuracy: Pixels whose class is right, of all that are known.
    """

    classes: dict[str, ClassPixels]
    mean_iou: float
    mean_accuracy: float
    pixel_accuracy: float


class SemanticScore:
    """Adds up which class the pixels have and which they were given.

    Args:
        class_names: Names of labels 1, 2, …; label 0 is background.
    """

    def __init__(self, class_names: Iterable[str]) -> None:
        self.class_names = (BACKGROUND, *class_names)
        count = len(self.class_names)
        self.counts = np.zeros((count, count), np.int64)  # rows truth, columns result

    def add(self, truth: np.ndarray, result: np.ndarray) -> float:
        """Counts the pixels of one picture.

        Args:
            truth: int [H, W], labels; ``UNKNOWN`` is left out.
            result: int [H, W], labels.

        Returns:
            Part of the known pixels whose class is right; NaN without any.
        """
        known = truth != UNKNOWN
        size = len(self.class_names)
        pairs = truth[known].astype(np.int64) * size + result[known]
        counts = np.bincount(pairs, minlength=size * size).reshape(size, size)
        self.counts += counts
        return _share(counts.trace(), counts.sum())

    def table(self) -> ConfusionTable:
        """The counts so far."""
        return ConfusionTable("pixels", self.class_names, self.class_names, self.counts)

    def figures(self) -> SemanticFigures:
        """What follows from the pixels so far."""
        right, truth, result = self.counts.diagonal(), self.counts.sum(1), self.counts.sum(0)
        either = truth + result - right
        ious = [_share(*pair) for pair in zip(right, either, strict=True)]
        accuracies = [_share(*pair) for pair in zip(right, truth, strict=True)]
        classes = {
            name: ClassPixels(*pair)
            for name, pair in zip(self.class_names, zip(ious, accuracies, strict=True), strict=True)
        }
        return SemanticFigures(classes, _mean(ious), _mean(accuracies), _share(right.sum(), truth.sum()))


def paint_truth(entries: Iterable[Entry], labels: Mapping[Id, int], height: int, width: int) -> np.ndarray:
    """Truth as a class map, int32 [height, width].

    Where objects overlap, the smaller one lies on top. Pixels in a crowd region that belong to no object are
    ``UNKNOWN``.

    Args:
        entries: COCO annotations with compressed run lengths.
        labels: Label by category id.
        height: Rows of the picture.
        width: Its columns.
    """
    entries = list(entries)
    objects = sorted((one for one in entries if not one["iscrowd"]), key=lambda one: -one["area"])
    painted = _paint(objects, labels, height, width)
    for entry in entries:
        if entry["iscrowd"]:
            painted[(painted == 0) & (coco_mask.decode(entry["segmentation"]) != 0)] = UNKNOWN
    return painted


def paint_results(entries: Iterable[Entry], labels: Mapping[Id, int], height: int, width: int) -> np.ndarray:
    """What was found as a class map, int32 [height, width]; the best score lies on top, regions have none."""
    return _paint(sorted(entries, key=lambda one: one.get("score", 1.0)), labels, height, width)


def _paint(entries: Iterable[Entry], labels: Mapping[Id, int], height: int, width: int) -> np.ndarray:
    painted = np.zeros((height, width), np.int32)
    for entry in entries:
        painted[coco_mask.decode(entry["segmentation"]) != 0] = labels[entry["category_id"]]
    return painted


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: list[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")
