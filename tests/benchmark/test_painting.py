from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
import torch

from streamseg.benchmark import peers
from streamseg.benchmark.painting import COUNT, SIZES, measure_painting, noise, some_objects


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_objects_are_of_mixed_sizes_inside_the_picture(width, height):
    found = some_objects(COUNT, width, height)
    boxes = found.boxes * 720 / height
    sides = boxes[:, 2] - boxes[:, 0]
    assert len(found) == 20 and (sides >= 39.9).all() and (sides <= 350.1).all() and np.ptp(sides) > 200
    assert (found.boxes >= 0).all() and (found.boxes <= (width, height, width, height)).all()
    shares = [patch.pixels.mean() for patch in (found.pixels(i, height, width) for i in range(len(found)))]
    assert all(0.4 < share < 0.8 for share in shares)  # ellipses


def test_every_way_to_draw_is_timed_on_one_core():
    threads = cv2.getNumThreads(), torch.get_num_threads()
    measured = measure_painting(repeats=1)
    assert (cv2.getNumThreads(), torch.get_num_threads()) == threads
    assert [tuple(one["size"]) for one in measured] == list(SIZES)
    there = importlib.util.find_spec("supervision") is not None
    for one in measured:
        assert list(one["ms"]) == ["streamseg_planes", "streamseg_rgb", "torchvision", "supervision"]
        assert all(value > 0 for name, value in one["ms"].items() if name != "supervision")
        assert (one["ms"]["supervision"] is not None) == there


def test_torchvision_draws_the_same_objects():
    found, picture = some_objects(3, 320, 192), noise(320, 192).to_rgb()
    drawn = peers.torchvision_way(picture, found)().permute(1, 2, 0).numpy()
    changed = (drawn != picture).any(-1)
    masks = found.to_masks(192, 320).any(0)
    assert changed[masks].mean() > 0.95


def test_supervision_draws_the_same_objects():
    pytest.importorskip("supervision", reason="supervision is not installed")
    found, picture = some_objects(3, 320, 192), noise(320, 192).to_rgb()
    draw = peers.supervision_way(picture, found)
    changed = (draw() != picture).any(-1)
    assert changed[found.to_masks(192, 320).any(0)].mean() > 0.95
