"""The ranges of a street network's values, which it needs to work in 8-bit integers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from streamseg.models.detect import MaskRCNNDetector
from streamseg.models.model import DetectOptions


def measure(rcnn: Any, pictures: Iterable[np.ndarray]) -> dict[str, tuple[float, float]] | None:
    """The ranges of a street network's values on typical pictures, to be kept with its weights.

    Args:
        rcnn: In float32, in evaluation mode.
        pictures: uint8 [H, W, 3] RGB, some dozens.

    Returns:
        Least and greatest value at each point, the mean over the pictures; None where nothing was found, so that not
        every point was passed.
    """
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def noting(name: str) -> Callable[..., None]:
        return lambda module, inputs, output=None: seen[name].append(_ends(inputs[0] if output is None else output))

    hooks, points = [], _points(rcnn)
    for name, (module, before) in points.items():
        hook = module.register_forward_pre_hook if before else module.register_forward_hook
        hooks.append(hook(noting(name)))
    detector = MaskRCNNDetector(rcnn)
    with torch.inference_mode():
        for picture in pictures:
            detector.detect([torch.from_numpy(picture).permute(2, 0, 1)], DetectOptions(0.3))
    for each in hooks:
        each.remove()
    if seen.keys() != points.keys():
        return None
    ends = {name: np.mean(values, axis=0).tolist() for name, values in seen.items()}
    for family in ("lateral", "pyramid"):
        members = [ends.pop(name) for name in list(ends) if name.startswith(f"{family} ")]
        ends[family] = [min(low for low, _ in members), max(high for _, high in members)]
    return {name: (low, high) for name, (low, high) in ends.items()}


def _ends(values: torch.Tensor) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _points(rcnn: Any) -> dict[str, tuple[nn.Module, bool]]:
    """The points of a street network whose ranges are needed: a module each, and whether its input is meant."""
    backbone = rcnn.backbone
    points: dict[str, tuple[nn.Module, bool]] = {"stem": (backbone.stem, False), "detail": (backbone.detail, False)}
    for i, stage in enumerate(backbone.stages):
        points[f"stage {i} start"] = (stage[0], False)
        for j, block in enumerate(list(stage)[1:]):
            points[f"stage {i} block {j} inside"] = (block.first, False)
            points[f"stage {i} block {j}"] = (block, False)
    for i, block in enumerate(backbone.fpn.layer_blocks):
        points[f"lateral {i}"], points[f"pyramid {i}"] = (block, True), (block, False)
    points["rpn"] = (rcnn.rpn.head.conv, False)
    points["mask pooled"] = (rcnn.roi_heads.mask_head, True)
    for i, block in enumerate(rcnn.roi_heads.mask_head):
        points[f"mask {i}"] = (block, False)
    return points
