"""How well identities stay on their objects: what counts of one clip against another, by the rules of benchmarks."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from streamseg.errors import UserError
from streamseg.evaluation.clip import Clip, Mask, Objects
from streamseg.evaluation.scores import Frame, TrackScores, combined, score_frames

By = Literal["mask", "box"]
_EPSILON = float(np.finfo(float).eps)


def evaluate_tracks(
    truth: Clip, result: Clip, by: By = "mask", threshold: float = 0.5, min_height: float = 0.0
) -> dict[str, TrackScores]:
    """Compares two clips, class by class, with TrackEval; :func:`streamseg.evaluation.scores.combined` unites classes.

    Objects with id 0 are not tracked and left out. Frames that the result lacks count as nothing found.

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
    if by == "mask":
        check_masks(truth, result)
    labels = sorted({label for clip in (truth, result) for labelled in clip.frames.values() for label in labelled})
    numbers = sorted({*truth.frames, *result.frames})
    return {
        label: score_frames(
            [_judge(truth, result, number, label, by, threshold, min_height) for number in numbers], threshold
        )
        for label in labels
    }


def overall(scores: dict[str, TrackScores]) -> TrackScores:
    """All classes together."""
    return next(iter(scores.values())) if len(scores) == 1 else combined(scores.values())


def check_height(min_height: float) -> None:
    """Refuses a least height that makes no sense.

    Raises:
        UserError: It is no number of pixels.
    """
    if not 0 <= min_height < math.inf:
        raise UserError(f"--min-height {min_height:g}: must be 0 or more pixels")


def check_masks(truth: Clip, result: Clip) -> None:
    """Refuses to compare masks that are not there, or are of other pictures; pycocotools would take any for misses.

    Raises:
        UserError: Masks are missing, or in one frame of different sizes.
    """
    for clip in (truth, result):
        if not clip.has_masks:
            raise UserError(f"{clip.path}: has no masks to compare; compare boxes instead (--by box)")
    for number in sorted({*truth.frames, *result.frames}):
        groups = [objects.masks for clip in (truth, result) for objects in clip.frames.get(number, {}).values()]
        masks = [mask for group in (*groups, truth.mask_regions.get(number, ())) for mask in group if mask]
        sizes = sorted({f"{width}x{height}" for mask in masks for height, width in [mask["size"]]})
        if len(sizes) > 1:
            raise UserError(
                f"{result.path} and {truth.path}: masks of different sizes, {' and '.join(sizes)} in frame {number}"
                " (from 0): not the same video"
            )


def overlap_of(truth: Objects, result: Objects, by: By) -> np.ndarray:
    """Intersection over union, float64 [N, K], 0 to 1; masks must be of one size (see ``check_masks``)."""
    if not len(truth) or not len(result):
        return np.zeros((len(truth), len(result)))
    from pycocotools import mask as coco

    if by == "mask":
        return np.asarray(coco.iou(truth.masks, result.masks, [0] * len(result)))
    return np.asarray(coco.iou(_xywh(truth.corners), _xywh(result.corners), [0] * len(result)))


def _judge(truth: Clip, result: Clip, number: int, label: str, by: By, threshold: float, min_height: float) -> Frame:
    """Identities in one frame that count, and their overlap."""
    there, found = truth.at(number, label), result.at(number, label)
    there = there.select(identity > 0 or not counts for identity, counts in zip(there.ids, there.counts, strict=True))
    found = found.select(identity > 0 for identity in found.ids)
    overlap = overlap_of(there, found, by)

    low = there.heights < min_height
    forgives = low | np.array(there.forgives, bool)
    dropped = too_low(truth, found, min_height) | _in_regions(truth, number, found, by)
    if forgives.any() or dropped.any():
        rows, columns = _best_pairs(np.where(overlap >= threshold - _EPSILON, overlap, 0))
        dropped[columns] = forgives[rows]
    rows, columns = np.flatnonzero(~low & np.array(there.counts, bool)), np.flatnonzero(~dropped)
    return np.array(there.ids, int)[rows], np.array(found.ids, int)[columns], overlap[np.ix_(rows, columns)]


def too_low(truth: Clip, found: Objects, min_height: float) -> np.ndarray:
    """Which detections, bool [K], are so low that they do not count where nothing is."""
    low = found.heights < min_height
    # The benchmark's own limit is still too low, by its rules.
    return low | (found.heights <= truth.min_height + _EPSILON) if truth.min_height > 0 else low


def _in_regions(truth: Clip, number: int, found: Objects, by: By) -> np.ndarray:
    """Which detections, bool [K], lie more than half in a region in which nobody looked for objects."""
    boxes, masks = truth.regions.get(number, ()), truth.mask_regions.get(number, ())
    inside = np.zeros(len(found), bool)
    if not len(found) or not (boxes or masks):
        return inside
    from pycocotools import mask as coco

    if boxes:
        corners, region = found.corners[:, None], np.array(boxes, float)[None]
        sides = np.minimum(corners[..., 2:], region[..., 2:]) - np.maximum(corners[..., :2], region[..., :2])
        areas = (found.corners[:, 2:] - found.corners[:, :2]).prod(1)
        inside |= (np.clip(sides, 0, None).prod(2) > (0.5 + _EPSILON) * areas[:, None]).any(1)
    if masks:
        shapes = found.masks if by == "mask" else _filled(found.corners, *masks[0]["size"])
        inside |= (np.asarray(coco.iou(shapes, masks, [1] * len(masks))) > 0.5 + _EPSILON).any(1)
    return inside


def _filled(corners: np.ndarray, height: int, width: int) -> list[Mask]:
    """Boxes as masks of a picture."""
    from pycocotools import mask as coco

    return coco.frPyObjects(_xywh(np.clip(corners, 0, (width, height, width, height))), height, width)


def _xywh(corners: np.ndarray) -> np.ndarray:
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)


def _best_pairs(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the assignment with the greatest sum, without pairs worth nothing."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(worth, maximize=True)
    real = worth[rows, columns] > 0
    return rows[real], columns[real]
