"""Detections in streamseg's records, with masks where they have them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamseg.detections.found import FARTHEST, MOST_FRAMES, boxes_only, check_score, left_out
from streamseg.errors import UserError
from streamseg.evaluation.clip import lines_of
from streamseg.instances import Instances
from streamseg.training.segmentations import run_lengths

CELLS = 28
"""Rows and columns of a mask inside its box."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One object of a record.

    Attributes:
        label: Its class.
        score: 0 to 1; 1 where the record has none.
        box: xyxy, pixels.
        mask: Run lengths down the columns of the frame, and the frame's height, pixels; None where there is no mask.
    """

    label: str
    score: float
    box: tuple[float, ...]
    mask: tuple[np.ndarray, int] | None

    @property
    def has_area(self) -> bool:
        """Whether there is anything in its box."""
        return self.box[2] > self.box[0] and self.box[3] > self.box[1]

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of its mask's frame, pixels."""
        return None if self.mask is None else (self.mask[1], int(self.mask[0].sum()) // self.mask[1])


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One line: a frame's number, when it is shown (seconds; NaN where not known), what it is from, what is in it."""

    number: int
    seconds: float
    source: str
    objects: list[Seen]


class RecordedDetections:
    """JSON lines as ``--records`` writes them, of one source; identities in them do not matter.

    The file is read twice, so that nothing is written where a line is wrong, and so that it needs no memory. Masks are
    used where every object has one, and resampled to ``CELLS`` x ``CELLS`` inside their boxes. Boxes without area are
    left out.

    Args:
        path: The file.

    Raises:
        UserError: The file cannot be read, or a line is no such record; names file and line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        whole = _Whole(path)
        for where, record in _records(path):
            whole.add(record, where)
        self.numbers = np.array(whole.numbers, np.int64)
        seconds = np.array(whole.seconds, np.float64)
        self.seconds = None if np.isnan(seconds).any() else seconds
        self.class_names = tuple(sorted(whole.names))
        self.size = next(((width, height) for height, width in whole.sizes), None)
        self.extent = math.ceil(whole.right), math.ceil(whole.bottom)
        self.has_masks = whole.masked == whole.count
        self.notes = left_out(path, whole.flat)
        if whole.masked and not self.has_masks:
            without = f"{whole.count - whole.masked} of {whole.count} objects have no mask"
            self.notes.append(f"{path}: {without}, so only boxes are used")
        self._rest = (record for _, record in _records(path))
        self._next: Record | None = next(self._rest, None)

    def at(self, number: int) -> Instances:
        """The objects of a frame; frames are asked for in order."""
        while self._next is not None and self._next.number < number:
            self._next = next(self._rest, None)
        there = self._next.objects if self._next is not None and self._next.number == number else []
        objects = [seen for seen in there if seen.has_area]
        boxes = np.array([seen.box for seen in objects]).reshape(-1, 4)
        scores = np.array([seen.score for seen in objects])
        labels = np.array([self.class_names.index(seen.label) for seen in objects])
        if not self.has_masks:
            return boxes_only(boxes, scores, labels, self.class_names)
        masks = [mask_in_box(*seen.mask, seen.box) for seen in objects if seen.mask is not None]
        return Instances(
            boxes=boxes.astype(np.float32),
            scores=scores.astype(np.float32),
            labels=labels.astype(np.int64),
            masks=np.array(masks, np.float32).reshape(-1, CELLS, CELLS),
            ids=np.zeros(len(objects), np.int64),
            class_names=self.class_names,
            pasting="aligned",
        )


def mask_in_box(runs: np.ndarray, height: int, box: tuple[float, ...]) -> np.ndarray:
    """A mask of the whole frame as its share of each cell of its box.

    Args:
        runs: Run lengths down the columns of the frame.
        height: Rows of the frame.
        box: xyxy, pixels; what lies outside it is lost.

    Returns:
        float32 [CELLS, CELLS], 0 to 1.
    """
    ends = np.cumsum(runs)
    width = int(ends[-1]) // height
    first, last = max(0, math.floor(box[0])), min(width, math.ceil(box[2]))
    top, bottom = max(0, math.floor(box[1])), min(height, math.ceil(box[3]))
    if first >= last or top >= bottom:
        return np.zeros((CELLS, CELLS), np.float32)
    # Only the columns under the box become pixels.
    inside = np.diff(np.clip(ends, first * height, last * height), prepend=first * height)
    turns = (np.arange(len(runs)) & 1).astype(np.float32)
    pixels = np.repeat(turns, inside).reshape(last - first, height)[:, top:bottom]
    across, down = _shares(box[0], box[2], first, last), _shares(box[1], box[3], top, bottom)
    return (across @ pixels @ down.T).T


def _shares(low: float, high: float, first: int, last: int) -> np.ndarray:
    """How much each cell between ``low`` and ``high`` has of each pixel from ``first`` to ``last``: [CELLS, pixels]."""
    sides = np.linspace(low, high, CELLS + 1)
    pixels = np.arange(first, last)
    shared = np.minimum(sides[1:, None], pixels + 1) - np.maximum(sides[:-1, None], pixels)
    return np.maximum(shared * (CELLS / (high - low)), 0).astype(np.float32)


@dataclass(slots=True, eq=False)
class _Whole:
    """What all records of a file have in common."""

    path: Path
    numbers: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    count: int = 0
    masked: int = 0
    flat: int = 0
    right: float = 1.0
    bottom: float = 1.0

    def add(self, record: Record, where: str) -> None:
        """One more record.

        Raises:
            UserError: It cannot be of the same video as those before.
        """
        if self.numbers and (record.number <= self.numbers[-1] or record.seconds < self.seconds[-1]):
            raise UserError(f"{where}: comes before the line above it; give the records of one source, in order")
        self.numbers.append(record.number)
        self.seconds.append(record.seconds)
        self.sources.add(record.source)
        for seen in record.objects:
            self.names.add(seen.label)
            self.sizes |= {seen.size} if seen.size is not None else set()
            self.right, self.bottom = max(self.right, seen.box[2]), max(self.bottom, seen.box[3])
            self.count += 1
            self.masked += seen.mask is not None
            self.flat += not seen.has_area
        if len(self.sources) > 1 or len(self.sizes) > 1:
            what = "several sources" if len(self.sources) > 1 else "masks of frames of several sizes"
            raise UserError(f"{where}: {self.path} holds {what}; give the records of one source")


def _records(path: Path) -> Iterator[tuple[str, Record]]:
    for where, line in lines_of(path):
        try:
            values = json.loads(line)
            if "regions" in values:
                raise UserError(f"{where}: holds regions of classes, not objects; give the records of another model")
            number, seconds = int(values["frame"]), float(values.get("pts", math.nan))
            if not 0 <= number < MOST_FRAMES or math.isinf(seconds):
                raise UserError(f"{where}: frame {number} at {seconds:g} s is in no video; frames count from 0")
            objects = [_seen(entry, where) for entry in values["instances"]]
            yield where, Record(number, seconds, str(values.get("source", "")), objects)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{where}: not a record of streamseg ({type(error).__name__}: {reason})") from None


def _seen(entry: dict[str, Any], where: str) -> Seen:
    left, top, right, bottom = box = tuple(float(side) for side in entry["box"])
    if not all(abs(side) <= FARTHEST for side in box) or right < left or bottom < top:
        raise UserError(f"{where}: {[round(side, 3) for side in box]} is no box (left, top, right, bottom)")
    score = check_score(float(entry.get("score", 1.0)), where)
    mask = None
    if entry.get("mask") is not None:
        height, width = _size(entry["mask"]["size"])
        mask = run_lengths(entry["mask"], height, width), height
    return Seen(str(entry["label"]), score, box, mask)


def _size(size: list[int]) -> tuple[int, int]:
    height, width = size
    if not all(isinstance(side, int) and 0 < side <= FARTHEST for side in (height, width)):
        raise ValueError(f"a mask of {size} pixels")
    return height, width
