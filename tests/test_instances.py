"""The objects of a frame: indexing, and pixels that are computed once."""

from __future__ import annotations

import numpy as np
import pytest

from streamseg import masks
from streamseg.instances import Instances

HEIGHT, WIDTH = 60, 90


def some(count: int = 5, pasting: str = "torchvision") -> Instances:
    rng = np.random.default_rng(0)
    low = rng.uniform(-3, 45, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(8, 40, (count, 2))], axis=1).astype(np.float32)
    scores, labels = rng.random(count, dtype=np.float32), rng.integers(0, 2, count)
    return Instances(
        boxes, scores, labels, rng.random((count, 28, 28), np.float32), np.arange(count), ("a", "b"), pasting
    )


@pytest.mark.parametrize("pasting", ["torchvision", "aligned"])
def test_patches_are_those_of_each_object_pasted_alone(pasting: str) -> None:
    found = some(pasting=pasting)
    full = found.to_masks(HEIGHT, WIDTH)
    assert full.any(axis=(1, 2)).all()
    for index, (patch, mask) in enumerate(zip(found.patches(HEIGHT, WIDTH), full, strict=True)):
        alone = masks.paste(found.masks[index], found.boxes[index], HEIGHT, WIDTH, pasting)
        assert np.array_equal(patch.pixels, alone.pixels)
        assert patch.slices == alone.slices
        assert np.array_equal(mask[patch.slices], patch.pixels)
        assert mask.sum() == patch.pixels.sum()
        assert found.to_rle(HEIGHT, WIDTH)[index] == masks.encode(alone, HEIGHT, WIDTH)


def test_patches_are_computed_once_for_each_size_and_never_for_other_objects() -> None:
    found = some()
    first = found.patches(HEIGHT, WIDTH)
    assert found.patches(HEIGHT, WIDTH) is first
    assert found.pixels(2, HEIGHT, WIDTH) is first[2]
    assert found.patches(HEIGHT, 2 * WIDTH) is not first
    last = found[[4]].patches(HEIGHT, WIDTH)
    assert len(last) == 1
    assert np.array_equal(last[0].pixels, first[4].pixels)
    assert len(found.with_ids(found.ids + 1).patches(HEIGHT, WIDTH)) == len(found)


def test_the_bytes_of_a_patch_are_its_pixels() -> None:
    patch = some().patches(HEIGHT, WIDTH)[0]
    assert patch.inside.dtype == np.uint8
    assert patch.inside.flags.c_contiguous
    assert np.shares_memory(patch.inside, patch.pixels)
    assert patch.inside.max() == 1
    assert patch.inside.sum() == patch.pixels.sum()


def test_no_objects() -> None:
    nothing = Instances.empty(("a",))
    assert nothing.patches(HEIGHT, WIDTH) == nothing.to_rle(HEIGHT, WIDTH) == nothing.names == []
    assert nothing.to_masks(HEIGHT, WIDTH).shape == (0, HEIGHT, WIDTH)


def test_columns_of_different_lengths_are_refused() -> None:
    found = some()
    with pytest.raises(ValueError, match="5 boxes but 4 scores"):
        Instances(found.boxes, found.scores[1:], found.labels, found.masks, found.ids)
