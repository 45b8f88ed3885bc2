"""Folding batch norms into convolutions changes nothing but the number of layers."""

import pytest
import torch
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn_v2
from torchvision.models.resnet import resnet18, resnet50

from streamseg.models.folding import fold_norms


def lively(network: nn.Module) -> nn.Module:
    """With norms that do something."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


@pytest.mark.parametrize("build", [resnet18, resnet50])
def test_resnets(build):
    network, picture = lively(build()), torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = network(picture)
        fold_norms(network)
        torch.testing.assert_close(network(picture), expected, atol=1e-3, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_no_norm_is_left_in_mask_rcnn():
    network = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None).eval()
    fold_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
