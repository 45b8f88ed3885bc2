"""Small pictures of truth and prediction, side by side on a page."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from fractions import Fraction

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from streamseg.evaluation.truth import Entry
from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay.painter import Painter

LONGEST = 480  # pixels of the longer side
_CELLS = 64  # of a mask in its box: finer than what can be seen at this size
_PLATES = 8  # objects whose plates leave enough of each other, and of a small picture, to be seen
_QUALITY = 78
_CROWD = np.array((128, 128, 128), np.uint8)


def draw(image: np.ndarray, entries: Iterable[Entry], labels: dict[int, int], class_names: tuple[str, ...]) -> str:
    """Objects on a picture scaled down, as a data URI of a JPEG.

    Args:
        image: uint8 [H, W, 3] RGB.
        entries: COCO annotations, or results (which have scores) with compressed run lengths of the picture's size.
            Crowd regions are greyed, but for those over the whole picture.
        labels: Position in ``class_names`` by category id.
        class_names: What the plates say.
    """
    entries = list(entries)
    scale = min(1.0, LONGEST / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    for entry in entries:
        if entry.get("iscrowd") and entry["area"] < 0.95 * image.shape[0] * image.shape[1]:
            inside = cv2.resize(coco_mask.decode(entry["segmentation"]), size, interpolation=cv2.INTER_AREA) > 0
            small[inside] = small[inside] // 3 + _CROWD // 3 * 2
    objects = [entry for entry in entries if not entry.get("iscrowd")]
    instances = _instances(objects, labels, class_names, scale)
    plates = len(objects) <= _PLATES
    painter = Painter(show_labels=plates, show_scores=plates and any("score" in entry for entry in objects))
    painted = painter.paint(Frame(small, 0, 0, Fraction(1)), instances)
    _, data = cv2.imencode(".jpg", painted[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _instances(entries: list[Entry], labels: dict[int, int], class_names: tuple[str, ...], scale: float) -> Instances:
    boxes, masks, kept = [], [], []
    for entry in entries:
        x, y, width, height = (int(value) for value in coco_mask.toBbox(entry["segmentation"]))
        if not width or not height:
            continue
        cropped = coco_mask.decode(entry["segmentation"])[y : y + height, x : x + width].astype(np.float32)
        masks.append(cv2.resize(cropped, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA))
        boxes.append([x, y, x + width, y + height])
        kept.append(entry)
    if not kept:
        return Instances.empty(class_names)
    return Instances(
        boxes=np.array(boxes, np.float32) * np.float32(scale),
        scores=np.array([entry.get("score", 1.0) for entry in kept], np.float32),
        labels=np.array([labels[entry["category_id"]] for entry in kept]),
        masks=np.stack(masks),
        ids=np.zeros(len(kept), np.int64),
        class_names=class_names,
        pasting="aligned",
    )
