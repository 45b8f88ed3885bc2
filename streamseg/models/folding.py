"""Batch norms folded into the convolutions before them: the same result with fewer passes over memory."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_norms(module: nn.Module) -> None:
    """Replaces every convolution that a batch norm follows in a ``Sequential`` by one convolution, in place.

    Args:
        module: In evaluation mode; it cannot be trained on afterwards.
    """
    for child in module.children():
        fold_norms(child)
    if not isinstance(module, nn.Sequential):
        return
    for before, after in zip(list(module.named_children()), list(module.named_children())[1:], strict=False):
        if isinstance(before[1], nn.Conv2d) and isinstance(after[1], nn.BatchNorm2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1].eval(), after[1].eval()))
            setattr(module, after[0], nn.Identity())
