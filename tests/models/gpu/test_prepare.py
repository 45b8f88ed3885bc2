"""A network's input made in fixed shapes is what the model's own transform makes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from streamseg.models.gpu.prepare import Prepare, ToRGB
from streamseg.planes import Planes, pack, packed_size

CPU = torch.device("cpu")
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150), short=st.integers(8, 64), ratio=st.floats(1, 2))
def test_same_as_torchvision(height, width, short, ratio):
    transform = GeneralizedRCNNTransform(short, int(short * ratio), MEAN, DEVIATION)
    scale = min(short / min(height, width), int(short * ratio) / max(height, width))
    if min(height, width) * scale < 1:
        return  # torchvision fails
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, height, width), np.uint8)
    expected, _ = transform([torch.from_numpy(picture).float() / 255 for picture in pictures])
    prepare = Prepare(transform, (height, width), CPU)
    found = prepare(torch.from_numpy(pictures).float())
    assert [prepare.inner] * 2 == expected.image_sizes
    torch.testing.assert_close(found, expected.tensors, atol=1e-4, rtol=0)


def smooth(height: int, width: int) -> np.ndarray:
    down, across = np.mgrid[0:height, 0:width]
    return (128 + 60 * np.sin(down / 5) + 60 * np.cos(across / 7)).astype(np.uint8)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 5])
@pytest.mark.parametrize("size", [(48, 64), (47, 63)], ids=str)
def test_planes_become_the_rgb_that_swscale_makes(size, matrix, full_range):
    height, width = size
    half = -(-height // 2), -(-width // 2)
    planes = Planes(smooth(*size), smooth(*half), smooth(*half).T.copy().reshape(half), matrix, full_range)
    row = np.empty(packed_size(planes), np.uint8)
    pack(planes, row)
    found = ToRGB(planes, CPU)(torch.from_numpy(row)[None])[0].permute(1, 2, 0).numpy()
    difference = np.abs(found - planes.to_rgb().astype(float))
    assert difference.max() <= 1
    assert difference.mean() < 0.05


def test_rgb_stays_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    found = ToRGB(picture, CPU)(torch.from_numpy(picture.reshape(1, -1)))
    assert np.array_equal(found[0].permute(1, 2, 0).numpy(), picture)
