"""Small pictures of truth and prediction, side by side on a page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from fractions import Fraction

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from streamseg.evaluation.semantic import paint_results
from streamseg.evaluation.truth import Entry, Id
from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay.painter import Painter
from streamseg.planes import as_rgb
from streamseg.regions import MOST_CLASSES, Regions

Size = tuple[int, int]  # width and height, pixels

LONGEST = 480  # pixels of the longer side
_CELLS = 64  # of a mask in its box: finer than what can be seen at this size
_PLATES = 5  # objects whose plates leave enough of each other, and of a small picture, to be seen
_QUALITY = 78
_CROWD = np.array((128, 128, 128), np.uint8)


def draw(
    image: np.ndarray, entries: Iterable[Entry], categories: Sequence[Id], class_names: tuple[str, ...], regions: bool
) -> str:
    """Objects or regions on a picture scaled down, as a data URI of a JPEG.

    Args:
        image: uint8 [H, W, 3] RGB.
        entries: COCO annotations, or results (which have scores). Crowd regions are greyed, but for those over the
            whole picture.
        categories: Category ids of ``class_names``.
        class_names: What the plates say.
        regions: Paint classes, not objects.
    """
    entries = list(entries)
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    for entry in entries:
        if entry.get("iscrowd") and entry["area"] < 0.95 * height * width:
            inside = cv2.resize(coco_mask.decode(entry["segmentation"]), size, interpolation=cv2.INTER_AREA) > 0
            small[inside] = small[inside] // 3 + _CROWD // 3 * 2
    objects = [entry for entry in entries if not entry.get("iscrowd")]
    found = (_regions if regions else _instances)(objects, categories, class_names, size)
    plates = regions or len(objects) <= _PLATES
    painter = Painter(show_labels=plates, show_scores=plates and any("score" in entry for entry in objects))
    picture = as_rgb(painter.paint(Frame(small, 0, 0, Fraction(1)), found))
    _, data = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _regions(entries: list[Entry], categories: Sequence[Id], class_names: tuple[str, ...], size: Size) -> Regions:
    labels = {category: label for label, category in enumerate(categories[:MOST_CLASSES], 1)}
    known = [entry for entry in entries if entry["category_id"] in labels]
    known.sort(key=lambda entry: -int(coco_mask.area(entry["segmentation"])))
    painted = np.zeros(size[::-1], np.uint8)
    if known:
        painted = paint_results(known, labels, *known[0]["segmentation"]["size"]).astype(np.uint8)
        painted = cv2.resize(painted, size, interpolation=cv2.INTER_NEAREST)
    return Regions(painted, class_names[:MOST_CLASSES])


def _instances(entries: list[Entry], categories: Sequence[Id], class_names: tuple[str, ...], size: Size) -> Instances:
    boxes, masks, kept = [], [], []
    for entry in entries:
        x, y, width, height = (int(value) for value in coco_mask.toBbox(entry["segmentation"]))
        if not width or not height:
            continue
        cropped = coco_mask.decode(entry["segmentation"])[y : y + height, x : x + width].astype(np.float32)
        masks.append(cv2.resize(cropped, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA))
        down, across = (small / whole for small, whole in zip(size[::-1], entry["segmentation"]["size"], strict=True))
        boxes.append([x * across, y * down, (x + width) * across, (y + height) * down])
        kept.append(entry)
    if not kept:
        return Instances.empty(class_names)
    return Instances(
        boxes=np.array(boxes, np.float32),
        scores=np.array([entry.get("score", 1.0) for entry in kept], np.float32),
        labels=np.array([categories.index(entry["category_id"]) for entry in kept]),
        masks=np.stack(masks),
        ids=np.zeros(len(kept), np.int64),
        class_names=class_names,
        pasting="aligned",
    )
