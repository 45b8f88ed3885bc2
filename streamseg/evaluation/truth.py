"""What is really in a picture of a COCO-format data set, in the form that the measures take."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from streamseg.errors import UserError
from streamseg.training.coco import CocoData, decode_segmentation

Entry = dict[str, Any]


def picture_truth(data: CocoData, index: int, height: int, width: int) -> list[Entry]:
    """The annotations of picture ``index``, each as compressed run lengths of the decoded picture.

    Classes that nobody looked for in the picture (``labelled_categories``) get a crowd region over all of it: whatever
    is found there of such a class is neither right nor wrong.

    Args:
        data: The data set.
        index: Position in ``data.images``.
        height: Rows of the decoded picture.
        width: Its columns.

    Returns:
        COCO annotations with ``image_id``, ``category_id``, ``segmentation``, ``bbox`` (xywh, pixels), ``area`` (square
        pixels; the file's own where it has one, as COCO counts it) and ``iscrowd``; no ``id``.

    Raises:
        UserError: A segmentation cannot be decoded.
    """
    image = data.images[index]
    entries = []
    for annotation in data.annotations[image["id"]]:
        if annotation["category_id"] not in data.category_ids:
            continue
        try:
            mask = decode_segmentation(annotation["segmentation"], height, width)
        except (ValueError, TypeError, KeyError) as error:
            where = f"annotation {annotation.get('id')} of {image['file_name']}"
            raise UserError(f"{data.file}: {where} has a broken segmentation ({error})") from error
        crowd = int(bool(annotation.get("iscrowd")))
        entry = _entry(image["id"], annotation["category_id"], mask, crowd)
        given = {key: annotation[key] for key in ("bbox", "area") if annotation.get(key) is not None}
        entries.append({**entry, **given})
    for label in set(range(1, len(data.category_ids) + 1)) - data.labelled(index):
        whole = np.ones((height, width), np.uint8)
        entries.append(_entry(image["id"], data.category_ids[label - 1], whole, crowd=1))
    return entries


def _entry(image: int, category: int, mask: np.ndarray, crowd: int) -> Entry:
    runs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": runs,
        "bbox": coco_mask.toBbox(runs).tolist(),
        "area": float(coco_mask.area(runs)),
        "iscrowd": crowd,
    }
