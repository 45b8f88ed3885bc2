"""Masks in their boxes become the pixels, run lengths and outlines that the frameworks give."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from torchvision.models.detection.roi_heads import paste_masks_in_image

from streamseg import masks
from streamseg.masks import Patch

HEIGHT, WIDTH = 90, 140


def full(patch: Patch, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    frame = np.zeros((height, width), bool)
    frame[patch.slices] = patch.pixels
    return frame


def random_masks(rng: np.random.Generator, count: int, cells: int) -> np.ndarray:
    """Noise, blobs, and masks whose values sit exactly on or around the threshold."""
    noise = rng.random((count, cells, cells), dtype=np.float32)
    blobs = np.stack([cv2.GaussianBlur(one, (0, 0), 3) for one in noise])
    blobs = 1 / (1 + np.exp(-40 * (blobs - blobs.mean(axis=(1, 2), keepdims=True))))
    steps = np.round(noise * 4) / 4
    pick = rng.integers(0, 3, count)[:, None, None]
    return np.where(pick == 0, noise, np.where(pick == 1, blobs, steps)).astype(np.float32)


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Inside, at the borders, sticking out, tiny, larger than the frame, on whole pixels, with no area."""
    size = np.exp(rng.uniform(-2, 6, (count, 2)))
    centre = rng.uniform([-20, -20], [WIDTH + 20, HEIGHT + 20], (count, 2))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    clipped = np.clip(boxes, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    kind = rng.integers(0, 4, count)[:, None]
    boxes = np.where(kind == 0, boxes, np.where(kind == 1, clipped, np.where(kind == 2, np.round(boxes), boxes)))
    flat = rng.random(count) < 0.03
    boxes[flat, 2] = boxes[flat, 0]
    return boxes.astype(np.float32)


def torchvision_pixels(mask: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    pasted = paste_masks_in_image(torch.from_numpy(mask)[None, None], torch.from_numpy(box)[None], (height, width))
    return (pasted[0, 0] > 0.5).numpy()


def aligned_values(mask: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    """detectron2's _do_paste_mask over the whole frame, in float64."""
    left, top, right, bottom = (float(v) for v in box)
    x = (torch.arange(width, dtype=torch.float64) + 0.5 - left) / (right - left) * 2 - 1
    y = (torch.arange(height, dtype=torch.float64) + 0.5 - top) / (bottom - top) * 2 - 1
    grid = torch.stack([x[None].expand(height, width), y[:, None].expand(height, width)], dim=2)[None]
    source = torch.from_numpy(mask).double()[None, None]
    return torch.nn.functional.grid_sample(source, grid, align_corners=False)[0, 0].numpy()


@pytest.mark.parametrize("cells", [28, 14, 7])
def test_torchvision_pasting_is_exact(cells: int) -> None:
    rng = np.random.default_rng(cells)
    compared = 0
    for mask, box in zip(random_masks(rng, 1500, cells), random_boxes(rng, 1500), strict=True):
        patch = masks.paste(mask, box, HEIGHT, WIDTH)
        try:
            expected = torchvision_pixels(mask, box, HEIGHT, WIDTH)
        except RuntimeError:  # torchvision cannot paste a box that lies outside the frame
            assert patch.pixels.size == 0, box
            continue
        compared += 1
        assert np.array_equal(full(patch), expected), box
    assert compared > 1000


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, WIDTH, HEIGHT),
        (-3000.5, -2000.25, 3000, 2000),
        (-5000, 20, 100, 60),
        (60.5, 30.5, 60.75, 30.75),
        (60, 30, 60, 30),
        (WIDTH - 1, HEIGHT - 1, WIDTH + 8, HEIGHT + 8),
        (50, 60, 40, 20),
    ],
)
def test_torchvision_pasting_of_odd_boxes(box: tuple[float, ...]) -> None:
    rng = np.random.default_rng(1)
    for mask in random_masks(rng, 10, 28):
        corners = np.array(box, np.float32)
        expected = torchvision_pixels(mask, corners, HEIGHT, WIDTH)
        assert np.array_equal(full(masks.paste(mask, corners, HEIGHT, WIDTH)), expected)


