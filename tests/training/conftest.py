"""A small COCO data set made on the spot."""

import json

import cv2
import numpy as np
import pytest


@pytest.fixture
def dataset(tmp_path):
    """Twelve pictures of bright squares and discs on noise; returns the annotation file."""
    random = np.random.default_rng(0)
    images, annotations = [], []
    (tmp_path / "images").mkdir()
    for number in range(12):
        picture = random.integers(0, 60, (64, 96, 3)).astype(np.uint8)
        x, y, size = (int(value) for value in random.integers((5, 5, 14), (60, 30, 26)))
        square = [x, y, x + size, y, x + size, y + size, x, y + size]
        cv2.fillPoly(picture, [np.array(square).reshape(-1, 2)], (40, 40, 250) if number % 2 else (40, 250, 40))
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), picture)
        images.append({"id": 100 + number, "file_name": f"{number}.png", "width": 96, "height": 64})
        annotations.append(
            {
                "id": number + 1,
                "image_id": 100 + number,
                "category_id": 9 if number % 2 else 4,
                "segmentation": [square],
                "bbox": [x, y, size, size],
                "area": size * size,
                "iscrowd": 0,
            }
        )
    categories = [{"id": 9, "name": "red"}, {"id": 4, "name": "green"}]
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file
