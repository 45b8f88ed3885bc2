"""RoIAlign on a GPU over channels-last maps: all regions in one launch per level, without asking which lie where."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl


def align(
    maps: Sequence[torch.Tensor],
    scales: Sequence[float],
    regions: torch.Tensor,
    levels: torch.Tensor,
    images: torch.Tensor,
    size: int,
    ratio: int,
) -> torch.Tensor:
    """Cuts regions out of feature maps as ``torchvision.ops.roi_align`` does (``aligned=False``).

    Args:
        maps: [B, C, H, W] per level, of one floating type; fast with channels last.
        scales: Cells per pixel of each map.
        regions: float32 [N, 4], xyxy in pixels of the network's input.
        levels: int [N], the map of each region.
        images: int [N], the image of each region.
        size: Cells along each side of the result.
        ratio: Sampling points along each side of a cell.

    Returns:
        [N, C, size, size] of the maps' type, channels last; sums are float32.
    """
    count, channels = len(regions), maps[0].shape[1]
    out = torch.empty((count, size, size, channels), dtype=maps[0].dtype, device=maps[0].device)
    regions, levels, images = regions.contiguous(), levels.to(torch.int32), images.to(torch.int32)
    for number, (level, scale) in enumerate(zip(maps, scales, strict=True)):
        if not count:
            break
        _align[(count, size)](
            level,
            regions,
            levels,
            images,
            out,
            number,
            scale,
            level.shape[2],
            level.shape[3],
            channels,
            *level.stride(),
            SIZE=size,
            RATIO=ratio,
            CELLS=triton.next_power_of_2(size),
            CHANNELS=triton.next_power_of_2(channels),
            enable_fp_fusion=True,
        )
    return out.permute(0, 3, 1, 2)


@triton.jit(do_not_specialize=["level", "height", "width"])  # or each size of picture would be compiled for
def _align(  # type: ignore[no-untyped-def]
    features,
    regions,
    levels,
    images,
    out,
    level,
    scale,
    height,
    width,
    channels,
    per_image,
    per_channel,
    per_row,
    per_column,
    SIZE: tl.constexpr,
    RATIO: tl.constexpr,
    CELLS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """One row of cells of one region, if it lies on this level."""
    region = tl.program_id(0)
    row = tl.program_id(1)
    if tl.load(levels + region) != level:
        return
    x0 = tl.load(regions + region * 4) * scale
    y0 = tl.load(regions + region * 4 + 1) * scale
    wide = tl.maximum(tl.load(regions + region * 4 + 2) * scale - x0, 1.0) / SIZE
    tall = tl.maximum(tl.load(regions + region * 4 + 3) * scale - y0, 1.0) / SIZE
    cell = tl.arange(0, CELLS)
    channel = tl.arange(0, CHANNELS)
    wanted = (cell[:, None] < SIZE) & (channel[None, :] < channels)
    source = features + tl.load(images + region).to(tl.int64) * per_image + channel[None, :] * per_channel
    total = tl.zeros((CELLS, CHANNELS), tl.float32)
    for down in tl.static_range(RATIO):
        y = y0 + (row + 0 * cell + (down + 0.5) / RATIO) * tall  # one number, in the shape of x
        # Comparisons with what is not a number are false, so that nothing is read for such a region.
        y_inside = (y >= -1.0) & (y <= height)
        top, bottom, low = _neighbours(y, y_inside, height)
        for over in tl.static_range(RATIO):
            x = x0 + (cell + (over + 0.5) / RATIO) * wide
            x_inside = (x >= -1.0) & (x <= width)
            left, right, far = _neighbours(x, x_inside, width)
            read = wanted & (x_inside & y_inside)[:, None]
            above, below = source + top[:, None] * per_row, source + bottom[:, None] * per_row
            near_columns, far_columns = left[:, None] * per_column, right[:, None] * per_column
            upper = tl.load(above + near_columns, read, 0.0).to(tl.float32) * (1 - far)[:, None]
            upper += tl.load(above + far_columns, read, 0.0).to(tl.float32) * far[:, None]
            lower = tl.load(below + near_columns, read, 0.0).to(tl.float32) * (1 - far)[:, None]
            lower += tl.load(below + far_columns, read, 0.0).to(tl.float32) * far[:, None]
            total += upper * (1 - low)[:, None] + lower * low[:, None]
    place = ((region.to(tl.int64) * SIZE + row) * SIZE + cell[:, None]) * channels + channel[None, :]
    tl.store(out + place, (total / (RATIO * RATIO)).to(out.dtype.element_ty), wanted)


@triton.jit
def _neighbours(at, inside, limit):  # type: ignore[no-untyped-def]
    """The two cells around a sampling point, and the second's weight."""
    at = tl.where(inside, tl.maximum(at, 0.0), 0.0)
    first = tl.minimum(at.to(tl.int32), limit - 1)
    share = tl.where(first == limit - 1, 0.0, at - first)
    return first, tl.minimum(first + 1, limit - 1), share
