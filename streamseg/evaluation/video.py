"""A clip against its truth: how well objects are found, outlined and followed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamseg.evaluation.clip import Clip, Objects
from streamseg.evaluation.coco import Precision, average_precision
from streamseg.evaluation.pair import pair, read_result, read_truth
from streamseg.evaluation.scores import TrackScores
from streamseg.evaluation.tracking import By, check_height, check_masks, evaluate_tracks, overall, overlap_of, too_low
from streamseg.evaluation.truth import Entry

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class VideoReport:
    """How good the records of a video are.

    Attributes:
        frames: Number of frames compared.
        by: What overlapped in ``tracks``.
        tracks: HOTA, MOTA, IDF1 and what they are made of, by class name.
        mask: Average precision of masks by class name, ``"all"`` first; empty where a file has no masks.
        box: Likewise of boxes.
        left_out: Classes of the records that the truth is not about.
    """

    frames: int
    by: By
    tracks: dict[str, TrackScores]
    mask: dict[str, Precision]
    box: dict[str, Precision]
    left_out: tuple[str, ...]

    @property
    def overall(self) -> TrackScores:
        """All classes together."""
        return overall(self.tracks)


def evaluate_video(truth: Path, records: Path, by: By | None = None, min_height: float = 0.0) -> VideoReport:
    """Compares what was found in a video with what is there.

    Which classes belong together is told in :func:`streamseg.evaluation.pair.pair`. Frames that the records lack count
    as nothing found.

    Average precision knows no more than the records hold: write them with a low ``score_threshold``.

    Args:
        truth: See :func:`streamseg.evaluation.pair.read_truth`.
        records: See :func:`streamseg.evaluation.pair.read_result`.
        by: What overlaps for the tracking measures: ``"mask"`` or ``"box"``; None for masks where both files have them.
        min_height: Truth with a lower box, pixels, does not count: see
            :func:`streamseg.evaluation.tracking.evaluate_tracks`.

    Raises:
        UserError: A file cannot be read, lacks masks that were asked for, or does not belong to the other.
    """
    check_height(min_height)
    both = pair(read_truth(truth), read_result(records))
    by = by or ("mask" if both.has_masks else "box")
    return VideoReport(
        frames=both.frames,
        by=by,
        tracks=evaluate_tracks(both.truth, both.result, by, THRESHOLD, min_height),
        mask=clip_precision(both.truth, both.result, "mask", min_height) if both.has_masks else {},
        box=clip_precision(both.truth, both.result, "box", min_height),
        left_out=both.left_out,
    )


def clip_precision(truth: Clip, result: Clip, by: By, min_height: float = 0.0) -> dict[str, Precision]:
    """COCO's average precision over the frames, by class name, ``"all"`` first.

    Truth that is lower than ``min_height`` or forgives by the rules of its benchmark is a crowd region, and lower
    results that are on nothing else are left out. Objects without an identity count like others.
    """
    if by == "mask":
        check_masks(truth, result)
    labels = _labels(truth, result)
    numbers = sorted({*truth.frames, *result.frames})
    annotations: list[Entry] = []
    results: list[Entry] = []
    for number in numbers:
        for category, label in enumerate(labels, 1):
            there, found = truth.at(number, label), result.at(number, label)
            where = {"image_id": number, "category_id": category}
            low = there.heights < min_height
            counts, crowd = np.array(there.counts, bool) & ~low, np.array(there.forgives, bool) | low
            for entry, real, forgives in zip(_entries(there), counts, crowd, strict=True):
                if real or forgives:
                    annotations.append({**where, **entry, "iscrowd": int(forgives)})
            for box in truth.regions.get(number, ()):
                annotations.append({**where, **_box(box), "iscrowd": 1})
            hits = overlap_of(there, found, by)[counts] >= THRESHOLD
            found = found.select(~too_low(truth, found, min_height) | hits.any(axis=0))
            scored = zip(_entries(found), found.scores, strict=True)
            results += [{**where, **entry, "score": score} for entry, score in scored]
    classes = {label: category for category, label in enumerate(labels, 1)}
    kind = {"mask": "segm", "box": "bbox"}[by]
    return average_precision(numbers, classes, annotations, results, kind).precision


def _entries(objects: Objects) -> list[Entry]:
    """Boxes, masks and areas as COCO writes them; the area is that of the mask where there is one."""
    from pycocotools import mask as coco

    entries = []
    for box, mask in zip(objects.boxes, objects.masks, strict=True):
        shape = {} if mask is None else {"segmentation": mask, "area": float(coco.area(mask))}
        entries.append({**_box(box), **shape})
    return entries


def _box(box: list[float]) -> Entry:
    x1, y1, x2, y2 = box
    return {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}


def _labels(*clips: Clip) -> list[str]:
    return sorted({label for clip in clips for labelled in clip.frames.values() for label in labelled})
