"""Which class objects were taken for: a table of truth against prediction, object by object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from streamseg.evaluation.truth import Entry, Id


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionTable:
    """Which class things were taken for.

    Attributes:
        things: What was counted: ``"objects"`` or ``"pixels"``.
        rows: What they are: class names and ``"nothing there"``, or for pixels ``"background"`` and class names.
        columns: What they were taken for: class names and ``"missed"``, or as ``rows``.
        counts: int64 [rows, columns].
    """

    things: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: np.ndarray


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What went wrong in one picture, in objects.

    Attributes:
        missed: Objects that were not found.
        false: Found where nothing is.
        confused: Found under another class.
    """

    missed: int
    false: int
    confused: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.missed + self.false + self.confused

    def __str__(self) -> str:
        return f"{self.missed} missed, {self.false} false, {self.confused} confused"


class Confusion:
    """Adds up truth against prediction.

    Within a picture predictions take objects of their own class first, best score first, each the free one that it
    overlaps most (as COCO does); what is left then takes objects of any class in the same way. A prediction that takes
    nothing is left out where at least half of it lies in a crowd region of its class, else it is false.

    Args:
        class_names: Names of the classes.
        categories: Their category ids, in the same order.
        score_threshold: Least score of a prediction, 0 to 1.
        iou_threshold: Least mask IoU between a prediction and the object that it takes.

    Attributes:
        counts: int64 [C + 1, C + 1]; rows are truth, the last one "nothing there"; columns are predictions, the last
            one "missed".
    """

    def __init__(
        self,
        class_names: Sequence[str],
        categories: Sequence[Id],
        score_threshold: float = 0.5,
        iou_threshold: float = 0.5,
    ) -> None:
        self.class_names = tuple(class_names)
        self.score_threshold, self.iou_threshold = score_threshold, iou_threshold
        self._labels = {category: label for label, category in enumerate(categories)}
        self.counts = np.zeros((len(self.class_names) + 1,) * 2, np.int64)

    def add(self, truth: Iterable[Entry], results: Iterable[Entry]) -> Mistakes:
        """Counts one picture: COCO annotations and results with compressed run lengths."""
        truth = list(truth)
        objects = [entry for entry in truth if not entry["iscrowd"]]
        crowds = [entry for entry in truth if entry["iscrowd"]]
        found = [entry for entry in results if entry["score"] >= self.score_threshold]
        found.sort(key=lambda entry: -entry["score"])
        rows, columns = (np.array([self._labels[entry["category_id"]] for entry in side]) for side in (objects, found))
        taken = self._match(_overlap(found, objects, crowd=False), columns, rows)
        forgiven = self._forgiven(found, crowds)

        before = self.counts.copy()
        nothing = len(self.class_names)
        for position, label in enumerate(columns):
            if taken[position] >= 0:
                self.counts[rows[taken[position]], label] += 1
            elif not forgiven[position]:
                self.counts[nothing, label] += 1
        for position in set(range(len(objects))) - set(taken.tolist()):
            self.counts[rows[position], nothing] += 1
        new = self.counts - before
        inside = new[:nothing, :nothing]
        return Mistakes(int(new[:, nothing].sum()), int(new[nothing].sum()), int(inside.sum() - inside.trace()))

    def table(self) -> ConfusionTable:
        """The counts so far."""
        rows, columns = (*self.class_names, "nothing there"), (*self.class_names, "missed")
        return ConfusionTable("objects", rows, columns, self.counts)

    def _match(self, overlap: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The object that each prediction takes, -1 for none."""
        taken = np.full(len(columns), -1)
        free = np.ones(len(rows), bool)
        for own in (True, False):
            for position in np.flatnonzero(taken < 0):
                allowed = free & (rows == columns[position]) if own else free
                worth = np.where(allowed & (overlap[position] >= self.iou_threshold), overlap[position], 0)
                if worth.any():
                    taken[position] = worth.argmax()
                    free[taken[position]] = False
        return taken

    def _forgiven(self, found: list[Entry], crowds: list[Entry]) -> np.ndarray:
        inside = _overlap(found, crowds, crowd=True) >= self.iou_threshold
        same = [[one["category_id"] == other["category_id"] for other in crowds] for one in found]
        return (inside & np.array(same, bool).reshape(inside.shape)).any(axis=1)


def _overlap(found: list[Entry], there: list[Entry], crowd: bool) -> np.ndarray:
    """Mask IoU [K, N]; with ``crowd`` the part of each found mask that lies inside."""
    if not found or not there:
        return np.zeros((len(found), len(there)))
    masks = ([entry["segmentation"] for entry in side] for side in (found, there))
    return np.asarray(coco_mask.iou(*masks, [int(crowd)] * len(there)))
