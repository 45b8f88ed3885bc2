"""How well identities stay on their objects: HOTA, IDF1, switches, MOTA and MOTP of one clip against another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from streamseg.errors import UserError
from streamseg.evaluation.clip import Clip, Objects
from streamseg.evaluation.hota import Frame, HotaCounts, best_pairs, hota_counts

By = Literal["mask", "box"]
_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True)
class TrackScores:
    """Counts over all frames, and the measures that follow from them; those of several classes can be added.

    Attributes:
        truth: Objects to find, counted once per frame.
        result: Tracked detections that were judged, counted once per frame.
        matched: Objects found (TP of CLEAR).
        switches: Objects found under another identity than when they were last found.
        identity_matched: Objects found under the one identity that belongs to them (IDTP).
        overlap: Sum of how well the objects found are covered, each 0 to 1.
        at_thresholds: What HOTA, DetA and AssA are made of.
    """

    truth: int = 0
    result: int = 0
    matched: int = 0
    switches: int = 0
    identity_matched: int = 0
    overlap: float = 0.0
    at_thresholds: HotaCounts = field(default_factory=HotaCounts)

    def __add__(self, other: TrackScores) -> TrackScores:
        return TrackScores(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

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
    def motp(self) -> float:
        """Mean overlap of the objects found, 0 to 1; of the paper above, as MOTChallenge counts it."""
        return self.overlap / max(self.matched, 1)

    @property
    def idf1(self) -> float:
        """Part of objects and detections whose identities agree, 0 to 1 (Ristani et al., ECCV workshops 2016)."""
        return 2 * self.identity_matched / max(self.truth + self.result, 1)


def evaluate_tracks(
    truth: Clip, result: Clip, by: By = "mask", threshold: float = 0.5, min_height: float = 0.0
) -> dict[str, TrackScores]:
    """Compares two clips, class by class; the sum of the scores is that of all classes together.

    Matching, switches and the assignment of identities are those of TrackEval's HOTA, CLEAR and Identity (the latter
    two also py-motmetrics'). Objects with id 0 are not tracked and left out. Frames that the result lacks count as
    nothing found.

    Args:
        truth: What is really there; needs no scores.
        result: What was found.
        by: What overlaps: ``"mask"`` (both clips need masks) or ``"box"``.
        threshold: Intersection over union from which an object counts as found, above 0, to 1; HOTA has its own.
        min_height: Truth with a lower box, pixels, is neither object nor background: detections that pair with it are
            left out, and so are lower detections that pair with nothing (the rule of the KITTI benchmark).

    Raises:
        UserError: Masks are missing, or have other sizes than the truth's.
    """
    for clip in (truth, result):
        if by == "mask" and not clip.has_masks:
            raise UserError(f"{clip.path}: has no masks to compare; compare boxes instead (--by box)")
    labels = sorted({label for clip in (truth, result) for labelled in clip.frames.values() for label in labelled})
    numbers = sorted({*truth.frames, *result.frames})
    scores = {}
    for label in labels:
        judged = [_judge(truth, result, number, label, by, threshold - _EPSILON, min_height) for number in numbers]
        scores[label] = _score(_numbered(judged), threshold - _EPSILON)
    return scores


def overlap_of(truth: Objects, result: Objects, by: By) -> np.ndarray:
    """Intersection over union, float64 [N, K], 0 to 1.

    Raises:
        UserError: Masks of different sizes.
    """
    if not len(truth) or not len(result):
        return np.zeros((len(truth), len(result)))
    from pycocotools import mask as coco

    if by == "mask":
        sizes = {tuple(mask["size"]) for mask in (*truth.masks, *result.masks) if mask}
        if len(sizes) > 1:
            raise UserError(f"masks of different sizes, {' and '.join(map(str, sorted(sizes)))}: not the same video")
        return np.asarray(coco.iou(truth.masks, result.masks, [0] * len(result)))
    first, second = (
        np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], 1) for box in (truth.corners, result.corners)
    )
    return np.asarray(coco.iou(first, second, [0] * len(result)))


def left_out(
    truth: Objects, result: Objects, overlap: np.ndarray, least: float, min_height: float, regions: Sequence[Any] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """What the rules say does not count.

    Args:
        truth: N objects.
        result: K detections.
        overlap: Of all of them, [N, K].
        least: Overlap from which truth and detection pair.
        min_height: See :func:`evaluate_tracks`.
        regions: Boxes xyxy in which nobody looked.

    Returns:
        bool [N] and bool [K].
    """
    low = truth.heights < min_height
    rows, columns = best_pairs(np.where(overlap >= least, overlap, 0))
    dropped = result.heights < min_height
    if len(regions):
        dropped |= (_inside(result.corners, np.array(regions, float)) > 0.5).any(axis=1)
    dropped[columns] = (low | np.array(truth.forgives, bool))[rows]
    return low | ~np.array(truth.counts, bool), dropped


def _inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Part of each box that lies in each region."""
    corner = np.minimum(boxes[:, None, 2:], regions[None, :, 2:]) - np.maximum(boxes[:, None, :2], regions[None, :, :2])
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.clip(corner, 0, None).prod(2) / np.maximum(area, _EPSILON)[:, None]


