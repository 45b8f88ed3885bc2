"""The ``street`` network in 8-bit integers: twice the multiplications per second of bfloat16 on CPUs with VNNI.

Weights are symmetric per output channel, activations affine per tensor (Jacob et al. 2018, section 2; Nagel et al.
2021, section 2.3), with ranges measured once on training pictures and kept in the checkpoint. oneDNN does the
arithmetic, through the operators that torch's own compiler uses for quantized models (``torch.ops.onednn``). What takes
a small part of the time stays in bfloat16: the box head and the last layers of the mask head.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from streamseg.models.backbone import DETAIL
from streamseg.models.scale import Ranges, Scale


class ByteConv(nn.Module):
    """A convolution from bytes to bytes, or to real numbers where ``to`` is None.

    Args:
        conv: With its batch norm folded in.
        given: Of the input.
        to: Of the output; None for float32.
        relu: Whether a ReLU follows.
    """

    def __init__(self, conv: nn.Conv2d, given: Scale, to: Scale | None, relu: bool = False) -> None:
        super().__init__()
        weight = conv.weight.detach().float()
        steps = weight.abs().amax((1, 2, 3)).clamp(min=1e-8) / 127
        whole = (weight / steps[:, None, None, None]).round().clamp(-127, 127).to(torch.int8)
        self.given, self.to_scale, self.relu = given, to, relu
        self.geometry: Any = (list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups)
        self.steps, self.zeros = steps, torch.zeros(len(steps), dtype=torch.int32)
        self.bias = None if conv.bias is None else conv.bias.detach().float()
        self.packed = torch.ops.onednn.qconv_prepack(whole, steps, given.size, given.zero, *self.geometry, None)

    def forward(self, x: torch.Tensor, onto: torch.Tensor | None = None, scale: Scale | None = None) -> torch.Tensor:
        """Maps uint8 [B, C, H, W], channels last, to the same; ``onto`` (in ``scale``) is added, and overwritten."""
        size, zero, kind = (self.to_scale.size, self.to_scale.zero, torch.uint8) if self.to_scale else (1.0, 0, None)
        shared = (x, self.given.size, self.given.zero, self.packed, self.steps, self.zeros)
        then = "relu" if self.relu else "none"
        if onto is None or scale is None:
            return torch.ops.onednn.qconv2d_pointwise(
                *shared, self.bias, *self.geometry, size, zero, kind or torch.float32, then, [], ""
            )
        return torch.ops.onednn.qconv2d_pointwise.binary(
            *shared, onto, self.bias, *self.geometry, size, zero, kind, scale.size, scale.zero, "sum", 1.0, then, [], ""
        )


class ByteBackbone(nn.Module):
    """:class:`streamseg.models.backbone.SmallBackbone` in bytes; all levels of the pyramid have one scale.

    Args:
        backbone: A ``SmallBackbone`` with its batch norms folded in.
        ranges: Of its points, from :func:`streamseg.models.ranges.measure`.
        given: Of the input.

    Attributes:
        pyramid: Scale of the levels ``"0"``, ``"1"``, ``"2"`` and ``"pool"``.
        detail_scale: Scale of the detail map.
    """

    def __init__(self, backbone: Any, ranges: Ranges, given: Scale) -> None:
        super().__init__()
        scales = {name: Scale.over(*ends) for name, ends in ranges.items()}
        self.out_channels = backbone.out_channels
        self.pyramid, self.detail_scale = scales["pyramid"], scales["detail"]
        self._lateral = scales["lateral"]
        now = scales["stem"]
        self.stem = ByteConv(backbone.stem[0], given, now, relu=True)
        self.stages = nn.ModuleList()
        ends = []
        for i, stage in enumerate(backbone.stages):
            parts: list[nn.Module] = [ByteConv(stage[0][0], now, scales[f"stage {i} start"], relu=True)]
            now = scales[f"stage {i} start"]
            for j, block in enumerate(list(stage)[1:]):
                parts.append(
                    ByteBlock(block, now, scales[f"stage {i} block {j} inside"], scales[f"stage {i} block {j}"])
                )
                now = scales[f"stage {i} block {j}"]
            self.stages.append(nn.Sequential(*parts))
            ends.append(now)
        self.detail = ByteConv(backbone.detail[0], ends[0], self.detail_scale, relu=True)
        fpn = backbone.fpn
        self.inner = nn.ModuleList(
            ByteConv(block[0], end, self._lateral) for block, end in zip(fpn.inner_blocks, ends[1:], strict=True)
        )
        self.outer = nn.ModuleList(ByteConv(block[0], self._lateral, self.pyramid) for block in fpn.layer_blocks)

    def forward(self, x: torch.Tensor) -> OrderedDict[str, torch.Tensor]:
        """Maps bytes [B, 3, H, W] to the levels and the detail map of ``SmallBackbone``, in bytes."""
        x = self.stages[0](self.stem(x))
        detail = self.detail(x)
        maps: list[torch.Tensor] = []
        for stage in list(self.stages)[1:]:
            x = stage(x)
            maps.append(x)
        last: torch.Tensor = self.inner[-1](maps[-1])
        levels = [self.outer[-1](last)]
        for inner, outer, below in reversed(list(zip(self.inner, self.outer, maps, strict=True))[:-1]):
            above = F.interpolate(last, size=below.shape[-2:], mode="nearest")
            last = inner(below, above.contiguous(memory_format=torch.channels_last), self._lateral)
            levels.insert(0, outer(last))
        named = OrderedDict((str(position), level) for position, level in enumerate(levels))
        named["pool"] = levels[-1][:, :, ::2, ::2].contiguous(memory_format=torch.channels_last)
        named[DETAIL] = detail
        return named


class ByteBlock(nn.Module):
    """A residual block in bytes."""

    def __init__(self, block: Any, given: Scale, inside: Scale, to: Scale) -> None:
        super().__init__()
        self.given = given
        self.first = ByteConv(block.first[0], given, inside, relu=True)
        self.second = ByteConv(block.second[0], inside, to, relu=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps bytes to bytes; ``x`` is overwritten."""
        inside = self.first(x)
        return self.second(inside, x, self.given)


