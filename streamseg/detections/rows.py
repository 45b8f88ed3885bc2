"""Detections in rows, as MOTChallenge has them in ``det.txt``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamseg.detections.found import FARTHEST, MOST_FRAMES, boxes_only, check_score, left_out
from streamseg.errors import UserError
from streamseg.evaluation.clip import lines_of
from streamseg.instances import Instances
from streamseg.motchallenge import UNKNOWN, class_name, is_number

_FORMAT = "a row is frame,id,left,top,width,height[,score[,class,…]]"


class RowDetections:
    """Rows ``frame,id,left,top,width,height[,score[,class,…]]`` with frames from 1, in any order.

    Columns are parted by commas or blanks. The id does not matter; scores are 0 to 1, and 1 where the column is
    missing. A class is a whole number from 1; rows without one (-1, or ten columns that end in a place in the world, as
    in MOT15) are of one unknown class. Boxes without area are left out.

    Args:
        path: The file.
        length: Number of frames of the video; None for those up to the last in the file.

    Raises:
        UserError: The file cannot be read or is not as it must be; names file and line.
    """

    seconds: np.ndarray | None = None
    size: tuple[int, int] | None = None
    has_masks: bool = False

    def __init__(self, path: Path, length: int | None = None) -> None:
        self.path = path
        rows = np.array([_row(line, where, length or MOST_FRAMES) for where, line in lines_of(path)], np.float64)
        rows = rows.reshape(-1, 7)
        real = (rows[:, 3:5] > rows[:, 1:3]).all(axis=1)
        self.notes = left_out(path, int((~real).sum()))
        rows = rows[real]
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        frames = rows[:, 0].astype(np.int64)
        self.numbers = np.arange(length if length is not None else frames[-1] + 1 if len(frames) else 0)
        self.extent = _reach(rows[:, 1:5])
        self._boxes, self._scores = rows[:, 1:5], rows[:, 5]
        classes, self._labels = np.unique(rows[:, 6], return_inverse=True)
        self.class_names = tuple(class_name(int(number)) for number in classes)
        self._starts = np.searchsorted(frames, np.arange(len(self.numbers) + 1))

    def at(self, number: int) -> Instances:
        """The objects of a frame, best known by their boxes."""
        part = slice(0, 0)
        if number < len(self.numbers):
            part = slice(self._starts[number], self._starts[number + 1])
        return boxes_only(self._boxes[part], self._scores[part], self._labels[part], self.class_names)


def _row(line: str, where: str, most: int) -> tuple[float, ...]:
    """Frame from 0, box xyxy, score and class."""
    words = line.split(",") if "," in line else line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        wrong = next(word.strip() for word in words if not is_number(word))
        raise UserError(f"{where}: {wrong[:20]!r} is no number; {_FORMAT}") from None
    if len(values) < 6:
        raise UserError(f"{where}: {len(values)} columns; {_FORMAT}")
    frame, _, left, top, width, height = values[:6]
    if not 1 <= frame <= most or frame != int(frame):
        raise UserError(f"{where}: frame {frame:g} is not a whole number from 1 to {most}")
    box = (left, top, left + width, top + height)
    if not all(abs(side) <= FARTHEST for side in box):
        raise UserError(f"{where}: the box {left:g}, {top:g}, {width:g}, {height:g} lies in no picture; {_FORMAT}")
    if width < 0 or height < 0:
        raise UserError(f"{where}: width {width:g} or height {height:g} is negative; {_FORMAT}")
    score = check_score(values[6], where) if len(values) > 6 else 1.0
    return (frame - 1, *box, score, _class(values, where))


def _class(values: list[float], where: str) -> int:
    if len(values) < 8 or values[7] == UNKNOWN or (len(values) == 10 and values[8:] != [-1, -1]):
        return UNKNOWN
    number = values[7]
    if not 1 <= number < MOST_FRAMES or number != int(number):
        raise UserError(f"{where}: class {number:g} is not a whole number from 1 (-1: none)")
    return int(number)


def _reach(boxes: np.ndarray) -> tuple[int, int]:
    width, height = np.ceil(np.max(boxes[:, 2:], axis=0, initial=1)).astype(int).tolist()
    return width, height
