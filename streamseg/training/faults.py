"""Everything that is wrong in a COCO data set, found before the first step."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from streamseg.errors import UserError
from streamseg.training.coco import CocoData, Fault
from streamseg.training.entries import (
    LARGEST_SIDE,
    box_xyxy,
    entry_size,
    is_category,
    is_id,
    is_image,
    picture_entry,
)
from streamseg.training.pictures import Size, probe, size_mismatch
from streamseg.training.segmentations import Box, box_of_runs, run_lengths, share_inside

AGREEMENT = 0.1
FAULTS_SHOWN = 20


def find_faults(data: CocoData) -> list[Fault]:
    """Looks through a data set.

    - Entries: their keys and types; ids, class names and pictures that occur twice; unknown images and categories.
    - Pictures: whether they are there and have the size that their entry says. A JPEG or PNG is trusted if its header
      is sound and its end mark in place; all others are decoded.
    - Boxes: four finite numbers, width and height above 0, at least half inside the picture.
    - Masks: polygons of three finite points or more, at least half inside the picture; run lengths that add up to the
      picture; at least one pixel; and a box around them that has something to do with the annotation's (IoU of 0.1 or
      more, each a pixel larger on all sides).

    Returns:
        Categories first, then images, then annotations, each in file order.
    """
    faults = [*_category_faults(data)]
    sizes: dict[int | str, Size | None] = {}
    faults += _image_faults(data, sizes)
    faults += _annotation_faults(data, sizes)
    return faults


def without_faults(everything: Sequence[CocoData], skip: bool, warn: Callable[[str], None]) -> list[CocoData]:
    """The data sets without what is at fault.

    Args:
        everything: The data sets.
        skip: Whether faulty entries may be left out.
        warn: Called with a line for each fault, up to 20, and what became of them.

    Raises:
        UserError: Something is at fault, and must not be left out.
    """
    faults = [find_faults(data) for data in everything]
    lines = [fault.line for found in faults for fault in found]
    for line in lines[:FAULTS_SHOWN]:
        warn(line)
    if len(lines) > FAULTS_SHOWN:
        warn(f"… and {len(lines) - FAULTS_SHOWN} more")
    if lines and not skip:
        raise UserError(f"{len(lines)} faults in the data; mend them, or leave them out with --skip-faults")
    if lines:
        warn(f"{len(lines)} faults in the data are left out")
    return [data.without(found) if found else data for data, found in zip(everything, faults, strict=True)]


def _category_faults(data: CocoData) -> Iterator[Fault]:
    ids: set[int | str] = set()
    names: set[str] = set()
    for position, entry in enumerate(data.content["categories"]):
        where = f"category entry {position + 1}"
        if not is_category(entry):
            yield Fault(data.file, where, _lacks(entry, "id", "name"), "categories", position)
            continue
        where = f"category {entry['id']} ({entry['name']})"
        if entry["id"] in ids:
            yield Fault(data.file, where, "another category has this id", "categories", position)
        elif entry["name"] in names:
            yield Fault(data.file, where, "another category has this name", "categories", position)
        ids.add(entry["id"])
        names.add(entry["name"])


def _image_faults(data: CocoData, sizes: dict[int | str, Size | None]) -> Iterator[Fault]:
    """The faults of images; ``sizes`` collects what size each image's annotations must fit, None if unknown."""
    names = defaultdict(set)
    for entry in data.images:
        names[entry["id"]].add(entry["file_name"])
    seen: set[str] = set()
    for position, entry in enumerate(data.content["images"]):
        if not is_image(entry):
            where = f"image entry {position + 1}"
            yield Fault(data.file, where, _lacks(entry, "id", "file_name"), "images", position)
            continue
        path = os.path.normpath(data.folder / entry["file_name"])
        what = None
        if len(names[entry["id"]]) > 1:
            others = ", ".join(sorted(names[entry["id"]] - {entry["file_name"]}))
            what = f"its id {entry['id']} is also that of {others}"
        elif path in seen:
            what = "another entry has the same picture"
        seen.add(path)
        size = entry_size(entry)
        try:
            size = _checked_size(data, entry)
        except ValueError as error:
            what = what or str(error)
        sizes.setdefault(entry["id"], size)
        if what is not None:
            yield Fault(data.file, picture_entry(entry), what, "images", position)


def _checked_size(data: CocoData, entry: dict[str, Any]) -> Size:
    """Height and width of an image as its annotators had it.

    Raises:
        ValueError: What is wrong with the entry or the picture.
    """
    size = entry_size(entry)
    if size is None and (entry.get("width"), entry.get("height")) != (None, None):
        raise ValueError(f"its width and height are not whole numbers from 1 to {LARGEST_SIDE}")
    labelled = entry.get("labelled_categories")
    if labelled is not None and not (isinstance(labelled, list) and all(is_id(category) for category in labelled)):
        raise ValueError("its labelled_categories are no list of category ids")
    upright, stored = probe(data.folder / entry["file_name"])
    if size is not None and size not in (upright, stored):
        raise ValueError(size_mismatch(upright, size))
    return size or upright


