"""Making steps: optimizer, averaged weights, and number formats."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from streamseg.errors import UserError
from streamseg.segmenter import PRECISIONS, cpu_has_bf16
from streamseg.training.config import ScheduleConfig

Tensors = list[torch.Tensor] | tuple[torch.Tensor, ...]


def make_optimizer(network: nn.Module, schedule: ScheduleConfig) -> torch.optim.Optimizer:
    """The optimizer of a completed schedule: weight decay for matrices and filters, none for norms and biases.

    Raises:
        UserError: The settings contradict each other.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": schedule.weight_decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
    if schedule.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=True)
    if schedule.nesterov and not schedule.momentum:
        raise UserError("nesterov needs momentum above 0; set one or take the other back")
    return torch.optim.SGD(groups, lr=0.0, momentum=schedule.momentum, nesterov=schedule.nesterov, fused=True)


def make_average(network: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of weights and statistics; with decay 0 it is the network itself.

    At first it forgets faster than ``decay`` says, so that the random start of a short run leaves no trace.
    """

    def update(averaged: Tensors, current: Tensors, count: torch.Tensor | int) -> None:
        done = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + done) / (10 + done)))(averaged, current, count)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


def training_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format of the training pass; ``auto`` prefers bf16, which needs no loss scaling.

    Raises:
        UserError: Not possible on the device.
    """
    if name == "auto":
        name = "bf16" if has_bf16(device) else "fp16" if device.type == "cuda" else "fp32"
    if name == "fp16" and device.type != "cuda":
        raise UserError(f"precision fp16 trains on CUDA only, not on {device}; use auto, bf16 or fp32")
    return PRECISIONS[name]


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and cpu_has_bf16()
