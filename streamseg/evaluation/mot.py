"""MOTChallenge files: truth (``gt.txt``) and results of trackers."""

from __future__ import annotations

import configparser
from pathlib import Path

import numpy as np

from streamseg.errors import UserError
from streamseg.evaluation.clip import LARGEST_ID, Clip, Objects, lines_of

# Classes of MOT16 and later under the names that COCO has for them, so that they meet those of models.
CLASSES = {1: "person", 3: "car", 4: "bicycle", 5: "motorcycle"}
FORGIVEN = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection
REGION = 13


def read_mot_truth(path: Path) -> Clip:
    """Reads ``gt.txt``: rows ``frame,id,left,top,width,height[,flag[,class[,visibility]]]``, frames from 1.

    Objects to find are those with flag 1 (all where the column is missing). Others serve the rules of TrackEval: what
    is found on a person on a vehicle, a static person, a distractor or a reflection is left out. So is, beyond
    TrackEval, what is found on nothing and lies more than half in a region (class 13). Rows of ten columns are those of
    MOT15, which has no classes. Ids may begin with 0.

    Args:
        path: The file, or the folder of a sequence with ``gt/gt.txt`` (or ``gt.txt``); its ``seqinfo.ini``, if there
            is one, tells the number of frames.

    Raises:
        UserError: A file cannot be read or is not as it must be; names file and line.
    """
    file = path
    if path.is_dir():
        file = next((one for one in (path / "gt" / "gt.txt", path / "gt.txt") if one.is_file()), path / "gt" / "gt.txt")
    clip = Clip(file, {}, None, _length(file), exhaustive=False)
    rows = _rows(file, clip.length)
    labels = {_label(row) for row in rows if _counts(row)} or {CLASSES[1]}
    for row in rows:
        number, identity, box = _place(row)
        kind = _class(row)
        if kind == REGION and not _counts(row):
            clip.regions.setdefault(number, []).append(box)
            continue
        # What does not count may be in the way of any class.
        for label in [_label(row)] if _counts(row) else labels:
            objects = clip.frames.setdefault(number, {}).setdefault(label, Objects())
            objects.add(identity, box, counts=_counts(row), forgives=kind in FORGIVEN)
    clip.labels = tuple(sorted(labels))
    return clip


def read_mot_results(path: Path) -> Clip:
    """Reads what a tracker found: rows ``frame,id,left,top,width,height[,score[,…]]``; id -1 is not tracked.

    Raises:
        UserError: The file cannot be read or is not as it must be; names file and line.
    """
    clip = Clip(path, {}, None)
    for row in _rows(path, None):
        number, identity, box = _place(row)
        objects = clip.frames.setdefault(number, {}).setdefault("", Objects())
        objects.add(identity, box, row[6] if len(row) > 6 else 1.0)
    return clip


def _rows(path: Path, length: int | None) -> list[list[float]]:
    rows: list[list[float]] = []
    taken: set[tuple[int, int]] = set()
    for where, line in lines_of(path):
        try:
            row = [float(value) for value in line.replace(",", " ").split()]
        except ValueError as error:
            raise UserError(f"{where}: {error}; a MOTChallenge row is frame,id,left,top,width,height,…") from None
        if len(row) < 6 or not np.isfinite(row).all():
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
        rows.append(row)
    return rows


def _place(row: list[float]) -> tuple[int, int, list[float]]:
    """Frame from 0, identity from 1 (0 is not tracked) and box xyxy."""
    frame, identity, left, top, width, height = row[:6]
    return int(frame) - 1, int(identity) + 1, [left, top, left + width, top + height]


def _counts(row: list[float]) -> bool:
    return len(row) < 7 or row[6] > 0


def _class(row: list[float]) -> int:
    return int(row[7]) if len(row) in (8, 9) else 1


def _label(row: list[float]) -> str:
    return CLASSES.get(_class(row), f"class {_class(row)}")


def _length(file: Path) -> int | None:
    """Frames of the sequence that ``file`` belongs to, from the ``seqinfo.ini`` beside it or one folder above."""
    above = [file.parent.parent] if file.parent.name == "gt" else []
    for folder in (file.parent, *above):
        info = folder / "seqinfo.ini"
        if not info.is_file():
            continue
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(info, encoding="utf-8")
            return parser.getint("Sequence", "seqLength")
        except (configparser.Error, ValueError, OSError) as error:
            raise UserError(f"{info}: no seqLength under [Sequence] ({' '.join(str(error).split())})") from None
    return None
