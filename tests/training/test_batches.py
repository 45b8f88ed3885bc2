"""Batches: the same for a seed whatever the workers and processes, with boxes tight around masks."""

import json

import cv2
import numpy as np
import pytest
import torch

from streamseg.errors import UserError
from streamseg.training.augment import AugmentConfig
from streamseg.training.batches import Draws, batches, to_tensors
from streamseg.training.coco import CocoData, Sample

CONFIG = AugmentConfig(width=80, height=60, degrade=0.5)


def draws(dataset, items=24):
    return Draws([CocoData.read(dataset)], [1.0], CONFIG, seed=7, items=items)


def test_items_depend_on_seed_and_number_alone(dataset):
    first, second = draws(dataset, 10), draws(dataset, 20)
    for item in (9, 0, 3):
        assert torch.equal(first[item][0], second[item][0])
        assert torch.equal(first[item][2], second[item][2])
    assert not torch.equal(first[0][0], first[1][0])


def test_boxes_are_tight_around_masks(dataset):
    found = 0
    for item in range(24):
        target = draws(dataset)[item][1]
        for box, mask in zip(target["boxes"], target["masks"], strict=True):
            rows, columns = torch.nonzero(mask, as_tuple=True)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            found += 1
    assert found >= 20


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_every_batch(dataset, world, workers):
    whole = list(batches(draws(dataset, 16), 4, 1, 0))
    shares = [list(batches(draws(dataset, 16), 4, 1, workers, rank, world)) for rank in range(world)]
    assert len(whole) == 3 and {len(share) for share in shares} == {3}
    for step, batch in enumerate(whole):
        assert sum(len(share[step].images) for share in shares) == 4
        for rank, share in enumerate(shares):
            assert torch.equal(share[step].images, batch.images[rank::world])
            assert torch.equal(share[step].pixels, batch.pixels[rank::world])
            boxes = [target["boxes"].tolist() for target in share[step].targets]
            assert boxes == [target["boxes"].tolist() for target in batch.targets[rank::world]]


def test_a_batch_is_not_shared_among_more_than_it_has(dataset):
    with pytest.raises(UserError, match="a batch of 2 cannot be shared among 3 processes"):
        next(batches(draws(dataset), 2, 0, 0, 0, 3))


@pytest.mark.parametrize(("kind", "message"), [("images", "has no pictures"), ("categories", "has no classes")])
def test_nothing_to_draw_from(dataset, kind, message):
    content = json.loads(dataset.read_text())
    content[kind] = []
    dataset.write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        draws(dataset)


def test_large_pictures_are_shrunk_on_reading(dataset):
    large = dataset.parent / "images" / "0.png"
    cv2.imwrite(str(large), cv2.resize(cv2.imread(str(large)), (960, 640), interpolation=cv2.INTER_NEAREST))
    content = json.loads(dataset.read_text())
    content["images"][0].update(width=960, height=640)
    polygon = content["annotations"][0]["segmentation"][0]
    content["annotations"][0]["segmentation"] = [[10 * value for value in polygon]]
    dataset.write_text(json.dumps(content))
    data = CocoData.read(dataset)
    sample = data.sample(0, (100, 200))
    assert (sample.image.shape, sample.masks.shape) == ((133, 200, 3), (1, 133, 200))
    assert np.median(sample.image[sample.masks[0] > 0], axis=0).tolist() == [40, 250, 40]
    assert data.sample(1, (100, 200)).image.shape == (64, 96, 3)


def test_small_objects_become_ignored_regions():
    masks = np.zeros((2, 60, 80), np.uint8)
    masks[0, 30:50, 20:60] = 1
    masks[1, 0:2, 0:2] = 1
    sample = Sample(np.zeros((60, 80, 3), np.uint8), masks, np.array([1, 2]), masks[:0], frozenset({1, 2}))
    _, target, pixels, labelled = to_tensors(sample, classes=2)
    assert target["boxes"].tolist() == [[20, 30, 60, 50]]
    assert target["ignore_boxes"].tolist() == [[0, 0, 2, 2]]
    assert (int(pixels[0, 0]), int(pixels[40, 40]), labelled.tolist()) == (2, 1, [True, True, True])
    assert bool(target["complete"])
