"""COCO-format instance data: what is in the file, and one decoded sample at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from streamseg.errors import UserError


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

    Attributes:
        file: The JSON file.
        folder: Where the pictures are.
        images: COCO image entries, in file order.
        annotations: COCO annotations per image id.
        class_names: Names in the order of category ids; label n is ``class_names[n - 1]``.
        category_ids: COCO category id per label, from label 1.
    """

    file: Path
    folder: Path
    images: list[dict[str, Any]]
    annotations: dict[int, list[dict[str, Any]]]
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    _labels: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._labels = {category: label for label, category in enumerate(self.category_ids, 1)}

    @classmethod
    def read(cls, file: Path, folder: Path | None = None) -> CocoData:
        """Reads a COCO instance file.

        Args:
            file: The JSON file.
            folder: Where its ``file_name`` entries are; by default ``images`` beside the file, else its own folder.

        Raises:
            UserError: The file is missing, is no COCO instance file, or names pictures that are not there.
        """
        try:
            content = json.loads(file.read_text())
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}; give a COCO instance file") from error
        except ValueError as error:
            raise UserError(f"{file}: not a JSON file ({error}); give a COCO instance file") from error
        if not isinstance(content, dict) or not all(key in content for key in ("images", "annotations", "categories")):
            raise UserError(f"{file}: no COCO instance file: it needs images, annotations and categories")
        if folder is None:
            folder = file.parent / "images" if (file.parent / "images").is_dir() else file.parent
        missing = [entry["file_name"] for entry in content["images"] if not (folder / entry["file_name"]).is_file()]
        if missing:
            raise UserError(f"{file}: {len(missing)} of its pictures are not in {folder}, the first is {missing[0]}")
        categories = sorted(content["categories"], key=lambda category: category["id"])
        annotations: dict[int, list[dict[str, Any]]] = {entry["id"]: [] for entry in content["images"]}
        for annotation in content["annotations"]:
            annotations.setdefault(annotation["image_id"], []).append(annotation)
        return cls(
            file,
            folder,
            content["images"],
            annotations,
            tuple(category["name"] for category in categories),
            tuple(category["id"] for category in categories),
        )

    def __len__(self) -> int:
        return len(self.images)

    def labelled(self, index: int) -> frozenset[int]:
        """Labels that the annotators looked for in picture ``index``: all, unless ``labelled_categories`` says else."""
        categories = self.images[index].get("labelled_categories", self.category_ids)
        return frozenset(self._labels[category] for category in categories if category in self._labels)

    def image(self, index: int) -> np.ndarray:
        """Picture ``index``, uint8 [H, W, 3] RGB.

        Raises:
            UserError: The picture cannot be decoded.
        """
        path = self.folder / self.images[index]["file_name"]
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise UserError(f"{path}: not a picture that OpenCV can read; mend it or take it out of {self.file}")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def sample(self, index: int) -> Sample:
        """Picture ``index`` with its masks.

        Raises:
            UserError: The picture or a segmentation cannot be decoded.
        """
        image = self.image(index)
        size = image.shape[:2]
        masks, labels, ignore = [], [], []
        for annotation in self.annotations[self.images[index]["id"]]:
            try:
                mask = decode_segmentation(annotation["segmentation"], *size)
            except (ValueError, TypeError, KeyError) as error:
                where = f"annotation {annotation.get('id')} of {self.images[index]['file_name']}"
                raise UserError(f"{self.file}: {where} has a broken segmentation ({error})") from error
            if annotation.get("iscrowd"):
                ignore.append(mask)
            elif annotation["category_id"] in self._labels and mask.any():
                masks.append(mask)
                labels.append(self._labels[annotation["category_id"]])
        return Sample(
            image, stacked(masks, size), np.array(labels, np.int64), stacked(ignore, size), self.labelled(index)
        )


def stacked(masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Masks as one uint8 array [N, H, W], also when there are none."""
    return np.stack(masks) if len(masks) else np.zeros((0, *size), np.uint8)


def decode_segmentation(segmentation: Any, height: int, width: int) -> np.ndarray:
    """A COCO segmentation (polygons, compressed or plain run lengths) as uint8 [height, width].

    Polygons and runs of another size than the picture's are refused by pycocotools or scaled to it.
    """
    if isinstance(segmentation, list):
        parts = [polygon for polygon in segmentation if len(polygon) >= 6]
        if not parts:
            return np.zeros((height, width), np.uint8)
        runs = coco_mask.merge(coco_mask.frPyObjects(parts, height, width))
    elif isinstance(segmentation["counts"], list):
        runs = coco_mask.frPyObjects(segmentation, *segmentation["size"])
    else:
        runs = segmentation
    mask = coco_mask.decode(runs)
    if mask.shape != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(mask)