class ByteRPNHead(nn.Module):
    """torchvision's RPN head on bytes, answering in float32."""

    def __init__(self, head: Any, given: Scale, hidden: Scale) -> None:
        super().__init__()
        self.conv = ByteConv(head.conv[0][0], given, hidden, relu=True)
        both = nn.Conv2d(head.cls_logits.in_channels, head.cls_logits.out_channels + head.bbox_pred.out_channels, 1)
        both.weight = nn.Parameter(torch.cat([head.cls_logits.weight, head.bbox_pred.weight]))
        both.bias = nn.Parameter(torch.cat([head.cls_logits.bias, head.bbox_pred.bias]))
        self.kinds = head.cls_logits.out_channels
        self.answers = ByteConv(both, hidden, None)

    def forward(self, x: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """As in torchvision: objectness [B, A, H, W] and box deltas [B, 4A, H, W] per level."""
        answers = [self.answers(self.conv(level)) for level in x]
        return [each[:, : self.kinds] for each in answers], [each[:, self.kinds :] for each in answers]


class ByteMaskHead(nn.Sequential):
    """The convolutions of the mask head in bytes, from real numbers to real numbers."""

    def __init__(self, head: Any, ranges: Ranges) -> None:
        scales = [Scale.over(*ranges["mask pooled"])]
        scales += [Scale.over(*ranges[f"mask {position}"]) for position in range(len(head))]
        pairs = zip(head, scales, scales[1:], strict=False)
        super().__init__(*(ByteConv(block[0], given, to, relu=True) for block, given, to in pairs))
        self.given, self.end = scales[0], scales[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps float32 [N, C, 14, 14] to float32."""
        given = self.given.to_bytes(x.contiguous(memory_format=torch.channels_last))
        return self.end.to_real(super().forward(given))


def use_bytes(rcnn: Any, ranges: Ranges) -> None:
    """Have a street network (norms folded, in evaluation mode) work in bytes from now on, in place.

    Args:
        rcnn: A :class:`streamseg.models.street.StreetMaskRCNN`.
        ranges: From :func:`streamseg.models.ranges.measure`.
    """
    given = Scale.over(*rcnn.transform.span)
    rcnn.backbone = ByteBackbone(rcnn.backbone, ranges, given)
    rcnn.rpn.head = ByteRPNHead(rcnn.rpn.head, rcnn.backbone.pyramid, Scale.over(*ranges["rpn"]))
    heads = rcnn.roi_heads
    heads.mask_head = ByteMaskHead(heads.mask_head, ranges)
    heads.box_roi_pool.scale = heads.mask_roi_pool.levels.scale = rcnn.backbone.pyramid
    heads.mask_roi_pool.detail.scale = rcnn.backbone.detail_scale
    rcnn.transform.scale = given