@pytest.mark.parametrize("pasting", ["torchvision", "aligned", "box"])
@pytest.mark.parametrize(
    "box", [(-50, -50, -10, -10), (500, 10, 600, 20), (10, 500, 20, 600), (0, 0, np.nan, 5), (0, 0, np.inf, 5)]
)
def test_boxes_without_a_pixel_give_an_empty_patch(pasting: str, box: tuple[float, ...]) -> None:
    patch = masks.paste(np.ones((28, 28), np.float32), np.array(box, np.float32), HEIGHT, WIDTH, pasting)
    assert patch.pixels.shape == (0, 0)
    assert not full(patch).any()


@pytest.mark.parametrize("pasting", ["torchvision", "aligned", "box"])
def test_a_box_far_larger_than_the_frame_costs_only_the_frame(pasting: str) -> None:
    box = np.array([-1e7, -1e7, 1e7, 1e7], np.float32)
    patch = masks.paste(np.ones((28, 28), np.float32), box, HEIGHT, WIDTH, pasting)
    assert patch.pixels.shape == (HEIGHT, WIDTH)
    assert patch.pixels.all()


def test_unknown_pasting_is_refused() -> None:
    with pytest.raises(ValueError, match="aligned"):
        masks.paste(np.ones((2, 2), np.float32), np.zeros(4, np.float32), 4, 4, "nearest")


def test_a_box_without_a_mask_has_the_pixels_whose_centres_lie_in_it() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    boxes = random_boxes(np.random.default_rng(7), 300)
    for box, patch in zip(
        boxes, masks.paste_all(np.ones((300, 1, 1), np.float32), boxes, HEIGHT, WIDTH, "box"), strict=True
    ):
        inside = (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])
        assert np.array_equal(full(patch), inside)


def test_aligned_pasting_samples_pixel_centres() -> None:
    rng = np.random.default_rng(3)
    for mask, box in zip(random_masks(rng, 1000, 28), random_boxes(rng, 1000), strict=True):
        patch = full(masks.paste(mask, box, HEIGHT, WIDTH, "aligned"))
        if box[2] <= box[0] or box[3] <= box[1]:
            assert not patch.any()
            continue
        values = aligned_values(mask, box, HEIGHT, WIDTH)
        clear = np.abs(values - 0.5) > 1e-5
        assert np.array_equal(patch[clear], values[clear] >= 0.5), box


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_encoding_equals_pycocotools_on_the_full_mask(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    rows, columns = data.draw(st.integers(0, height)), data.draw(st.integers(0, width))
    y, x = data.draw(st.integers(0, height - rows)), data.draw(st.integers(0, width - columns))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    patch = Patch(rng.random((rows, columns)) < data.draw(st.sampled_from([0, 0.3, 0.9, 1])), x, y)
    whole = full(patch, height, width)
    expected = coco.encode(np.asfortranarray(whole.astype(np.uint8)))
    rle = masks.encode(patch, height, width)
    assert rle == {"size": [height, width], "counts": expected["counts"].decode()}
    assert np.array_equal(masks.decode(rle), whole)


def test_encoding_a_real_patch_of_a_large_frame() -> None:
    rng = np.random.default_rng(5)
    for mask, box in zip(random_masks(rng, 50, 28), random_boxes(rng, 50) * 12, strict=True):
        patch = masks.paste(mask, box, 1080, 1680)
        expected = coco.encode(np.asfortranarray(full(patch, 1080, 1680).astype(np.uint8)))
        assert masks.encode(patch, 1080, 1680)["counts"] == expected["counts"].decode()


def test_outlines_lie_on_the_border_pixels_of_every_part() -> None:
    pixels = np.zeros((10, 12), bool)
    pixels[1:5, 1:6] = True
    pixels[2:4, 2:4] = False  # a hole has no outline of its own
    pixels[8, 10] = True
    found = sorted(masks.outlines(Patch(pixels, 100, 50)), key=len)
    assert [one.dtype for one in found] == [np.float32, np.float32]
    assert found[0].tolist() == [[110, 58]]
    assert sorted(found[1].tolist()) == [[101, 51], [101, 54], [105, 51], [105, 54]]


def test_nothing_has_no_outline() -> None:
    assert masks.outlines(Patch(np.zeros((0, 0), bool), 0, 0)) == []
    assert masks.outlines(Patch(np.zeros((3, 3), bool), 0, 0)) == []