def _annotation_faults(data: CocoData, sizes: dict[int | str, Size | None]) -> Iterator[Fault]:
    images = {entry["id"]: entry for entry in data.images}
    seen: set[int | str] = set()
    for position, entry in enumerate(data.content["annotations"]):
        where = f"annotation entry {position + 1}"
        if not isinstance(entry, dict) or not is_id(entry.get("image_id")):
            yield Fault(data.file, where, _lacks(entry, "image_id"), "annotations", position)
            continue
        if is_id(entry.get("id")):
            where = f"annotation {entry['id']}"
        if entry["image_id"] not in images:
            yield Fault(data.file, where, f"there is no image {entry['image_id']}", "annotations", position)
            continue
        where += f" of {images[entry['image_id']]['file_name']}"
        for what in (*_wrong_keys(entry, data, seen), *_wrong_shapes(entry, sizes[entry["image_id"]])):
            yield Fault(data.file, where, what, "annotations", position)


def _wrong_keys(entry: dict[str, Any], data: CocoData, seen: set[int | str]) -> Iterator[str]:
    """What is wrong with an annotation's ids and flags; ``seen`` collects the ids of annotations."""
    if is_id(entry.get("id")):
        if entry["id"] in seen:
            yield "another annotation has this id"
        seen.add(entry["id"])
    elif "id" in entry:
        yield "its id is neither a whole number nor a text"
    if entry.get("iscrowd", 0) not in (0, 1):
        yield "its iscrowd is neither 0 nor 1"
    if entry.get("iscrowd"):
        return  # an ignored region is nobody's
    if not is_id(entry.get("category_id")):
        yield _lacks(entry, "category_id")
    elif entry["category_id"] not in data.category_ids:
        yield f"there is no category {entry['category_id']}"


def _wrong_shapes(entry: dict[str, Any], size: Size | None) -> Iterator[str]:
    """What is wrong with an annotation's box and mask in a picture of ``size``; little can be told without a size."""
    box = box_xyxy(entry.get("bbox"))
    fault = _box_fault(box, size) if entry.get("bbox") is not None else None
    if fault is not None:
        yield fault
    if size is None:
        return
    try:
        around = box_of_runs(run_lengths(entry.get("segmentation"), *size), size[0])
    except ValueError as error:
        yield str(error)
        return
    if around is None:
        yield "its mask has no pixel"
    elif fault is None and box is not None and _likeness(box, around) < AGREEMENT:
        yield f"its box {_xywh(box)} does not agree with its mask, whose box is {_xywh(around)}"


def _box_fault(box: Box | None, size: Size | None) -> str | None:
    if box is None:
        return "its box is not four finite numbers (x, y, width, height)"
    if box[2] <= box[0] or box[3] <= box[1]:
        return f"its box {_xywh(box)} is empty or inverted: width and height must be above 0"
    if size is not None and share_inside(box, *size) < 0.5:
        return f"its box {_xywh(box)} lies outside the picture of {size[1]}x{size[0]} pixels"
    return None


def _likeness(box: Box, other: Box) -> float:
    """Intersection over union of two xyxy boxes that are made a pixel larger on all sides."""
    width = min(box[2], other[2]) - max(box[0], other[0]) + 2
    height = min(box[3], other[3]) - max(box[1], other[1]) + 2
    both = max(width, 0.0) * max(height, 0.0)
    areas = ((right - left + 2) * (bottom - top + 2) for left, top, right, bottom in (box, other))
    return both / (sum(areas) - both)


def _xywh(box: Box) -> str:
    left, top, right, bottom = box
    return "[" + ", ".join(f"{value:.6g}" for value in (left, top, right - left, bottom - top)) + "]"


def _lacks(entry: Any, *keys: str) -> str:
    """What keeps an entry from being used: it is no object, or one of its ``keys`` is missing or of a wrong type."""
    if not isinstance(entry, dict):
        return f"is {_KINDS.get(type(entry), 'null')}, not an object with {' and '.join(keys)}"
    for key in keys:
        if key not in entry:
            return f"has no {key}"
        if not (isinstance(entry[key], str) if key in ("name", "file_name") else is_id(entry[key])):
            return f"its {key} is {_KINDS.get(type(entry[key]), 'null')}"
    raise AssertionError(f"nothing is wrong with {keys}")


_KINDS = {list: "a list", dict: "an object", str: "a text", bool: "true or false", int: "a number", float: "a fraction"}
