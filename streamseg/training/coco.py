"""COCO-format instance data: what is in the file, and one decoded sample at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamseg.errors import UserError
from streamseg.training.entries import (
    box_xyxy,
    entry_size,
    is_category,
    is_id,
    is_image,
    one_line,
    picture_entry,
)
from streamseg.training.pictures import Size, read_picture
from streamseg.training.segmentations import box_of_runs, decode_segmentation, run_lengths, share_inside

LISTS = ("images", "annotations", "categories")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a data set.

    Attributes:
        file: The JSON file.
        entry: Which entry, in words: ``"annotation 17 of street/0003.jpg"``.
        what: What is wrong with it.
        kind: Which of the file's lists the entry is in: ``"images"``, ``"annotations"`` or ``"categories"``.
        position: Its place in that list, from 0.
    """

    file: Path
    entry: str
    what: str
    kind: str
    position: int

    @property
    def line(self) -> str:
        """One line naming file, entry and what is wrong."""
        return one_line(f"{self.file}: {self.entry}: {self.what}")


@dataclass(slots=True, eq=False)
class Sample:
    """One picture and the truth about it.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        masks: uint8 [N, H, W], 0 or 1.
        labels: int64 [N], 1 for the first class; 0 is background.
        ignore: uint8 [K, H, W] regions that are neither object nor background.
        labelled: Labels that the annotators looked for in this picture.
    """

    image: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    ignore: np.ndarray
    labelled: frozenset[int]


