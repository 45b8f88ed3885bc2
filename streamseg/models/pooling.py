"""RoIAlign on a CPU as one weighted sum of rows, on a GPU as one kernel per level."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import MultiScaleRoIAlign

from streamseg.models.gpu.kernels import kernel_trouble
from streamseg.models.scale import Scale


class RowPool(MultiScaleRoIAlign):
    """torchvision's ``MultiScaleRoIAlign``, faster.

    Each cell of a pooled region is a weighted sum of a few feature vectors: the four neighbours of each sampling point
    (He et al. 2017, section 3). With channels last, these are rows of one table that holds every level of every image,
    so that all regions are one ``embedding_bag``. torchvision's kernel walks single channels, region by region and
    level by level: forward takes 6 times as long for 150 regions, with backward 3 times.

    On a GPU, and without gradients, one kernel per level does all regions, where torchvision first asks which lie on
    which level and so makes the host wait. Args and results are torchvision's, up to rounding; elsewhere its own
    kernels do the work.

    Attributes:
        scale: What the bytes of the feature maps stand for; None where these are real numbers.
    """

    scale: Scale | None = None

    @classmethod
    def like(cls, pool: nn.Module) -> nn.Module:
        """The same pooling by this class; ``pool`` itself where it is not torchvision's."""
        if type(pool) is not MultiScaleRoIAlign:
            return pool
        return cls(
            pool.featmap_names,
            pool.output_size,
            pool.sampling_ratio,
            canonical_scale=pool.canonical_scale,
            canonical_level=pool.canonical_level,
        )

    def forward(
        self, x: dict[str, torch.Tensor], boxes: list[torch.Tensor], image_shapes: list[tuple[int, int]]
    ) -> torch.Tensor:
        """Maps feature maps [B, C, H, W] by name and boxes [N, 4] per image to float32 [sum of N, C, size, size].

        Args:
            x: Feature maps.
            boxes: xyxy in pixels of the network's input, one tensor per image.
            image_shapes: Height and width of each image before padding.
        """
        maps = [x[name] for name in self.featmap_names]
        here = maps[0].device
        inference = self.sampling_ratio >= 1 and not torch.is_grad_enabled()
        if inference and here.type == "cuda" and kernel_trouble(here) is None:
            return self._on_gpu(maps, boxes, image_shapes)
        if self.sampling_ratio < 1 or here.type != "cpu":
            return super().forward(x, boxes, image_shapes)
        channels = maps[0].shape[1]
        table = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in maps])
        table = table.float() if self.scale is None else self.scale.to_real(table)
        sizes = torch.tensor([level.shape[-2:] for level in maps])
        strides = _strides(maps, image_shapes)
        regions = torch.cat(boxes).float()
        level = self._level_of(regions, strides)
        scaled = regions / strides[level, None]
        height, width = sizes[level].unbind(1)
        rows, row_weights = self._taps(scaled[:, 1], scaled[:, 3], height)
        columns, column_weights = self._taps(scaled[:, 0], scaled[:, 2], width)

        image = torch.repeat_interleave(torch.arange(len(boxes)), torch.tensor([len(each) for each in boxes]))
        areas = sizes.prod(1)
        before = torch.cumsum(areas * len(maps[0]), 0) - areas * len(maps[0])
        first = before[level] + image * areas[level]
        rows = rows * width[:, None, None] + first[:, None, None]
        # [N, cells down, cells across, taps down, taps across]
        index = rows[:, :, None, :, None] + columns[:, None, :, None, :]
        weight = row_weights[:, :, None, :, None] * column_weights[:, None, :, None, :]
        cells, taps = index.shape[0] * index.shape[1] * index.shape[2], index.shape[3] * index.shape[4]
        pooled = F.embedding_bag(
            index.reshape(cells, taps), table, mode="sum", per_sample_weights=weight.reshape(cells, taps)
        )
        return pooled.view(len(regions), *self.output_size, channels).permute(0, 3, 1, 2)

    def _on_gpu(
        self, maps: list[torch.Tensor], boxes: list[torch.Tensor], image_shapes: list[tuple[int, int]]
    ) -> torch.Tensor:
        from streamseg.models.gpu.align_triton import align

        regions, strides = torch.cat(boxes).float(), _strides(maps, image_shapes)
        images = torch.cat([torch.full_like(each[:, 0], number) for number, each in enumerate(boxes)])
        scales = [1 / stride for stride in strides.tolist()]
        level = self._level_of(regions, strides)
        return align(maps, scales, regions, level, images, self.output_size[0], self.sampling_ratio)

    def _level_of(self, regions: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
        """The level that each region is cut from, int64 [N] (Lin et al. 2017, equation 1)."""
        first, last = float(torch.log2(strides[0])), float(torch.log2(strides[-1]))
        side = ((regions[:, 2] - regions[:, 0]) * (regions[:, 3] - regions[:, 1])).sqrt()
        level = torch.floor(self.canonical_level + torch.log2(side / self.canonical_scale) + 1e-6)
        return (level.clamp(first, last) - first).long()

    def _taps(self, low: torch.Tensor, high: torch.Tensor, limit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Along one axis, which cells of the map each pooled cell reads and with what weights, both [N, size, taps]."""
        size, ratio = self.output_size[0], self.sampling_ratio
        grid = (torch.arange(size * ratio) + 0.5) / (size * ratio)
        points = low[:, None] + grid * (high - low).clamp(min=1)[:, None]
        last = limit[:, None] - 1
        inside = (points >= -1) & (points <= limit[:, None])
        points = points.clamp(min=0)
        near = torch.minimum(points.floor().long(), last)
        share = torch.where(near == last, 0.0, points - near)
        index = torch.stack([near, torch.minimum(near + 1, last)], -1)
        weight = torch.stack([1 - share, share], -1) * inside[..., None] / ratio
        shape = (len(low), size, 2 * ratio)
        return index.view(shape), weight.view(shape)


def _strides(maps: list[torch.Tensor], image_shapes: list[tuple[int, int]]) -> torch.Tensor:
    """Input pixels per cell of each map, a power of two, float [L]; read from the longer side, which rounds least."""
    sides = [max(shape[axis] for shape in image_shapes) for axis in (0, 1)]
    longer = 0 if sides[0] >= sides[1] else 1
    return torch.tensor([2.0 ** round(math.log2(sides[longer] / level.shape[longer - 2])) for level in maps])
