"""How much of what the device can multiply the network makes use of."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from streamseg.models.model import DetectOptions, Model
from streamseg.segmenter import PRECISIONS

SIDES = {"cuda": 8192, "cpu": 2048}
"""Side of the square matrices, large enough that a device of this kind is at its best."""


def operations(model: Model, picture: np.ndarray, options: DetectOptions) -> int:
    """Multiplications and additions in the network's layers for one picture (uint8 [H, W, 3] RGB) and what is in it."""
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.network.detect([image], options)
    return int(counter.get_total_flops())


def peak_rate(device: torch.device, number_format: str, seconds: float = 1.0) -> float:
    """Operations per second of a large matrix product, the best of as many as fit into the time.

    In the process's present number of threads, and in a number format of :data:`streamseg.segmenter.PRECISIONS`.
    """
    side = SIDES.get(device.type, SIDES["cpu"])
    kind = PRECISIONS[number_format]
    product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = torch.mm
    if number_format == "int8":
        kind, product = torch.int8, torch._int_mm  # torch has no public product of bytes
    left, right = ((64 * torch.randn(side, side, device=device)).to(kind) for _ in range(2))
    finish = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    best = float("inf")
    end = time.perf_counter() + seconds
    with torch.inference_mode():
        product(left, right)
        finish()
        while True:
            begin = time.perf_counter()
            product(left, right)
            finish()
            now = time.perf_counter()
            best = min(best, now - begin)
            if now > end:
                return 2 * side**3 / best
