"""Small data sets whose answers are known, and models that give them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamseg.instances import Instances
from streamseg.training.coco import CocoData


class Scene:
    """A folder with a COCO file of grey pictures, 100 wide and 80 high, and filled boxes as objects."""

    names = ("a", "b")
    size = (80, 100)

    def __init__(self, folder: Path) -> None:
        self.file = folder / "truth.json"
        self.content = {
            "images": [],
            "annotations": [],
            "categories": [{"id": 5, "name": "a"}, {"id": 9, "name": "b"}],
        }

    def picture(self, objects=(), crowds=(), **keys):
        """Adds a picture; objects and crowds are pairs of class name and box xyxy. Returns its id."""
        image = len(self.content["images"]) + 1
        cv2.imwrite(str(self.file.parent / f"{image}.png"), np.full((*self.size, 3), 90, np.uint8))
        height, width = self.size
        self.content["images"].append(
            {"id": image, "file_name": f"{image}.png", "width": width, "height": height, **keys}
        )
        for crowd, entries in enumerate((objects, crowds)):
            for name, (x1, y1, x2, y2) in entries:
                self.content["annotations"].append(
                    {
                        "id": len(self.content["annotations"]) + 1,
                        "image_id": image,
                        "category_id": self.category(name),
                        "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "area": (x2 - x1) * (y2 - y1),
                        "iscrowd": crowd,
                    }
                )
        return image

    def category(self, name):
        return {"a": 5, "b": 9}[name]

    def data(self) -> CocoData:
        self.file.write_text(json.dumps(self.content))
        return CocoData.read(self.file)


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


@pytest.fixture
def model():
    """``model(answers)`` gives the n-th answer for the n-th picture: triples of class name, box and score."""

    def make(answers, names=Scene.names):
        turn = iter(answers)

        def segment(images):
            return [_instances(next(turn), names) for _ in images]

        return segment

    return make


def _instances(answer, names):
    count = len(answer)
    return Instances(
        boxes=np.array([box for _, box, _ in answer], np.float32).reshape(-1, 4),
        scores=np.array([score for *_, score in answer], np.float32),
        labels=np.array([names.index(name) for name, *_ in answer], np.int64),
        masks=np.ones((count, 28, 28), np.float32),
        ids=np.zeros(count, np.int64),
        class_names=names,
        pasting="aligned",
    )
