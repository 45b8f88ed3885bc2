"""Pooling by rows gives what torchvision's RoIAlign gives, forward and backward."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision.ops import MultiScaleRoIAlign

from streamseg.models.pooling import RowPool

NAMES = ["fine", "middle", "coarse"]


def levels(images: int, height: int, width: int) -> "OrderedDict[str, torch.Tensor]":
    """Random maps of strides 8, 16, 32, channels last, with gradients."""
    maps = [torch.randn(images, 5, -(-height // (8 << k)), -(-width // (8 << k))) for k in range(3)]
    return OrderedDict(
        (name, level.contiguous(memory_format=torch.channels_last).requires_grad_())
        for name, level in zip(NAMES, maps, strict=True)
    )


def boxes(count: int, height: int, width: int) -> torch.Tensor:
    """Random boxes of 1 to 400 pixels a side, some of them partly outside."""
    centres = torch.rand(count, 2) * torch.tensor([width, height])
    sides = torch.exp(torch.rand(count, 2) * 6)
    return torch.cat([centres - sides / 2, centres + sides / 2], 1)


@pytest.mark.parametrize("counts", [[40], [0], [12, 0, 7]], ids=str)
@pytest.mark.parametrize("size", [7, 14])
@pytest.mark.parametrize("shape", [(360, 640), (337, 601)], ids=str)
def test_same_as_torchvision(counts, size, shape):
    torch.manual_seed(len(counts) + size)
    features = levels(len(counts), *shape)
    regions = [boxes(count, *shape) for count in counts]
    theirs = MultiScaleRoIAlign(NAMES, size, 2, canonical_scale=112)
    expected = theirs(features, regions, [shape] * len(counts))
    found = RowPool.like(theirs)(features, regions, [shape] * len(counts))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    weight = torch.randn_like(expected)
    if len(expected):
        for ours, reference in zip(
            torch.autograd.grad(found, list(features.values()), weight, allow_unused=True),
            torch.autograd.grad(expected, list(features.values()), weight, allow_unused=True),
            strict=True,
        ):
            torch.testing.assert_close(ours, reference, atol=2e-4, rtol=0)


def test_one_level_and_another_sampling():
    torch.manual_seed(0)
    features = {"fine": levels(1, 128, 128)["fine"]}
    regions = [boxes(9, 128, 128)]
    theirs = MultiScaleRoIAlign(["fine"], 5, 3)
    torch.testing.assert_close(
        RowPool.like(theirs)(features, regions, [(128, 128)]), theirs(features, regions, [(128, 128)])
    )


def test_half_precision_features_are_summed_in_float32():
    features = {name: level.detach().bfloat16() for name, level in levels(1, 128, 128).items()}
    exact = {name: level.float() for name, level in features.items()}
    pool, regions = RowPool(NAMES, 7, 2), [boxes(9, 128, 128)]
    assert torch.equal(pool(features, regions, [(128, 128)]), pool(exact, regions, [(128, 128)]))


def test_other_pools_stay_what_they_are():
    pool = nn.Identity()
    assert RowPool.like(pool) is pool
