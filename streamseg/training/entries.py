"""Single entries of a COCO file: what they are called in messages, and what is usable in them."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from streamseg.training.pictures import Size
from streamseg.training.segmentations import Box

LARGEST_SIDE = 1 << 16


def one_line(text: str) -> str:
    """The text with line breaks and all else that is not printable written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_id(value: Any) -> TypeGuard[int | str]:
    """Whether this can be an id: a whole number, or a text as some programs write."""
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def is_image(entry: Any) -> TypeGuard[dict[str, Any]]:
    """Whether an entry of ``images`` names a picture."""
    return isinstance(entry, dict) and is_id(entry.get("id")) and isinstance(entry.get("file_name"), str)


def is_category(entry: Any) -> TypeGuard[dict[str, Any]]:
    """Whether an entry of ``categories`` names a class."""
    return isinstance(entry, dict) and is_id(entry.get("id")) and isinstance(entry.get("name"), str)


def picture_entry(entry: dict[str, Any]) -> str:
    """How a picture is called in messages."""
    return f"picture {entry['file_name']}"


def entry_size(entry: dict[str, Any]) -> Size | None:
    """Height and width that an image entry gives; None where it gives none that make sense."""
    height, width = entry.get("height"), entry.get("width")
    return (int(height), int(width)) if _is_side(height) and _is_side(width) else None


def _is_side(value: Any) -> TypeGuard[int | float]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 1 <= value <= LARGEST_SIDE and value == int(value)


def box_xyxy(bbox: Any) -> Box | None:
    """A COCO ``bbox`` (x, y, width, height) as xyxy; None where it is not four finite numbers."""
    if not isinstance(bbox, (list, tuple)) or len(bbox) != 4:
        return None
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in bbox):
        return None
    try:
        x, y, width, height = (float(value) for value in bbox)
    except OverflowError:
        return None
    box = (x, y, x + width, y + height)
    return box if all(math.isfinite(value) for value in box) else None
