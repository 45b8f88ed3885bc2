"""A small residual backbone with a feature pyramid, shaped for two CPU cores.

Plain 3x3 convolutions only: on AVX-512 cores they run near the machine's peak, which depthwise ones do not. Batch norm
folds into them for inference.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

DETAIL = "detail"


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, activate: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if activate else []))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity (He et al. 2016, basic block)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels)
        self.second = ConvNorm(channels, channels, activate=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [B, C, H, W] to the same shape."""
        return torch.relu(x + self.second(self.first(x)))


class SmallBackbone(nn.Module):
    """Residual stages at strides 4 to 32 under a feature pyramid with levels of stride 8, 16, 32 and 64.

    Args:
        widths: Channels of the stem and of the stages at strides 4, 8, 16, 32.
        depths: Residual blocks in the stages at strides 4, 8, 16, 32.
        pyramid: Channels of each pyramid level.
        detail: Channels of a map of stride 4 beside the pyramid.
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int], pyramid: int, detail: int) -> None:
        super().__init__()
        self.stem = ConvNorm(3, widths[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(before, width, stride=2), *(ResidualBlock(width) for _ in range(depth)))
            for before, width, depth in zip(widths, widths[1:], depths, strict=False)
        )
        self.fpn = FeaturePyramidNetwork(
            list(widths[2:]), pyramid, extra_blocks=LastLevelMaxPool(), norm_layer=nn.BatchNorm2d
        )
        self.detail = ConvNorm(widths[1], detail, kernel=1)
        self.out_channels = pyramid

    def forward(self, x: torch.Tensor) -> OrderedDict[str, torch.Tensor]:
        """Maps images [B, 3, H, W] to levels ``"0"``, ``"1"``, ``"2"``, ``"pool"`` of strides 8, 16, 32, 64.

        ``"detail"``, of stride 4, is no level of the pyramid: it has seen little around each pixel, but its outlines
        are sharp.
        """
        x = self.stages[0](self.stem(x))
        detail = self.detail(x)
        levels: OrderedDict[str, torch.Tensor] = OrderedDict()
        for position, stage in enumerate(self.stages[1:]):
            x = stage(x)
            levels[str(position)] = x
        pyramid = self.fpn(levels)
        pyramid[DETAIL] = detail
        return pyramid
