"""How well identities stay on their objects: IDF1, identity switches and MOTA of one records file against another."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from streamseg.errors import UserError

By = Literal["mask", "box"]


@dataclass(frozen=True, slots=True)
class TrackScores:
    """Counts over all frames, and the measures that follow from them.

    Attributes:
        truth: Objects to find, counted once per frame.
        result: Tracked detections that were judged, counted once per frame.
        matched: Objects found (TP of CLEAR).
        switches: Objects found under another identity than when they were last found.
        identity_matched: Objects found under the one identity that belongs to them (IDTP).
    """

    truth: int = 0
    result: int = 0
    matched: int = 0
    switches: int = 0
    identity_matched: int = 0

    def __add__(self, other: TrackScores) -> TrackScores:
        return TrackScores(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def misses(self) -> int:
        """Objects that were not found."""
        return self.truth - self.matched

    @property
    def false_positives(self) -> int:
        """Detections on no object."""
        return self.result - self.matched

    @property
    def mota(self) -> float:
        """1 - (misses + false positives + switches) / objects; below 0 where errors outnumber objects.

        Bernardin and Stiefelhagen, EURASIP J. Image and Video Processing 2008.
        """
        return 1 - (self.misses + self.false_positives + self.switches) / max(self.truth, 1)

    @property
    def idf1(self) -> float:
        """Part of objects and detections whose identities agree, 0 to 1 (Ristani et al., ECCV workshops 2016)."""
        return 2 * self.identity_matched / max(self.truth + self.result, 1)


@dataclass(frozen=True, slots=True)
class TrackReport:
    """Scores of each class, by name, and of all classes together (counts are added)."""

    classes: dict[str, TrackScores]

    @property
    def overall(self) -> TrackScores:
        """All classes together."""
        return sum(self.classes.values(), TrackScores())


@dataclass(slots=True, eq=False)
class _Objects:
    """The objects of one class in one frame, as read."""

    ids: list[int] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    masks: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def heights(self) -> np.ndarray:
        boxes = np.array(self.boxes, float).reshape(-1, 4)
        return boxes[:, 3] - boxes[:, 1]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """What counts in one frame: identities of truth [N] and result [K], and their overlap [N, K]."""

    truth: np.ndarray
    result: np.ndarray
    overlap: np.ndarray


def evaluate_tracks(
    truth: str | os.PathLike[str],
    result: str | os.PathLike[str],
    by: By = "mask",
    threshold: float = 0.5,
    min_height: float = 0.0,
) -> TrackReport:
    """Compare two records files (JSON lines, one per frame), class by class.

    Matching, switches and the identity assignment are those of TrackEval's CLEAR and Identity (and py-motmetrics).
    Objects with id 0 or none are not tracked and left out. Frames that the result lacks count as nothing found.

    Args:
        truth: What is really there; needs no scores.
        result: What was found.
        by: What overlaps: ``"mask"`` (both files need masks) or ``"box"``.
        threshold: Intersection over union from which an object counts as found, above 0, to 1.
        min_height: Truth with a lower box, pixels, is neither object nor background: detections that pair with it are
            left out, and so are lower detections that pair with nothing (the rule of the KITTI benchmark).

    Raises:
        UserError: A file cannot be read, is no records file, lacks masks, or does not belong to the other.
    """
    expected, found = _read(Path(truth), by), _read(Path(result), by)
    strange = sorted(set(found) - set(expected))
    if strange:
        raise UserError(f"{result} has frame {strange[0]}, which {truth} lacks: compare records of one video")
    labels = sorted({label for frames in (expected, found) for objects in frames.values() for label in objects})
    classes = {}
    for label in labels:
        pairs = ((expected[number].get(label), found.get(number, {}).get(label)) for number in sorted(expected))
        judged = [_judge(a or _Objects(), b or _Objects(), by, threshold, min_height) for a, b in pairs]
        classes[label] = _score(judged, threshold)
    return TrackReport(classes)


def _read(path: Path, by: By) -> dict[int, dict[str, _Objects]]:
    """The tracked objects of each frame by label."""
    frames: dict[int, dict[str, _Objects]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text file"
        raise UserError(f"cannot read the records {path}: {reason}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
            index, entries = int(record["frame"]), record["instances"]
            if index in frames:
                raise UserError(f"{where}: frame {index} appears twice; give the records of one source")
            frames[index] = _group(entries, by, where)
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{where}: not a record of streamseg ({type(error).__name__}: {error})") from None
    return frames


def _group(entries: Iterable[dict[str, Any]], by: By, where: str) -> dict[str, _Objects]:
    groups: dict[str, _Objects] = defaultdict(_Objects)
    for entry in entries:
        identity = int(entry.get("id", 0))
        if identity == 0:
            continue
        objects = groups[entry["label"]]
        if identity in objects.ids:
            raise UserError(f"{where}: identity {identity} appears twice; one object can be in one place only")
        if by == "mask" and "mask" not in entry:
            raise UserError(f"{where}: no masks to compare; compare boxes instead")
        objects.ids.append(identity)
        objects.boxes.append([float(value) for value in entry["box"]])
        if by == "mask":
            objects.masks.append(entry["mask"])
    return dict(groups)


def _judge(truth: _Objects, result: _Objects, by: By, threshold: float, min_height: float) -> _Judged:
    """Leave out what ``min_height`` says does not count."""
    overlap = _overlap(truth, result, by)
    counts = truth.heights >= min_height
    left_out = np.zeros(len(result), bool)
    if min_height > 0:
        rows, columns = _pairs(np.where(overlap >= threshold, overlap, 0))
        left_out = result.heights < min_height
        left_out[columns] = ~counts[rows]
    ids = np.array(truth.ids, int)[counts], np.array(result.ids, int)[~left_out]
    return _Judged(*ids, overlap[np.ix_(counts, ~left_out)])


def _overlap(truth: _Objects, result: _Objects, by: By) -> np.ndarray:
    if not len(truth) or not len(result):
        return np.zeros((len(truth), len(result)))
    from pycocotools import mask as coco

    if by == "mask":
        sizes = {tuple(mask["size"]) for mask in (*truth.masks, *result.masks)}
        if len(sizes) > 1:
            raise UserError(f"masks of different sizes, {' and '.join(map(str, sorted(sizes)))}: not the same video")
        return np.asarray(coco.iou(truth.masks, result.masks, [0] * len(result)))
    corners = [np.array(objects.boxes, float) for objects in (truth, result)]
    first, second = (np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], axis=1) for box in corners)
    return np.asarray(coco.iou(first, second, [0] * len(result)))


def _pairs(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the assignment with the greatest sum, without pairs worth nothing."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(worth, maximize=True)
    real = worth[rows, columns] > 0
    return rows[real], columns[real]


def _score(frames: list[_Judged], threshold: float) -> TrackScores:
    matched, switches = _follow(frames, threshold)
    return TrackScores(
        truth=sum(len(frame.truth) for frame in frames),
        result=sum(len(frame.result) for frame in frames),
        matched=matched,
        switches=switches,
        identity_matched=_identity_matched(frames, threshold),
    )


def _follow(frames: list[_Judged], threshold: float) -> tuple[int, int]:
    """Objects found and identity switches, matched frame by frame; a pair of the frame before stays together."""
    matched = switches = 0
    ever: dict[int, int] = {}  # the identity under which an object was last found, however long ago
    before: dict[int, int] = {}  # the same, in the frame before only
    for frame in frames:
        if not len(frame.truth) or not len(frame.result):
            continue  # TrackEval keeps the pairs of the frame before over frames where nothing can be matched
        held = frame.result[None] == np.array([before.get(one, 0) for one in frame.truth.tolist()])[:, None]
        rows, columns = _pairs(np.where(frame.overlap >= threshold, frame.overlap + 1000 * held, 0))
        before = dict(zip(frame.truth[rows].tolist(), frame.result[columns].tolist(), strict=True))
        switches += sum(ever.get(one, identity) != identity for one, identity in before.items())
        ever |= before
        matched += len(before)
    return matched, switches


def _identity_matched(frames: list[_Judged], threshold: float) -> int:
    """IDTP: frames on which truth and result agree under the best one-to-one assignment of whole tracks."""
    together: dict[tuple[int, int], int] = defaultdict(int)
    for frame in frames:
        for row, column in np.argwhere(frame.overlap >= threshold).tolist():
            together[int(frame.truth[row]), int(frame.result[column])] += 1
    if not together:
        return 0
    truths, results = (sorted({pair[side] for pair in together}) for side in (0, 1))
    counts = np.zeros((len(truths), len(results)))
    for (one, other), count in together.items():
        counts[truths.index(one), results.index(other)] = count
    rows, columns = _pairs(counts)
    return int(counts[rows, columns].sum())
