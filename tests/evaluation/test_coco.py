"""Average precision: perfect, empty and shifted answers on a data set made on the spot."""

import json

import cv2
import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.evaluation.coco import average_precision, coco_results
from streamseg.instances import Instances

BOXES = {1: [10, 10, 40, 30], 2: [50, 20, 90, 60]}


@pytest.fixture
def dataset(tmp_path):
    """Two pictures with one object of each class."""
    annotations = []
    for image in (1, 2):
        cv2.imwrite(str(tmp_path / f"{image}.png"), np.zeros((80, 100, 3), np.uint8))
        for category, (x1, y1, x2, y2) in BOXES.items():
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": category,
                    "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
    content = {
        "images": [{"id": image, "file_name": f"{image}.png", "width": 100, "height": 80} for image in (1, 2)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    return tmp_path / "truth.json"


def answers(boxes, names=("a", "b")):
    """A segmenter that always gives the same filled boxes, label by label."""

    def segment(images):
        count = len(boxes)
        return [
            Instances(
                boxes=np.array(boxes, np.float32).reshape(-1, 4),
                scores=np.full(count, 0.9, np.float32),
                labels=np.arange(count),
                masks=np.ones((count, 28, 28), np.float32),
                ids=np.zeros(count, np.int64),
                class_names=names,
                pasting="aligned",
            )
            for _ in images
        ]

    return segment


@pytest.mark.parametrize(
    ("boxes", "ap50", "ap"),
    [
        ([BOXES[1], BOXES[2]], {"a": 1, "b": 1, "all": 1}, {"a": 1, "b": 1}),
        ([BOXES[1]], {"a": 1, "b": 0, "all": 0.5}, {"a": 1, "b": 0}),
        ([], {"a": 0, "b": 0, "all": 0}, {"a": 0, "b": 0}),
        # IoU 24/36 = 0.667: found at 0.50, 0.55, 0.60 and 0.65 only.
        ([[16, 10, 46, 30], BOXES[2]], {"a": 1, "b": 1, "all": 1}, {"a": 0.4, "b": 1}),
    ],
    ids=["perfect", "one class", "nothing", "shifted"],
)
def test_figures(dataset, boxes, ap50, ap):
    figures = average_precision(coco_results(answers(boxes), dataset), dataset)
    assert figures.images == 2
    for kind in (figures.mask, figures.box):
        assert {name: item.ap50 for name, item in kind.items()} == pytest.approx(ap50, abs=1e-6)
        assert {name: kind[name].ap for name in ap} == pytest.approx(ap, abs=1e-6)


def test_progress_is_told(dataset):
    told = []
    coco_results(answers([]), dataset, report=lambda done, count: told.append((done, count)))
    assert told == [(1, 2), (2, 2)]


def test_a_model_of_other_classes_is_refused(dataset):
    with pytest.raises(UserError, match=r"none of its classes \(a, b\) is known"):
        coco_results(answers([BOXES[1]], names=("x",)), dataset)
