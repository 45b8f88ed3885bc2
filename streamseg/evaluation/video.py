"""A clip against its truth: how well objects are found, outlined and followed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from streamseg.errors import UserError
from streamseg.evaluation.clip import MOT_SUFFIXES, Clip, Objects, read_records
from streamseg.evaluation.coco import Precision, average_precision
from streamseg.evaluation.mot import read_mot_results, read_mot_truth
from streamseg.evaluation.tracking import By, TrackScores, evaluate_tracks, overlap_of
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
        """All classes together: counts are added."""
        return sum(self.tracks.values(), TrackScores())


def evaluate_video(truth: Path, records: Path, by: By | None = None, min_height: float = 0.0) -> VideoReport:
    """Compares what was found in a video with what is there.

    Classes belong together by name. A tracker's MOTChallenge file has no classes: it is compared with the only class of
    the truth, or with all of them as one. MOTChallenge truth is about some classes only; what records hold of others is
    left out. Frames that the records lack count as nothing found.

    Average precision knows no more than the records hold: write them with a low ``score_threshold``.

    Args:
        truth: streamseg's records, or MOTChallenge truth: a ``.txt`` file or the folder of a sequence.
        records: streamseg's records, or a tracker's ``.txt`` file.
        by: What overlaps for the tracking measures: ``"mask"`` or ``"box"``; None for masks where both files have them.
        min_height: Truth with a lower box, pixels, does not count: see
            :func:`streamseg.evaluation.tracking.evaluate_tracks`.

    Raises:
        UserError: A file cannot be read, lacks masks that were asked for, or does not belong to the other.
    """
    if not 0 <= min_height < math.inf:
        raise UserError(f"--min-height {min_height:g}: must be 0 or more pixels")
    expected = read_mot_truth(truth) if truth.is_dir() or truth.suffix in MOT_SUFFIXES else read_records(truth)
    found = read_mot_results(records) if records.suffix in MOT_SUFFIXES else read_records(records)
    _check_frames(expected, found)
    expected, found, missing = _same_labels(expected, found)
    both = expected.has_masks and found.has_masks
    by = by or ("mask" if both else "box")
    return VideoReport(
        frames=expected.length or len(expected.frames),
        by=by,
        tracks=evaluate_tracks(expected, found, by, THRESHOLD, min_height),
        mask=clip_precision(expected, found, "mask", min_height) if both else {},
        box=clip_precision(expected, found, "box", min_height),
        left_out=missing,
    )


def clip_precision(truth: Clip, result: Clip, by: By, min_height: float = 0.0) -> dict[str, Precision]:
    """COCO's average precision over the frames, by class name, ``"all"`` first.

    Truth that is lower than ``min_height`` or forgives by the rules of its benchmark is a crowd region, and lower
    results that are on nothing else are left out. Objects without an identity count like others.
    """
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
            found = found.select((found.heights >= min_height) | hits.any(axis=0))
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


def _check_frames(truth: Clip, result: Clip) -> None:
    for clip in (truth, result):
        # A tracker's file may be empty, and so may the truth of a sequence whose length is known.
        if not clip.frames and clip.labels is not None and not clip.length:
            raise UserError(f"{clip.path}: is empty; give the records, or the truth, of a whole video")
    if truth.exhaustive:
        strange = sorted(set(result.frames) - set(truth.frames))
    else:
        strange = sorted(number for number in result.frames if truth.length and number >= truth.length)
    if strange:
        raise UserError(
            f"{result.path} has frame {strange[0]} (from 0), which {truth.path} lacks: compare records of one video"
        )


def _same_labels(truth: Clip, result: Clip) -> tuple[Clip, Clip, tuple[str, ...]]:
    """Both with labels that can be compared, and the result's labels that were left out."""
    assert truth.labels is not None
    if result.labels is None:
        if len(truth.labels) == 1:
            return truth, result.relabelled(truth.labels[0]), ()
        return truth.relabelled("all classes"), result.relabelled("all classes"), ()
    if truth.exhaustive:
        return truth, result, ()
    strange = tuple(label for label in result.labels if label not in truth.labels)
    if len(strange) == len(result.labels):
        raise UserError(
            f"{result.path}: none of its classes ({', '.join(strange)}) is in {truth.path},"
            f" which is about {', '.join(truth.labels)}"
        )
    kept = {
        number: {label: objects for label, objects in labelled.items() if label in truth.labels}
        for number, labelled in result.frames.items()
    }
    return truth, replace(result, frames=kept), strange
