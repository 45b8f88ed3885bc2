"""How cuDNN computes convolutions, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def convolutions(**flags: bool) -> Iterator[None]:
    """Sets flags of ``torch.backends.cudnn`` inside ``with``: ``benchmark``, ``allow_tf32``.

    They hold for all threads, so that it must be the only one of its kind that is entered.
    """
    cudnn = torch.backends.cudnn
    before = {name: getattr(cudnn, name) for name in flags}
    try:
        for name, value in flags.items():
            setattr(cudnn, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(cudnn, name, value)
