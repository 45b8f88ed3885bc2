"""Passes of a network that come again and again, recorded once as CUDA graphs and replayed in one launch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from streamseg.models.gpu.cudnn import convolutions

Pass = Callable[[torch.Tensor], Sequence[torch.Tensor]]
"""From one batch to tensors of as many rows, always the same operations on the same shapes."""

MOST_GRAPHS = 8
TRIALS = 2
"""How often a pass runs as it is before it is recorded, which takes as long as some ten passes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    run: Pass  # whose constants the graph reads
    graph: torch.cuda.CUDAGraph
    given: torch.Tensor
    results: Sequence[torch.Tensor]


class Graphs:
    """Runs passes on one stream of a GPU; elsewhere it only calls them. To be called by one thread at a time.

    Batches are filled up to the next power of two, so that a few recordings serve all of them. All share their memory,
    since one replay ends before the next begins.

    Args:
        stream: Where everything runs; None where the device is no GPU.

    Attributes:
        fault: Why passes are not recorded, where recording has failed once.
    """

    def __init__(self, stream: torch.cuda.Stream | None) -> None:
        self.fault: str | None = None
        self._stream = stream
        self._recordings: OrderedDict[tuple[object, int], _Recording] = OrderedDict()
        self._seen: dict[tuple[object, int], int] = {}
        self._pool: Any = None

    def run(self, key: object, run: Pass, batch: torch.Tensor) -> Sequence[torch.Tensor]:
        """The results of a pass for ``batch`` [B, ...], in memory of their own.

        Args:
            key: Names the pass together with the shape of a row.
            run: The pass.
            batch: What it is given.
        """
        rows = len(batch)
        filled = 1 << (rows - 1).bit_length()
        place = (key, filled)
        if self._stream is None or self.fault is not None:
            return run(batch)
        recording = self._recordings.get(place)
        if recording is None:
            seen = self._seen[place] = self._seen.get(place, 0) + 1
            if seen <= TRIALS:
                return run(batch)
            recording = self._record(run, torch.cat([batch, batch[:1].expand(filled - rows, -1)]))
            if recording is None:
                return run(batch)
            self._recordings[place] = recording
            while len(self._recordings) > MOST_GRAPHS:
                self._recordings.popitem(last=False)
        self._recordings.move_to_end(place)
        recording.given[:rows].copy_(batch)
        recording.graph.replay()
        return [result[:rows].clone() for result in recording.results]

    def forget(self) -> None:
        """Give all recordings up, and their memory with them."""
        self._recordings.clear()
        self._seen.clear()
        self._pool = None

    def _record(self, run: Pass, given: torch.Tensor) -> _Recording | None:
        graph = torch.cuda.CUDAGraph()
        trouble: Exception | None = None
        with convolutions(benchmark=True):
            run(given)  # tries cuDNN's kernels out, which cannot be done while recording
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            try:
                # Other threads go on using the device meanwhile, which only the mode "thread_local" allows.
                with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                    try:
                        results = run(given)
                    except Exception as error:
                        trouble = error
                        raise
            except RuntimeError as error:
                trouble = trouble or error
        if isinstance(trouble, torch.OutOfMemoryError):
            raise trouble
        if trouble is not None:
            self.fault = str(trouble).strip().splitlines()[0]
            return None
        return _Recording(run, graph, given, results)
