"""The street architecture: folding, input, and what training leaves alone."""

import pytest
import torch

from streamseg.models.folding import fold_norms
from streamseg.models.partial_labels import open_background
from streamseg.models.street import StreetConfig, StreetMaskRCNN


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
    [((720, 1280), (360, 640)), ((1080, 1920), (360, 640)), ((384, 512), (384, 512)), ((1280, 720), (640, 360))],
)
def test_input_size(size, expected):
    transform = StreetMaskRCNN(StreetConfig(), 3).eval().transform
    batch, _ = transform([torch.zeros(3, *size, dtype=torch.uint8)])
    assert batch.image_sizes == [expected]
    assert all(side % 32 == 0 for side in batch.tensors.shape[-2:])


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
