"""MOTChallenge files: truth (``gt.txt``) and results of trackers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from streamseg.errors import UserError
from streamseg.evaluation.clip import LARGEST_ID, Clip, lines_of
from streamseg.motchallenge import MOT_CLASSES, class_name, sequence_info

FORGIVEN = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection
REGION = 13


def read_mot_truth(path: Path) -> Clip:
    """Reads ``gt.txt``: rows ``frame,id,left,top,width,height[,flag[,class[,visibility]]]``, frames from 1.

    Objects to find are those with flag 1 (all where the column is missing). Others serve the rules of TrackEval: what
    is found on a person on a vehicle, a static person, a distractor or a reflection is left out. So is, beyond
    TrackEval, what is found on nothing and lies more than half in a region (class 13). Rows of ten columns are those of
    MOT15, which has no classes. Ids may begin with 0.

    Args:
        path: The file; its ``seqinfo.ini``, if there is one, tells the number of frames, and from which height on what
            hits nothing is wrong (``minHeight``, the rule of the KITTI benchmark).

    Raises:
        UserError: A file cannot be read or is not as it must be; names file and line.
    """
    info = sequence_info(path)
    clip = Clip(path, {}, None, exhaustive=False)
    if info is not None:
        clip.length, clip.min_height = info.length, info.min_height or 0.0
    labels: set[str] = set()
    others = []
    for row in _rows(path, clip.length):
        number, identity, box = _place(row)
        kind = _class(row)
        if _counts(row):
            labels.add(_label(row))
            clip.group(number, _label(row)).add(identity, box, forgives=kind in FORGIVEN)
        elif kind == REGION:
            clip.regions.setdefault(number, []).append(box)
        else:
            others.append((number, identity, box, kind))
    clip.labels = tuple(sorted(labels)) or (MOT_CLASSES[1],)
    # What does not count may be in the way of any class.
    for number, identity, box, kind in others:
        for label in clip.labels:
            clip.group(number, label).add(identity, box, counts=False, forgives=kind in FORGIVEN)
    return clip


def read_mot_results(path: Path) -> Clip:
    """Reads what a tracker found: rows ``frame,id,left,top,width,height[,score[,…]]``; id -1 is not tracked.

    Raises:
        UserError: The file cannot be read or is not as it must be; names file and line.
    """
    clip = Clip(path, {}, None)
    for row in _rows(path, None):
        number, identity, box = _place(row)
        clip.group(number, "").add(identity, box, row[6] if len(row) > 6 else 1.0)
    return clip


def _rows(path: Path, length: int | None) -> Iterator[list[float]]:
    taken: set[tuple[int, int]] = set()
    for where, line in lines_of(path):
        try:
            row = [float(value) for value in line.replace(",", " ").split()]
        except ValueError as error:
            raise UserError(f"{where}: {error}; a MOTChallenge row is frame,id,left,top,width,height,…") from None
        if len(row) < 6 or not math.isfinite(sum(map(abs, row))):  # what adds up to infinity is no box either
            problem = "a number is not finite" if len(row) >= 6 else f"{len(row)} columns"
            raise UserError(f"{where}: {problem}; a MOTChallenge row is frame,id,left,top,width,height,…")
        frame, identity = row[:2]
        if frame != int(frame) or frame < 1 or (length and frame > length):
            raise UserError(f"{where}: frame {frame:g} is not a whole number from 1 to {length or 'the last'}")
        if identity != int(identity) or not -1 <= identity < LARGEST_ID:
            raise UserError(f"{where}: id {identity:g} is not a whole number from 0 to 2^53 (-1: not tracked)")
        if row[4] < 0 or row[5] < 0:
            raise UserError(f"{where}: width {row[4]:g} or height {row[5]:g} is negative")
        if identity >= 0 and (int(frame), int(identity)) in taken:
            raise UserError(f"{where}: id {identity:g} appears twice in frame {frame:g}")
        taken.add((int(frame), int(identity)))
        yield row


def _place(row: list[float]) -> tuple[int, int, list[float]]:
    """Frame from 0, identity from 1 (0 is not tracked) and box xyxy."""
    frame, identity, left, top, width, height = row[:6]
    return int(frame) - 1, int(identity) + 1, [left, top, left + width, top + height]


def _counts(row: list[float]) -> bool:
    return len(row) < 7 or row[6] > 0


def _class(row: list[float]) -> int:
    return int(row[7]) if len(row) in (8, 9) else 1


def _label(row: list[float]) -> str:
    return class_name(_class(row))