@dataclass(slots=True, eq=False)
class CocoData:
    """A COCO instance file beside its pictures.

    Entries that cannot be understood at all are passed over here; :func:`streamseg.training.faults.find_faults` names
    them, and everything else that is wrong.

    Attributes:
        file: The JSON file.
        folder: Where the pictures are; a ``file_name`` may have folders of its own, or be absolute.
        content: The file's lists ``images``, ``annotations`` and ``categories`` as they are.
        images: COCO image entries, in file order.
        annotations: COCO annotations per image id.
        class_names: Names in the order of category ids; label n is ``class_names[n - 1]``.
        category_ids: COCO category id per label, from label 1.
    """

    file: Path
    folder: Path
    content: dict[str, list[Any]]
    images: list[dict[str, Any]] = field(init=False)
    annotations: dict[int | str, list[dict[str, Any]]] = field(init=False)
    class_names: tuple[str, ...] = field(init=False)
    category_ids: tuple[int | str, ...] = field(init=False)
    _labels: dict[int | str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.images = [entry for entry in self.content["images"] if is_image(entry)]
        self.annotations = {entry["id"]: [] for entry in self.images}
        for entry in self.content["annotations"]:
            if isinstance(entry, dict) and is_id(entry.get("image_id")) and entry["image_id"] in self.annotations:
                self.annotations[entry["image_id"]].append(entry)
        names: dict[int | str, str] = {}
        for entry in self.content["categories"]:
            if is_category(entry):
                names.setdefault(entry["id"], entry["name"])
        self.category_ids = tuple(sorted(names, key=lambda category: (isinstance(category, str), category)))
        self.class_names = tuple(names[category] for category in self.category_ids)
        self._labels = {category: label for label, category in enumerate(self.category_ids, 1)}

    @classmethod
    def read(cls, file: Path, folder: Path | None = None) -> CocoData:
        """Reads a COCO instance file; its pictures are not looked at.

        Args:
            file: The JSON file.
            folder: Where its ``file_name`` entries are; by default ``images`` beside the file, else its own folder.

        Raises:
            UserError: The file is missing or is no COCO instance file.
        """
        try:
            content = json.loads(file.read_bytes())
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}; give a COCO instance file") from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{file}: not a JSON file ({error}); give a COCO instance file") from error
        if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in LISTS):
            raise UserError(f"{file}: no COCO instance file: it needs lists of images, annotations and categories")
        if folder is None:
            folder = file.parent / "images" if (file.parent / "images").is_dir() else file.parent
        return cls(file, folder, {key: content[key] for key in LISTS})

    def without(self, faults: Iterable[Fault]) -> CocoData:
        """The data without the entries that are at fault, and without the annotations of pictures left out.

        An object whose annotation is left out is still to be seen in its picture: where the annotation's box is sound,
        the box becomes an ignored region, so that the object is not taught to be background.
        """
        left_out: dict[str, set[int]] = {kind: set() for kind in LISTS}
        for fault in faults:
            left_out[fault.kind].add(fault.position)
        content = {
            kind: [entry for position, entry in enumerate(entries) if position not in left_out[kind]]
            for kind, entries in self.content.items()
        }
        rest = CocoData(self.file, self.folder, {**content, "annotations": []})
        sizes = {entry["id"]: entry_size(entry) for entry in rest.images}
        kept: list[Any] = []
        for position, entry in enumerate(self.content["annotations"]):
            if not isinstance(entry, dict) or not is_id(entry.get("image_id")) or entry["image_id"] not in sizes:
                continue
            known = is_id(entry.get("category_id")) and entry["category_id"] in rest._labels
            if position not in left_out["annotations"] and (known or entry.get("iscrowd")):
                kept.append(entry)
            elif known or (is_id(entry.get("category_id")) and entry["category_id"] in self._labels):
                kept.extend(_as_region(entry, sizes[entry["image_id"]]))
        return CocoData(self.file, self.folder, {**content, "annotations": kept})

    def __len__(self) -> int:
        return len(self.images)

    def labelled(self, index: int) -> frozenset[int]:
        """Labels that the annotators looked for in picture ``index``: all, unless ``labelled_categories`` says else."""
        categories = self.images[index].get("labelled_categories")
        if not isinstance(categories, list):
            return frozenset(self._labels.values())
        return frozenset(
            self._labels[category] for category in categories if is_id(category) and category in self._labels
        )

    def image(self, index: int) -> np.ndarray:
        """Picture ``index``, uint8 [H, W, 3] RGB, turned as the annotators had it.

        Raises:
            UserError: The picture cannot be decoded, or has another size than its entry says.
        """
        entry = self.images[index]
        try:
            return read_picture(self.folder / entry["file_name"], entry_size(entry))
        except ValueError as error:
            raise self._error(picture_entry(entry), error) from error

    def sample(self, index: int, enough: Size | None = None) -> Sample:
        """Picture ``index`` with its masks.

        Args:
            index: Which picture.
            enough: Height and width. A picture that more than covers them is shrunk until it just does: a hundred
                masks of 8000 x 8000 pixels would not fit into memory.

        Raises:
            UserError: The picture or a segmentation cannot be decoded.
        """
        image = self.image(index)
        height, width = image.shape[:2]
        scale = min(1.0, max(enough[0] / height, enough[1] / width)) if enough else 1.0
        size = round(height * scale), round(width * scale)
        masks, labels, ignore = [], [], []
        for annotation in self.annotations[self.images[index]["id"]]:
            mask = self.mask(index, annotation, (height, width), size if scale < 1 else None)
            category = annotation.get("category_id")
            if annotation.get("iscrowd"):
                ignore.append(mask)
            elif is_id(category) and category in self._labels and mask.any():
                masks.append(mask)
                labels.append(self._labels[category])
        if scale < 1:
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        return Sample(
            image, stacked(masks, size), np.array(labels, np.int64), stacked(ignore, size), self.labelled(index)
        )

    def mask(self, index: int, annotation: dict[str, Any], picture: Size, size: Size | None = None) -> np.ndarray:
        """The mask of an annotation of picture ``index``.

        Args:
            index: Which picture.
            annotation: One of its annotations.
            picture: Height and width of the picture.
            size: Those of the mask, see :func:`streamseg.training.segmentations.decode_segmentation`.

        Raises:
            UserError: Its segmentation cannot be decoded.
        """
        try:
            return decode_segmentation(annotation.get("segmentation"), *picture, size)
        except ValueError as error:
            where = f"annotation {annotation.get('id', 'without id')} of {self.images[index]['file_name']}"
            raise self._error(where, error) from error

    def _error(self, entry: str, error: ValueError) -> UserError:
        return UserError(one_line(f"{self.file}: {entry}: {error}"))


def stacked(masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Masks as one uint8 array [N, H, W], also when there are none."""
    return np.stack(masks) if len(masks) else np.zeros((0, *size), np.uint8)


def _as_region(annotation: dict[str, Any], size: Size | None) -> list[dict[str, Any]]:
    """The box of an annotation as an ignored region, in a list; an empty list without a sound box."""
    box = box_xyxy(annotation.get("bbox"))
    if box is None or box[2] <= box[0] or box[3] <= box[1] or size is None or share_inside(box, *size) < 0.5:
        return []
    left, top, right, bottom = box
    outline = [left, top, right, top, right, bottom, left, bottom]
    if box_of_runs(run_lengths([outline], *size), size[0]) is None:
        return []
    region = {key: annotation[key] for key in ("image_id", "category_id", "bbox")}
    return [{**region, "iscrowd": 1, "segmentation": [outline]}]
