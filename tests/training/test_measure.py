"""Validations: what they write into a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
import torch

from streamseg.errors import UserError
from streamseg.masks import encode
from streamseg.models import load_model
from streamseg.models.checkpoint import amend_checkpoint, embedded_street, read_checkpoint, write_checkpoint
from streamseg.scenes import render_still
from streamseg.training.coco import CocoData
from streamseg.training.measure import Validator

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES = {"person": 1, "vehicle": 2, "cycle": 3}


def scenes(folder: Path, count: int) -> CocoData:
    """A data set of rendered streets."""
    images, annotations = [], []
    for seed in range(count):
        scene = render_still(seed)
        height, width = scene.image.shape[:2]
        cv2.imwrite(str(folder / f"{seed}.png"), scene.image[..., ::-1])
        images.append({"id": seed, "file_name": f"{seed}.png", "width": width, "height": height})
        for one in scene.objects:
            x1, y1, x2, y2 = one.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": seed,
                    "category_id": CLASSES[one.label],
                    "segmentation": encode(one.mask, height, width),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": int(one.mask.pixels.sum()),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for name, number in CLASSES.items()]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "truth.json").write_text(json.dumps(content))
    return CocoData.read(folder / "truth.json")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The embedded model, as if it said another neutral score than it has."""
    street, path = embedded_street(), tmp_path / "best.safetensors"
    write_checkpoint(path, street.tensors, {**street.metadata, "neutral_score": 0.95}, half=False)
    return path


def test_a_validation_tells_which_score_is_neutral(tmp_path: Path, weights: Path) -> None:
    before = read_checkpoint(weights)
    validator = Validator(scenes(tmp_path, 8), "cpu")
    figures = validator(weights, 5)
    assert validator.best is not None and validator.best_step == 5
    told = load_model(weights=weights).neutral_score
    assert told == round(validator.best.neutral_score, 3) and 0.6 < told < 0.8
    after = read_checkpoint(weights)
    assert after.metadata == {**before.metadata, "neutral_score": told}
    assert all(torch.equal(tensor, before.tensors[name]) for name, tensor in after.tensors.items())
    assert "neutral_score" not in figures  # runs go on from before, and their tables keep their columns


def test_too_few_pictures_tell_nothing(tmp_path: Path, weights: Path) -> None:
    amend_checkpoint(weights, {"neutral_score": None})
    before = weights.read_bytes()
    Validator(scenes(tmp_path, 1), "cpu")(weights, 5)
    assert weights.read_bytes() == before
    assert load_model(weights=weights).neutral_score is None


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path, weights: Path) -> None:
    before = weights.read_bytes()
    (tmp_path / ".best.safetensors.part").mkdir()
    with pytest.raises(UserError, match=r"best.safetensors: cannot be written \(Is a directory\)") as caught:
        Validator(scenes(tmp_path, 8), "cpu")(weights, 5)
    assert "\n" not in str(caught.value) and weights.read_bytes() == before
