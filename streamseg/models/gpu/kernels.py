"""Whether kernels of our own can run on a GPU: Triton compiles them there, which not every machine is set up for."""

from __future__ import annotations

import importlib.util
from functools import lru_cache

import torch


@lru_cache(maxsize=16)
def kernel_trouble(device: torch.device) -> str | None:
    """Why Triton's kernels cannot run on a GPU; None where they can. One is run, once."""
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    from streamseg.models.gpu.suppression_triton import suppress

    try:
        twins = torch.tensor([[[0.0, 0.0, 4.0, 4.0]] * 2], device=device)
        flags = torch.ones((1, 2), dtype=torch.int32, device=device)
        kept = suppress(twins, flags, flags.bool(), 0.5).tolist()
    except Exception as error:  # a missing compiler, driver or library: whatever it is, there is another way
        return (str(error).strip() or repr(error)).splitlines()[0]
    return None if kept == [[True, False]] else "a trial kernel gave a wrong result"
