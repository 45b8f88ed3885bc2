"""Suppression in fixed shapes leaves what torchvision's batched_nms leaves, on the CPU and in the kernels."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import batched_nms

from streamseg.models.gpu.suppression import suppress

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # empty boxes, in the interpreter


def problem(seed: int, count: int, spread: float, groups: int):
    """Boxes best first, their groups, and which are alive; some are empty, some equal."""
    random = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=random) * spread
    sides = torch.rand(count, 2, generator=random) * 30 * (torch.rand(count, 1, generator=random) > 0.1)
    boxes = torch.cat([corners, corners + sides], 1)
    boxes[count // 2 :: 5] = boxes[: len(boxes[count // 2 :: 5])].clone()
    return boxes, torch.randint(0, groups, (count,), generator=random), torch.rand(count, generator=random) > 0.2


def expected(boxes, groups, alive, threshold):
    keep = torch.zeros(len(boxes), dtype=torch.bool)
    there = alive.nonzero().flatten()
    keep[there[batched_nms(boxes[there], -torch.arange(len(there)).float(), groups[there], threshold)]] = True
    return keep


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(0, 90), spread=st.floats(1, 200), groups=st.integers(1, 4))
def test_same_as_torchvision(seed, count, spread, groups):
    one, other = problem(seed, count, spread, groups), problem(seed + 1, count, spread, groups)
    found = suppress(*(torch.stack(pair) for pair in zip(one, other, strict=True)), 0.5)
    assert torch.equal(found, torch.stack([expected(*one, 0.5), expected(*other, 0.5)]))


@pytest.mark.parametrize(
    ("count", "spread", "groups", "threshold"),
    [(64, 60, 2, 0.5), (5, 1, 1, 0.5), (1, 10, 1, 0.7), (131, 80, 3, 0.3), (100, 1, 1, 0.7)],
    ids=["two words", "fewer than a word", "one box", "not a multiple of 32", "a heap"],
)
def test_the_kernels_do_the_same(kernel_device, count, spread, groups, threshold):
    from streamseg.models.gpu.suppression_triton import suppress as on_gpu

    problems = [problem(seed, count, spread, groups) for seed in range(2)]
    given = [torch.stack(parts).to(kernel_device) for parts in zip(*problems, strict=True)]
    found = on_gpu(*given, threshold).cpu()
    assert torch.equal(found, torch.stack([expected(*each, threshold) for each in problems]))


def test_the_kernels_let_the_dead_be(kernel_device):
    from streamseg.models.gpu.suppression_triton import suppress as on_gpu

    boxes, groups, alive = problem(0, 40, 50, 1)
    boxes[3] = torch.nan
    nobody = torch.zeros_like(alive)
    found = on_gpu(*(part[None].to(kernel_device) for part in (boxes, groups, nobody)), 0.5)
    assert not found.any()
