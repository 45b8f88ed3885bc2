"""How much of a model's time its layers take."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

import torch
from torch.nn.modules import module


class LayerClock:
    """Inside ``with``, adds up the time in the outermost modules that one thread calls, and in recorded passes.

    The models call their backbone, heads and resizing one by one, and do by hand what torchvision calls
    post-processing, so that what is outside of modules is that. A recorded pass (a CUDA graph) is timed as a whole.

    Args:
        finish: Called before the clock is read: waits for a device that works on by itself.

    Attributes:
        seconds: On the clock.
        cpu_seconds: Of all threads of the process.
    """

    def __init__(self, finish: Callable[[], object]) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self._finish = finish
        self._depth = 0
        self._begin = (0.0, 0.0)
        self._undo = ExitStack()

    def __enter__(self) -> LayerClock:
        for handle in (
            module.register_module_forward_pre_hook(self._enter),
            module.register_module_forward_hook(self._leave),
        ):
            self._undo.callback(handle.remove)
        replay = torch.cuda.CUDAGraph.replay

        def timed(graph: torch.cuda.CUDAGraph) -> None:
            self._enter()
            replay(graph)
            self._leave()

        self._undo.enter_context(patch.object(torch.cuda.CUDAGraph, "replay", timed))
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def _enter(self, *call: object) -> None:
        if self._depth == 0:
            self._begin = self._now()
        self._depth += 1

    def _leave(self, *call: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            seconds, cpu_seconds = self._now()
            self.seconds += seconds - self._begin[0]
            self.cpu_seconds += cpu_seconds - self._begin[1]

    def _now(self) -> tuple[float, float]:
        self._finish()
        return time.perf_counter(), time.process_time()
