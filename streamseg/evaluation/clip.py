"""The objects of a video frame by frame, from streamseg's records or from the files of benchmarks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from streamseg.errors import UserError
from streamseg.training.segmentations import run_lengths

LARGEST_ID = 2**53  # still exact where numbers are read as floating point

Mask = dict[str, Any]
"""Compressed run lengths as COCO writes them: ``size`` [height, width] and ``counts``."""


@dataclass(slots=True, eq=False)
class Objects:
    """N objects of one class in one frame; lists of equal length.

    Attributes:
        ids: Identities from 1; 0 is not tracked.
        boxes: xyxy, pixels.
        scores: 0 to 1; 1 where the file has none.
        masks: COCO compressed run lengths; None where there is none.
        counts: Whether it is to be found; what is not is there for the rules of the benchmark only.
        forgives: Whether what is found in its place is left out.
    """

    ids: list[int] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    masks: list[Mask | None] = field(default_factory=list)
    counts: list[bool] = field(default_factory=list)
    forgives: list[bool] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def add(
        self,
        identity: int,
        box: list[float],
        score: float = 1.0,
        mask: Mask | None = None,
        counts: bool = True,
        forgives: bool = False,
    ) -> None:
        """One more object."""
        values = (identity, box, score, mask, counts, forgives)
        for name, value in zip(self.__slots__, values, strict=True):
            getattr(self, name).append(value)

    def select(self, keep: Iterable[bool]) -> Objects:
        """The objects for which ``keep`` is true."""
        places = np.flatnonzero(np.fromiter(keep, bool, len(self)))
        return Objects(*([getattr(self, name)[place] for place in places] for name in self.__slots__))

    @property
    def corners(self) -> np.ndarray:
        """The boxes, float64 [N, 4]."""
        return np.array(self.boxes, float).reshape(-1, 4)

    @property
    def heights(self) -> np.ndarray:
        """Heights of the boxes, float64 [N], pixels."""
        return self.corners[:, 3] - self.corners[:, 1]


Labelled = dict[str, Objects]


@dataclass(slots=True, eq=False)
class Clip:
    """What is in the frames of one video.

    Attributes:
        path: The file.
        frames: Objects by label, by number of the frame from 0.
        labels: Class names that the file is about; None where it names none.
        length: Number of frames of the video; None where the file does not tell.
        exhaustive: Whether objects of other classes would be in the file too, if there were any.
        regions: By frame, boxes xyxy in which nobody looked for objects.
        mask_regions: The same as masks.
        min_height: Detections up to this height, pixels, do not count where nothing is; 0 for no such rule.
        mots: Whether it is a MOTS file, which may number its first frame 0 or 1: here that may be frame -1.
    """

    path: Path
    frames: dict[int, Labelled]
    labels: tuple[str, ...] | None
    length: int | None = None
    exhaustive: bool = True
    regions: dict[int, list[list[float]]] = field(default_factory=dict)
    mask_regions: dict[int, list[Mask]] = field(default_factory=dict)
    min_height: float = 0.0
    mots: bool = False

    @property
    def has_masks(self) -> bool:
        """Whether every object has one."""
        groups = (objects for labelled in self.frames.values() for objects in labelled.values())
        return all(mask is not None for objects in groups for mask in objects.masks)

    def at(self, number: int, label: str) -> Objects:
        """The objects of a class in a frame."""
        return self.frames.get(number, {}).get(label) or Objects()

    def group(self, number: int, label: str) -> Objects:
        """The objects of a class in a frame, to add to."""
        return self.frames.setdefault(number, {}).setdefault(label, Objects())

    def relabelled(self, label: str) -> Clip:
        """The same with all objects in one class, one identity in two classes as two."""
        merged: dict[int, Labelled] = {}
        names: dict[tuple[str, int], int] = {}
        for number, labelled in self.frames.items():
            whole = merged.setdefault(number, {}).setdefault(label, Objects())
            for own, objects in labelled.items():
                for row in zip(*(getattr(objects, name) for name in Objects.__slots__), strict=True):
                    identity, box, score, mask, counts, forgives = row
                    # What does not count may be there for every class.
                    if counts or box not in whole.boxes:
                        identity = identity and names.setdefault((own, identity), len(names) + 1)
                        whole.add(identity, box, score, mask, counts, forgives)
        return replace(self, frames=merged, labels=(label,))

    def moved(self, by: int) -> Clip:
        """The same with other numbers of frames."""
        return replace(
            self,
            frames={number + by: labelled for number, labelled in self.frames.items()},
            regions={number + by: boxes for number, boxes in self.regions.items()},
            mask_regions={number + by: masks for number, masks in self.mask_regions.items()},
        )


def read_records(path: Path) -> Clip:
    """Reads streamseg's records: JSON lines, one per frame of one source.

    Raises:
        UserError: The file cannot be read, or a line is no such record; names file and line.
    """
    frames: dict[int, Labelled] = {}
    for where, line in lines_of(path):
        try:
            record = json.loads(line)
            index, entries = int(record["frame"]), record["instances"]
            if "regions" in record:
                raise UserError(f"{where}: holds regions of classes, not objects; give the records of another model")
            if index in frames:
                raise UserError(f"{where}: frame {index} appears twice; give the records of one source")
            frames[index] = _group(entries, where)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise UserError(f"{where}: not a record of streamseg ({type(error).__name__}: {error})") from None
    labels = tuple(sorted({label for labelled in frames.values() for label in labelled}))
    return Clip(path, frames, labels)


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text file that are not blank, each with its place for messages.

    Raises:
        UserError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", line
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text file"
        raise UserError(f"cannot read {path}: {reason}") from None


def check_box(box: list[float], where: str) -> list[float]:
    """The box itself.

    Raises:
        UserError: It is not finite, or its right or lower side comes before the other.
    """
    if len(box) != 4 or not np.isfinite(box).all() or box[2] < box[0] or box[3] < box[1]:
        raise UserError(f"{where}: {[round(side, 3) for side in box]} is no box (left, top, right, bottom)")
    return box


def _group(entries: Iterable[dict[str, Any]], where: str) -> Labelled:
    groups: Labelled = {}
    for entry in entries:
        objects = groups.setdefault(str(entry["label"]), Objects())
        identity = int(entry.get("id", 0))
        if abs(identity) > LARGEST_ID:
            raise UserError(f"{where}: identity {identity} is too large; the largest is {LARGEST_ID}")
        if identity and identity in objects.ids:
            raise UserError(f"{where}: identity {identity} appears twice; one object can be in one place only")
        box = check_box([float(side) for side in entry["box"]], where)
        score = float(entry.get("score", 1.0))
        if not 0 <= score <= 1:
            raise UserError(f"{where}: score {score:g} is not from 0 to 1")
        mask = entry.get("mask")
        objects.add(identity, box, score, None if mask is None else check_mask(mask, where))
    return groups


def check_mask(mask: Any, where: str) -> Mask:
    """The mask itself.

    Raises:
        UserError: It is no compressed run lengths of a picture.
    """
    height, width = mask["size"]
    if not isinstance(mask["counts"], str):
        raise UserError(f"{where}: a mask is no compressed run lengths")
    try:
        run_lengths(mask, height, width)  # pycocotools would trust them
    except ValueError as error:
        raise UserError(f"{where}: a mask: {error}") from None
    return {"size": [height, width], "counts": mask["counts"]}
