"""Rendered scenes as files: stills in COCO format for training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2

from streamseg.errors import UserError
from streamseg.masks import encode
from streamseg.scenes.clip import render_clip
from streamseg.scenes.stills import render_still
from streamseg.scenes.truth import LABELS, SceneFrame

# One picture a second of drives this long: neighbours differ, and setting up a street costs as much as three pictures.
PICTURES_PER_DRIVE = 10


def write_stills(
    folder: str | Path,
    count: int,
    first_seed: int = 0,
    width: int = 512,
    height: int = 320,
    drives: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render stills into ``folder/images`` and describe them in ``folder/annotations.json`` (COCO instances).

    Args:
        folder: Made where it does not exist; files of the same names are replaced.
        count: How many pictures.
        first_seed: Picture i is ``render_still(first_seed + i, width, height)``; of drives, each takes the next seed.
        width: Columns, pixels.
        height: Rows, pixels.
        drives: Take the pictures from clips like the shipped sample, ten of each, instead of from random scenes.
        progress: Called with (pictures done, ``count``) after each.

    Returns:
        The path of ``annotations.json``.

    Raises:
        UserError: The folder cannot be written.
    """
    folder = Path(folder)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        frames = _drives(first_seed, width, height) if drives else _scenes(first_seed, width, height)
        for index, frame in zip(range(count), frames, strict=False):
            name = f"scene-{first_seed + index:07d}.jpg"
            _, data = cv2.imencode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
            (folder / "images" / name).write_bytes(data.tobytes())
            entry = {"id": index + 1, "file_name": name, "width": width, "height": height}
            images.append({**entry, "labelled_categories": [1, 2, 3], "source": "scenes"})
            for found in frame.objects:
                x1, y1, x2, y2 = found.box
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": index + 1,
                        "category_id": LABELS.index(found.label) + 1,
                        "segmentation": encode(found.mask, height, width),
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "area": int(found.mask.pixels.sum()),
                        "iscrowd": 0,
                    }
                )
            if progress is not None:
                progress(index + 1, count)
        categories = [{"id": position + 1, "name": label} for position, label in enumerate(LABELS)]
        path = folder / "annotations.json"
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    except OSError as error:
        raise UserError(f"cannot write stills to {folder}: {error.strerror or error}; choose another folder") from error
    return path


def _scenes(seed: int, width: int, height: int) -> Iterator[SceneFrame]:
    while True:
        yield render_still(seed, width, height)
        seed += 1


def _drives(seed: int, width: int, height: int, rate: int = 30) -> Iterator[SceneFrame]:
    while True:
        yield from render_clip(seed, PICTURES_PER_DRIVE, width, height, rate, every=rate)
        seed += 1
