"""The kernel that cuts regions out of feature maps gives what torchvision's roi_align gives."""

import pytest
import torch
from torchvision.ops import roi_align

SCALES = (1 / 8, 1 / 16)


def maps(channels: int) -> list[torch.Tensor]:
    torch.manual_seed(channels)
    return [torch.randn(2, channels, *size).to(memory_format=torch.channels_last) for size in ((12, 20), (6, 10))]


def regions(*boxes) -> torch.Tensor:
    return torch.tensor(boxes, dtype=torch.float32)


@pytest.mark.parametrize("size", [7, 14])
@pytest.mark.parametrize("channels", [5, 16])
def test_same_as_torchvision(kernel_device, size, channels):
    from streamseg.models.gpu.align_triton import align

    boxes = regions((10.3, 20.1, 70.9, 61), (-9, -30, 25, 200), (150, 80, 175, 110), (5, 5, 5.2, 5.1))
    levels, images = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 1, 0])
    features = maps(channels)
    there = [each.to(kernel_device) for each in (boxes, levels, images)]
    found = align([level.to(kernel_device) for level in features], SCALES, *there, size, 2).cpu()
    assert found.shape == (4, channels, size, size)
    for box, level, image, ours in zip(boxes, levels, images, found, strict=True):
        theirs = roi_align(features[level][image][None], [box[None]], (size, size), SCALES[level], 2)[0]
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_half_precision_and_regions_that_are_none(kernel_device):
    from streamseg.models.gpu.align_triton import align

    features = [level.half().to(kernel_device) for level in maps(8)]
    boxes = regions((10, 20, 70, 61), (torch.nan,) * 4, (0, 0, 1e30, 1e30)).to(kernel_device)
    zeros = torch.zeros(3, dtype=torch.int64, device=kernel_device)
    found = align(features, SCALES, boxes, zeros, zeros, 7, 2).cpu()
    theirs = roi_align(features[0][:1].float().cpu(), [boxes[:1].cpu()], (7, 7), SCALES[0], 2)[0]
    assert found.dtype == torch.float16
    torch.testing.assert_close(found[0].float(), theirs, atol=2e-3, rtol=0)
    assert not found[1].any()
    assert align(features, SCALES, boxes[:0], zeros[:0], zeros[:0], 7, 2).shape == (0, 8, 7, 7)