def _judge(truth: Clip, result: Clip, number: int, label: str, by: By, least: float, min_height: float) -> Frame:
    """Identities in one frame that count, and their overlap."""
    there, found = truth.at(number, label), result.at(number, label)
    there, found = (side.select(identity > 0 for identity in side.ids) for side in (there, found))
    overlap = overlap_of(there, found, by)
    rows, columns = left_out(there, found, overlap, least, min_height, truth.regions.get(number, ()))
    return np.array(there.ids, int)[~rows], np.array(found.ids, int)[~columns], overlap[np.ix_(~rows, ~columns)]


def _numbered(frames: list[Frame]) -> list[Frame]:
    """The same with identities from 0 without gaps."""
    sides = []
    for side in (0, 1):
        identities = [frame[side] for frame in frames]
        _, numbers = np.unique(np.concatenate([np.zeros(0, int), *identities]), return_inverse=True)
        sides.append(np.split(numbers.astype(int), np.cumsum([len(one) for one in identities])[:-1]))
    return [(*pair, frame[2]) for *pair, frame in zip(*sides, frames, strict=True)]


def _score(frames: list[Frame], least: float) -> TrackScores:
    matched, switches, overlap = _follow(frames, least)
    return TrackScores(
        truth=sum(len(truth) for truth, *_ in frames),
        result=sum(len(result) for _, result, _ in frames),
        matched=matched,
        switches=switches,
        identity_matched=_identity_matched(frames, least),
        overlap=overlap,
        at_thresholds=hota_counts(frames),
    )


def _follow(frames: list[Frame], least: float) -> tuple[int, int, float]:
    """Objects found, identity switches and sum of overlaps, frame by frame; pairs of the frame before stay together."""
    matched = switches = 0
    covered = 0.0
    ever: dict[int, int] = {}  # the identity under which an object was last found, however long ago
    before: dict[int, int] = {}  # the same, in the frame before only
    for truth, result, overlap in frames:
        if not len(truth) or not len(result):
            continue  # TrackEval keeps the pairs of the frame before over frames where nothing can be matched
        held = result[None] == np.array([before.get(one, -1) for one in truth.tolist()])[:, None]
        rows, columns = best_pairs(np.where(overlap >= least, overlap + 1000 * held, 0))
        before = dict(zip(truth[rows].tolist(), result[columns].tolist(), strict=True))
        switches += sum(ever.get(one, identity) != identity for one, identity in before.items())
        ever |= before
        matched += len(before)
        covered += float(overlap[rows, columns].sum())
    return matched, switches, covered


def _identity_matched(frames: list[Frame], least: float) -> int:
    """IDTP: frames on which truth and result agree under the best one-to-one assignment of whole tracks."""
    met = [(truth[i], result[j]) for truth, result, overlap in frames for i, j in [np.nonzero(overlap >= least)]]
    truths, results = (
        np.concatenate([np.zeros(0, int), *side]) for side in (zip(*met, strict=True) if met else ((), ()))
    )
    if not len(truths):
        return 0
    # Tracks that never meet another need no place in the table.
    _, rows = np.unique(truths, return_inverse=True)
    _, columns = np.unique(results, return_inverse=True)
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1)
    return int(counts[best_pairs(counts)].sum())
