"""Greedy suppression of overlapping boxes in tensors of fixed shape: a flag for each box, not a list of survivors."""

from __future__ import annotations

import torch
from torchvision.ops import batched_nms


def suppress(boxes: torch.Tensor, groups: torch.Tensor, alive: torch.Tensor, threshold: float) -> torch.Tensor:
    """Which boxes remain when each, from the first on, removes those of its group that overlap it.

    The survivors of ``torchvision.ops.batched_nms``, which returns their positions: as many as there are, for which
    the host has to wait.

    Args:
        boxes: float32 [P, K, 4], xyxy; P problems of K boxes, best first.
        groups: int64 [P, K]; boxes of different groups let each other be.
        alive: bool [P, K]; the others neither remain nor remove.
        threshold: Intersection over union above which a box is removed.

    Returns:
        bool [P, K].
    """
    if boxes.device.type == "cuda":
        from streamseg.models.gpu.suppression_triton import suppress as on_gpu

        return on_gpu(boxes, groups, alive, threshold)
    keep = torch.zeros_like(alive)
    for problem in range(len(boxes)):
        candidates = alive[problem].nonzero().flatten()
        ranks = -torch.arange(len(candidates), device=boxes.device, dtype=torch.float32)
        here = boxes[problem, candidates], ranks, groups[problem, candidates]
        keep[problem, candidates[batched_nms(*here, threshold)]] = True
    return keep
