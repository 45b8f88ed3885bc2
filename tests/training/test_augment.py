"""Augmentation keeps picture and truth together, and is decided by its generator alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.training.augment import Augmentation, AugmentConfig
from streamseg.training.coco import Sample
from streamseg.training.paste import paste_objects

PLAIN = AugmentConfig(width=80, height=60, colour=0, degrade=0, paste=0)


def scene(labelled=frozenset({1, 2}), height=120, width=160):
    """A white object of class 1 in a grey ignored region, on black, with room around it."""
    image = np.zeros((height, width, 3), np.uint8)
    masks, ignore = np.zeros((1, height, width), np.uint8), np.zeros((1, height, width), np.uint8)
    masks[0, height // 4 : -height // 4, width // 3 : -width // 3] = 1
    ignore[0, : height // 8] = 1
    image[ignore[0] > 0] = 128
    image[masks[0] > 0] = 255
    return Sample(image, masks, np.array([1]), ignore, labelled)


@pytest.mark.parametrize("seed", range(8))
def test_masks_move_with_the_pixels(seed):
    result = Augmentation(PLAIN)(scene(), None, np.random.default_rng(seed))
    assert (result.image.shape, result.masks.shape, result.ignore.shape) == ((60, 80, 3), (1, 60, 80), (1, 60, 80))
    padded = (result.image == (124, 116, 104)).all(axis=2)
    grey = (abs(result.image[..., 0].astype(int) - 128) < 64) & ~padded
    assert ((result.image[..., 0] > 192) != (result.masks[0] > 0)).mean() < 0.05
    assert (grey != (result.ignore[0] > 0)).mean() < 0.05
    assert not (result.masks.any(0) | result.ignore.any(0))[padded].any()


def test_half_of_the_pictures_are_flipped():
    sample = scene()
    sample.image[:] = np.arange(160, dtype=np.uint8)[None, :, None]
    change = Augmentation(PLAIN)
    rising = []
    for seed in range(60):
        image = change(sample, None, np.random.default_rng(seed)).image[..., 0].astype(int)
        rising.append(np.median(np.diff(image[30, 20:60])) > 0)
    assert 15 < sum(rising) < 45


def test_crops_are_drawn_towards_objects():
    sample = scene(height=400, width=400)
    sample.masks[:] = 0
    sample.masks[0, 380:390, 5:15] = 1
    change = Augmentation(AugmentConfig(width=80, height=60, scale_min=5, scale_max=5, flip=0, colour=0, degrade=0))
    hits = sum(change(sample, None, np.random.default_rng(seed)).masks.any() for seed in range(100))
    assert 55 < hits < 90


@pytest.mark.parametrize("strength", [0, 0.5])
def test_colours_change_as_strongly_as_configured(strength):
    config = AugmentConfig(width=160, height=120, scale_min=1, scale_max=1, flip=0, colour=strength, degrade=0)
    sample = scene()
    sample.image[:] = (40, 90, 160)
    changed = [Augmentation(config)(sample, None, np.random.default_rng(seed)).image[0, 0] for seed in range(12)]
    assert (np.std(changed, axis=0) > 8).all() == (strength > 0)
    if not strength:
        assert (np.array(changed) == (40, 90, 160)).all()


def test_degraded_pictures_are_blurred_or_noisy():
    config = AugmentConfig(width=160, height=120, scale_min=1, scale_max=1, flip=0, colour=0, degrade=1)
    before = scene()
    results = [Augmentation(config)(before, None, np.random.default_rng(seed)).image.astype(int) for seed in range(12)]
    assert all((result != before.image).any() for result in results)
    noisy = [result[60:80, 60:80].std() > 0 for result in results]
    assert 0 < sum(noisy) < 12


def test_chance_comes_from_the_generator_alone():
    config = AugmentConfig(width=80, height=60, degrade=1)
    torch.manual_seed(5)
    first = Augmentation(config)(scene(), scene(), np.random.default_rng(3))
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == after
    second = Augmentation(config)(scene(), scene(), np.random.default_rng(3))
    other = Augmentation(config)(scene(), scene(), np.random.default_rng(4))
    assert (first.image == second.image).all() and (first.masks == second.masks).all()
    assert (first.image != other.image).any()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([(1, 1), (1, 700), (700, 1), (3, 5), (60, 80), (61, 500), (900, 64)]),
    st.integers(0, 3),
    st.integers(0, 2**32),
)
def test_any_size_and_number_of_objects_fills_the_canvas(size, objects, seed):
    random = np.random.default_rng(seed)
    masks = random.integers(0, 2, (objects, *size)).astype(np.uint8)
    sample = Sample(np.full((*size, 3), 200, np.uint8), masks, np.ones(objects, int), masks[:1], frozenset({1}))
    result = Augmentation(AugmentConfig(width=80, height=60))(sample, sample, random)
    assert (result.image.shape, result.image.dtype) == ((60, 80, 3), np.uint8)
    assert len(result.masks) == len(result.labels) >= objects
    assert result.masks.shape[1:] == result.ignore.shape[1:] == (60, 80)
    assert result.masks.max(initial=0) <= 1


@pytest.mark.parametrize("seed", range(8))
def test_pasted_objects_cover_what_is_below(seed):
    sample, donor = scene(), scene()
    result = paste_objects(sample, donor, 4, np.random.default_rng(seed))
    assert (result.masks.sum(0) + result.ignore.sum(0)).max() <= 1
    assert len(result.labels) == len(result.masks) == 2
    assert np.median(result.image[result.masks[1] > 0]) == 255


def test_nothing_is_pasted_that_was_not_looked_for():
    assert len(paste_objects(scene(frozenset({2})), scene(), 4, np.random.default_rng(0)).labels) == 1
