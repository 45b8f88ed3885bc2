"""Greedy suppression on a GPU: all overlaps at once as bits, then one warp per problem that walks down the ranks."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_BITS = 32  # boxes per word
_LEAST = 64  # boxes per problem below which nothing is gained


def suppress(boxes: torch.Tensor, groups: torch.Tensor, alive: torch.Tensor, threshold: float) -> torch.Tensor:
    """See :func:`streamseg.models.gpu.suppression.suppress`."""
    problems, given = alive.shape
    count = max(_LEAST, triton.next_power_of_2(given))
    room = count - given
    boxes = torch.nn.functional.pad(boxes.float(), (0, 0, 0, room)).contiguous()
    groups = torch.nn.functional.pad(groups.to(torch.int32), (0, room)).contiguous()
    alive = torch.nn.functional.pad(alive.to(torch.int8), (0, room)).contiguous()
    words = count // _BITS
    overlaps = torch.empty((problems, count, words), dtype=torch.int32, device=boxes.device)
    keep = torch.empty((problems, count), dtype=torch.int8, device=boxes.device)
    # Without fused multiply-add, overlaps are rounded as torchvision rounds them on a CPU.
    exact = {"num_warps": 1, "enable_fp_fusion": False}
    _find_overlaps[(problems, words)](boxes, groups, overlaps, count, threshold, WORDS=words, **exact)
    _walk[(problems,)](overlaps, alive, keep, count, WORDS=words, **exact)
    return keep[:, :given].bool()


@triton.jit
def _find_overlaps(boxes, groups, overlaps, count, threshold, WORDS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Bit j of row i: box i, if it remains, removes box j. Each program does 32 rows, from their own word on."""
    first = tl.program_id(0) * count
    lane = tl.arange(0, 32)
    row = tl.program_id(1) * 32 + lane
    mine = boxes + (first + row) * 4
    x0, y0, x1, y1 = tl.load(mine), tl.load(mine + 1), tl.load(mine + 2), tl.load(mine + 3)
    group = tl.load(groups + first + row)
    area = (x1 - x0) * (y1 - y0)
    for word in range(tl.program_id(1), WORDS):
        column = word * 32 + lane
        other = boxes + (first + column) * 4
        u0, v0, u1, v1 = tl.load(other), tl.load(other + 1), tl.load(other + 2), tl.load(other + 3)
        across = tl.minimum(x1[:, None], u1[None, :]) - tl.maximum(x0[:, None], u0[None, :])
        down = tl.minimum(y1[:, None], v1[None, :]) - tl.maximum(y0[:, None], v0[None, :])
        both = tl.maximum(across, 0.0) * tl.maximum(down, 0.0)
        either = area[:, None] + ((u1 - u0) * (v1 - v0))[None, :] - both
        same = group[:, None] == tl.load(groups + first + column)[None, :]
        removes = (tl.div_rn(both, either) > threshold) & same & (column[None, :] > row[:, None])
        packed = tl.sum(removes.to(tl.int32) << lane[None, :], 1)
        tl.store(overlaps + (first + row) * WORDS + word, packed)


@triton.jit
def _walk(overlaps, alive, keep, count, WORDS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Goes through the words of a problem: settles the 32 boxes of each, then removes what those that remain remove."""
    first = tl.program_id(0) * count
    lane = tl.arange(0, WORDS)
    bit = tl.arange(0, 32)
    place = first + lane[:, None] * 32 + bit[None, :]
    gone = tl.sum((tl.load(alive + place) == 0).to(tl.int32) << bit[None, :], 1)
    for word in range(WORDS):
        settled = tl.sum(tl.where(lane == word, gone, 0), 0)
        start = first + word * 32
        for number in tl.static_range(32):
            removed = tl.load(overlaps + (start + number) * WORDS + word)
            settled = tl.where(((settled >> number) & 1) == 0, settled | removed, settled)
        rows = tl.load(overlaps + (start + bit[:, None]) * WORDS + lane[None, :])
        remains = ((settled >> bit) & 1) == 0
        removed_behind = tl.reduce(tl.where(remains[:, None], rows, 0), 0, _either)
        gone = tl.where(lane == word, settled, tl.where(lane > word, gone | removed_behind, gone))
    tl.store(keep + place, (((gone[:, None] >> bit[None, :]) & 1) == 0).to(tl.int8))


@triton.jit
def _either(first, second):  # type: ignore[no-untyped-def]
    return first | second
