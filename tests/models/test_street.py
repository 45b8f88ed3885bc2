"""The street architecture: folding, input, and what training leaves alone."""

import cv2
import numpy as np
import pytest
import torch
from torchvision.models.detection.image_list import ImageList

from streamseg.models.folding import fold_norms
from streamseg.models.partial_labels import open_background
from streamseg.models.street import StreetConfig, StreetMaskRCNN, _interpolated, _shrunk


def test_size_is_within_the_promise():
    network = StreetMaskRCNN(StreetConfig(), 3)
    assert sum(parameter.numel() for parameter in network.parameters()) < 6_000_000


def test_folded_norms_compute_the_same():
    torch.manual_seed(0)
    network = StreetMaskRCNN(StreetConfig(widths=(8, 8, 8, 8, 8), pyramid=8), 3)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_mean, -1, 1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
    network.eval()
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        before = network.backbone(image)
        fold_norms(network)
        after = network.backbone(image)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in network.backbone.modules())
    for name, level in before.items():
        torch.testing.assert_close(after[name], level, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((720, 1280), (342, 608)),
        ((1080, 1920), (342, 608)),
        ((384, 512), (384, 512)),
        ((1280, 720), (608, 342)),
        ((1, 20000), (1, 608)),
    ],
)
def test_input_size(size, expected):
    transform = StreetMaskRCNN(StreetConfig(), 3).eval().transform
    batch, _ = transform([torch.zeros(3, *size, dtype=torch.uint8)])
    assert batch.image_sizes == [expected]
    assert all(side % 8 == 0 for side in batch.tensors.shape[-2:])


def test_input_is_normalised_and_padded_with_zeros():
    transform = StreetMaskRCNN(StreetConfig(short_side=36, long_side=64), 3).eval().transform
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (36, 60, 3), np.uint8)).permute(2, 0, 1)
    batch, _ = transform([image, image[:, :20, :]])
    assert batch.image_sizes == [(36, 60), (21, 64)]
    torch.testing.assert_close(batch.tensors[0, :, :36, :60], transform.normalize(image / 255))
    assert not batch.tensors[0, :, 36:].any() and not batch.tensors[0, :, :, 60:].any()
    assert not batch.tensors[1, :, 21:].any()


@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (2160, 3840), (480, 640), (300, 400)])
def test_resizing_keeps_places_and_colours(size):
    """A ramp over the picture is the same ramp at the network's size."""
    across = torch.linspace(0, 255, size[1]).expand(size)
    down = torch.linspace(0, 255, size[0])[:, None].expand(size)
    image = torch.stack([across, down, torch.full(size, 77.0)]).round().byte()
    transform = StreetMaskRCNN(StreetConfig(), 3).eval().transform
    batch, _ = transform([image.permute(1, 2, 0).contiguous().permute(2, 0, 1)])
    (height, width), found = batch.image_sizes[0], batch.tensors[0]
    columns, rows = ((torch.arange(count) + 0.5) / count * 255 for count in (width, height))
    ramps = torch.stack(
        [columns.expand(height, width), rows[:, None].expand(height, width), torch.full((height, width), 77.0)]
    )
    torch.testing.assert_close(found[:, :height, :width], transform.normalize(ramps / 255), atol=0.03, rtol=0)


def test_resizing_on_other_devices_gives_nearly_the_same():
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8), (0, 0), 5)
    expected = _shrunk(image, (342, 608), 608 / 1280)
    found = _interpolated(torch.from_numpy(image).permute(2, 0, 1), (342, 608))
    assert found.dtype == torch.float32
    assert np.abs(found.numpy() - expected).max() < 3


@pytest.mark.parametrize("size", [(64, 96), (72, 96), (40, 56)])
def test_anchors_lie_on_the_pixels_that_their_cells_see(size):
    """Also where a level's last row or column is half empty, and whatever the precision of the features."""
    network = StreetMaskRCNN(StreetConfig(widths=(8, 8, 8, 8, 8), pyramid=8, detail=8), 3).eval()
    with torch.inference_mode():
        levels = [
            level.bfloat16() for name, level in network.backbone(torch.zeros(1, 3, *size)).items() if name != "detail"
        ]
    anchors = network.rpn.anchor_generator(ImageList(torch.zeros(1, 3, *size), [size]), levels)[0]
    kinds = len(StreetConfig().anchor_ratios) * len(StreetConfig().anchor_sizes[0])
    centres = ((anchors[:, :2] + anchors[:, 2:]) / 2).split([level[0, 0].numel() * kinds for level in levels])
    for stride, level, found in zip((8, 16, 32, 64), levels, centres, strict=True):
        last = torch.tensor([level.shape[-1] - 1.0, level.shape[-2] - 1.0]) * stride
        torch.testing.assert_close(found[-1], last)


BOXES = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, [False, False]),
        ({"ignore_boxes": torch.zeros(0, 4)}, [False, False]),
        ({"ignore_boxes": torch.tensor([[0.0, 0, 100, 9]])}, [True, False]),
        ({"ignore_boxes": torch.tensor([[0.0, 0, 5, 10], [5, 0, 10, 10]])}, [False, False]),
        ({"ignore_boxes": torch.tensor([[0.0, 0, 100, 9]]), "complete": torch.tensor(False)}, [True, True]),
    ],
    ids=["nothing known", "no region", "mostly inside one", "half in each of two", "labels missing"],
)
def test_open_background(target, expected):
    assert open_background(BOXES, target).tolist() == expected
