"""What is really in a picture of a COCO-format data set, in the form that the measures take."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from streamseg.training.coco import CocoData
from streamseg.training.entries import box_xyxy

Id = int | str
Entry = dict[str, Any]
"""An annotation or a result as COCO writes it, its mask as compressed run lengths of the whole picture."""


def picture_truth(data: CocoData, index: int, height: int, width: int) -> list[Entry]:
    """The annotations of picture ``index`` as run lengths.

    A crowd region without a class is one of every class. Classes that nobody looked for in the picture
    (``labelled_categories``) get a crowd region over all of it: what is found there of such a class is neither right
    nor wrong.

    Args:
        data: The data set.
        index: Position in ``data.images``.
        height: Rows of the picture.
        width: Its columns.

    Returns:
        COCO annotations with ``image_id``, ``category_id``, ``segmentation``, ``bbox`` (xywh, pixels), ``area`` (square
        pixels; both are the file's own where it has them, as COCO counts) and ``iscrowd``; no ``id``.

    Raises:
        UserError: A segmentation cannot be decoded.
    """
    image = data.images[index]
    entries = []
    for annotation in data.annotations[image["id"]]:
        mask = data.mask(index, annotation, (height, width))
        crowd, category = bool(annotation.get("iscrowd")), annotation.get("category_id")
        categories = [one for one in data.category_ids if one == category]
        for one in categories or (data.category_ids if crowd else ()):
            entries.append({**_entry(image["id"], one, mask, crowd), **_own(annotation)})
    whole = np.ones((height, width), np.uint8)
    unlabelled = set(range(1, len(data.category_ids) + 1)) - data.labelled(index)
    entries += [_entry(image["id"], data.category_ids[label - 1], whole, True) for label in sorted(unlabelled)]
    return entries


def _entry(image: Id, category: Id, mask: np.ndarray, crowd: bool) -> Entry:
    runs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": runs,
        "bbox": coco_mask.toBbox(runs).tolist(),
        "area": float(coco_mask.area(runs)),
        "iscrowd": int(crowd),
    }


def _own(annotation: Entry) -> Entry:
    """Box and area that the file gives, where they can be used."""
    own: Entry = {}
    if box_xyxy(annotation.get("bbox")) is not None:
        own["bbox"] = annotation["bbox"]
    area = annotation.get("area")
    if isinstance(area, (int, float)) and math.isfinite(area):
        own["area"] = area
    return own
