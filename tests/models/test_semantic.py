"""Semantic networks answer as torchvision's own pipeline does, in bounded memory and whatever the image."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from streamseg.models import torchvision_zoo as zoo
from streamseg.models.model import DetectOptions
from streamseg.models.semantic import SemanticNetwork, _label_map

NAMES = ["lraspp_mobilenet_v3_large", "fcn_resnet50", "deeplabv3_resnet50"]


@functools.cache
def lively(name: str) -> torch.nn.Module:
    """Random weights and fitting norms, so that answers differ from pixel to pixel."""
    torch.manual_seed(0)
    network = zoo.build(name, 4).train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network(torch.stack([image_of(64, 64, seed) for seed in range(4)]) / 128 - 1)
    return network.eval()


def semantic(name: str = NAMES[0], short_side: int = 64) -> SemanticNetwork:
    transforms = zoo.transforms(name)
    transforms.resize_size = [short_side]
    return SemanticNetwork(lively(name), transforms).eval()


def image_of(height: int, width: int, seed: int = 0) -> torch.Tensor:
    noise = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(noise, (height, width), mode="bilinear")[0] * 255).byte()


def labels_of(network: SemanticNetwork, *images: torch.Tensor, **options) -> list[torch.Tensor]:
    with torch.inference_mode():
        return [found.labels for found in network.detect(images, DetectOptions(**options))]


def resized(logits: torch.Tensor, *sizes: tuple[int, int]) -> torch.Tensor:
    """Logits [C, h, w] resized to one size after the other, all classes at once."""
    for size in sizes:
        logits = F.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
    return logits


def torchvisions_own(network: SemanticNetwork, image: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return resized(network.network(network._transforms(image)[None])["out"][0], image.shape[-2:])


def assert_highest(labels: torch.Tensor, logits: torch.Tensor) -> None:
    """The labels [H, W] are those of the highest logits [C, H, W], where these differ by more than rounding."""
    behind = logits.amax(0) - logits.gather(0, labels.long()[None])[0]
    assert float(behind.max()) <= 1e-5 * float(logits.abs().max())
    assert int((labels != logits.argmax(0)).sum()) <= 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(48, 80), (80, 60), (150, 150)])
def test_the_same_pixels_as_torchvision(name, size):
    network, image = semantic(name), image_of(*size)
    found = labels_of(network, image)[0]
    assert (found.dtype, found.shape) == (torch.uint8, size)
    assert len(found.unique()) > 1
    assert_highest(found, torchvisions_own(network, image))


def test_the_input_is_what_the_published_weights_expect():
    transforms = zoo.transforms(NAMES[0])
    network = SemanticNetwork(lively(NAMES[0]), transforms)
    for size in ((90, 160), (700, 600), (521, 2000)):
        image = image_of(*size)
        torch.testing.assert_close(network._prepared(image), transforms(image), atol=0, rtol=0)
    assert min(network._prepared(image_of(90, 160)).shape[-2:]) == 520
    network.resize_input(100, 150)
    assert network._prepared(image_of(50, 60)).shape[-2:] == (100, 120)
    assert network._prepared(image_of(60, 30)).shape[-2:] == (150, 75)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    coarse=st.sampled_from([2, 5, 30]),
    few=st.booleans(),
    outer=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_running_maxima_are_the_highest_of_all(seed, coarse, few, outer):
    generator = torch.Generator().manual_seed(seed)
    logits = F.interpolate(torch.randn(1, 9, coarse, coarse, generator=generator), (7, 10), mode="bilinear")[0] * 5
    if few:
        logits[3:] -= 20
    found = _label_map(logits, (50, 75), outer, None)
    assert_highest(found, resized(logits, (50, 75), outer))


def test_memory_is_that_of_single_planes():
    class Largest(TorchDispatchMode):
        values = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                self.values = max(self.values, result.numel())
            return result

    logits = torch.randn(21, 30, 53, generator=torch.Generator().manual_seed(0))
    with Largest() as largest:
        labels = _label_map(logits, (240, 424), (720, 1280), None)
    assert len(labels.unique()) == 21
    assert largest.values == 720 * 1280


def test_classes_left_out_become_background():
    network, image = semantic(), image_of(60, 90)
    everything = labels_of(network, image)[0]
    kept, *others = [label for label in everything.unique().tolist() if label]
    assert others
    found = labels_of(network, image, labels=(kept - 1,))[0]
    assert torch.equal(found == kept, everything == kept)
    assert set(found.unique().tolist()) <= {0, kept}


def test_images_of_several_sizes_share_a_call():
    network, images = semantic(), [image_of(60, 90), image_of(60, 90, seed=1), image_of(90, 60)]
    for image, found in zip(images, labels_of(network, *images), strict=True):
        assert torch.equal(found, labels_of(network, image)[0])
    assert labels_of(network) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3000), (3000, 1), (7, 5)])
def test_images_of_any_shape(size):
    assert labels_of(semantic(), image_of(*size))[0].shape == size


@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_an_undecided_network_finds_nothing(value):
    labels = _label_map(torch.full((5, 4, 6), value), (32, 48), (20, 30), None)
    assert labels.shape == (20, 30) and not np.any(labels.numpy())
