"""Augmentation keeps picture and truth together."""

import numpy as np
import pytest

from streamseg.training.augment import AugmentConfig, augment, paste_objects
from streamseg.training.batches import Draws, to_tensors
from streamseg.training.coco import CocoData, Sample

CANVAS = AugmentConfig(width=80, height=60, colour=0, degrade=0, paste=0)


def scene(labelled=frozenset({1, 2})):
    """A white object of class 1 on black, with room around it."""
    image = np.zeros((120, 160, 3), np.uint8)
    masks = np.zeros((1, 120, 160), np.uint8)
    masks[0, 30:90, 50:100] = 1
    image[masks[0] > 0] = 255
    return Sample(image, masks, np.array([1]), np.zeros((0, 120, 160), np.uint8), labelled)


@pytest.mark.parametrize("seed", range(8))
def test_masks_move_with_the_pixels(seed):
    result = augment(scene(), None, CANVAS, np.random.default_rng(seed))
    assert (result.image.shape, result.masks.shape) == ((60, 80, 3), (1, 60, 80))
    white = result.image[..., 0] > 200
    assert (white != (result.masks[0] > 0)).mean() < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_pasted_objects_cover_what_is_below(seed):
    sample, donor = scene(), scene()
    result = paste_objects(sample, donor, CANVAS, np.random.default_rng(seed))
    assert result.masks.sum(0).max() <= 1
    assert len(result.labels) == len(result.masks) == 2


def test_nothing_is_pasted_that_was_not_looked_for():
    assert len(paste_objects(scene(frozenset({2})), scene(), CANVAS, np.random.default_rng(0)).labels) == 1


def test_small_objects_become_ignored_regions():
    sample = scene()
    speck = np.zeros((1, 120, 160), np.uint8)
    speck[0, 0:2, 0:2] = 1
    sample.masks, sample.labels = np.concatenate([sample.masks, speck]), np.array([1, 2])
    _, target, pixels, labelled = to_tensors(sample, classes=2)
    assert target["boxes"].tolist() == [[50, 30, 100, 90]]
    assert target["ignore_boxes"].tolist() == [[0, 0, 2, 2]]
    assert (int(pixels[0, 0]), int(pixels[40, 60]), labelled.tolist()) == (2, 1, [True, True, True])
    assert bool(target["complete"])


def test_items_depend_on_seed_and_number_alone(dataset):
    data = [CocoData.read(dataset)]
    config = AugmentConfig(width=80, height=60)
    first, second = (Draws(data, [1.0], config, 7, items) for items in (10, 20))
    for item in (0, 3, 9):
        assert bool((first[item][0] == second[item][0]).all())
    assert not bool((first[0][0] == first[1][0]).all())
