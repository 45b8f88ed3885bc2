"""A network on a GPU: batches overlap, host and device wait for each other once, and memory may run out."""

from __future__ import annotations

import contextlib
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import torch

from streamseg.errors import UserError
from streamseg.instances import Instances
from streamseg.models.gpu.cudnn import convolutions
from streamseg.models.gpu.fixed import LABEL, MASK, SCORE
from streamseg.models.gpu.graphs import Graphs, Pass
from streamseg.models.gpu.kernels import kernel_trouble
from streamseg.models.gpu.prepare import ToRGB
from streamseg.models.gpu.upload import Uploads, kind_of
from streamseg.models.model import DetectOptions, Model, Network
from streamseg.planes import Picture
from streamseg.regions import Regions

OVERLAPPING = 3
"""Batches at once: one on its way up, one in the network, one on its way down."""

MOST_PASSES = 16
"""Kinds of picture whose constants, a few megabytes of anchors each, are kept."""

# What other libraries than torch's allocator say then.
_SHORT = re.compile("out of memory|ALLOC_FAILED")


class Runner:
    """Finds what is in pictures of one kind and size at a time; any thread may call.

    A call uploads on a stream of its own, computes when it is its turn, and downloads on a stream of its own, so that
    of several threads that call at once only the computing excludes each other. Where the device's memory is too small
    for a batch, the batch is halved, from then on.

    Args:
        network: On the device, in its precision.
        model: What it was made from.
        options: What is wanted.
        device: A GPU; anywhere else everything is done in turn.
        precision: What autocast computes in; float32 for no autocast.

    Attributes:
        uploads: The copies of pictures on the device, for who paints there.
        lends: Whether those copies are kept.
    """

    def __init__(
        self, network: Network, model: Model, options: DetectOptions, device: torch.device, precision: torch.dtype
    ) -> None:
        self.uploads = Uploads(device)
        self.lends = False
        self._network, self._model, self._options = network, model, options
        self._device, self._precision = device, precision
        gpu = device.type == "cuda"
        self._compute = torch.cuda.Stream(device) if gpu else None
        self._down = torch.cuda.Stream(device) if gpu else None
        self._graphs = Graphs(self._compute)
        self._passes: OrderedDict[Hashable, Pass | None] = OrderedDict()
        self._turn = threading.Lock()
        self._first_size: int | None = None  # of the batch that was too large
        self._most: int | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should know, such as that memory was short."""
        notes = []
        if self._most is not None:
            notes.append(
                f"the memory of {self._device} was too small for {self._first_size} frames at once; "
                f"went on with {self._most} (--batch-size {self._most} starts so)"
            )
        trouble = kernel_trouble(self._device) if self._device.type == "cuda" else None
        if trouble is not None:
            notes.append(f"the GPU's own kernels could not be used, which is slower ({trouble})")
        if self._graphs.fault is not None:
            notes.append(f"CUDA graphs could not be recorded, which is slower ({self._graphs.fault})")
        return notes

    def __call__(self, pictures: Sequence[Picture]) -> list[Instances | Regions]:
        """What is in each picture.

        Raises:
            UserError: The device's memory is too small for a single one.
        """
        results: list[Instances | Regions] = []
        while len(results) < len(pictures):
            part = pictures[len(results) :][: self._most]
            try:
                results += self._found(part)
            except RuntimeError as error:
                if not isinstance(error, torch.OutOfMemoryError) and not _SHORT.search(str(error)):
                    raise
                self._halve(len(part))
        return results

    def _halve(self, size: int) -> None:
        with self._turn:
            self._graphs.forget()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            if size == 1:
                raise UserError(
                    f"the memory of {self._device} is too small for one frame of {self._model.name}; "
                    "lower --input-size, give --precision fp16, take --model street or --device cpu"
                ) from None
            self._first_size = self._first_size or size
            self._most = min(self._most or size, size // 2)

    def _found(self, pictures: Sequence[Picture]) -> list[Instances | Regions]:
        like = pictures[0]
        packed, arrived = self.uploads.send(pictures)
        with self._working():
            if arrived is not None:
                torch.cuda.current_stream(self._device).wait_event(arrived)
            run = self._pass(like)
            if run is None:
                found = self._one_after_the_other(like, packed)
            else:
                results = self._graphs.run(kind_of(like), run, packed)
                done = self._compute.record_event() if self._compute is not None else None
        if run is not None:
            places, complete = self._download(results, done)
            found = [instances_of(rows, self._model) for rows in places]
            if not complete.all():  # more boxes than a fixed shape holds: rare enough to be done again
                with self._working():
                    found = self._one_after_the_other(like, packed)
        if self.lends:
            self.uploads.keep(pictures, packed)
        return found

    def _pass(self, like: Picture) -> Pass | None:
        kind = kind_of(like)
        if kind not in self._passes:
            self._passes[kind] = self._network.fixed(like, self._options)
            while len(self._passes) > MOST_PASSES:
                self._passes.popitem(last=False)
        self._passes.move_to_end(kind)
        return self._passes[kind]

    def _one_after_the_other(self, like: Picture, packed: torch.Tensor) -> list[Instances | Regions]:
        """The way of networks without fixed shapes."""
        images = ToRGB(like, self._device)(packed).to(torch.uint8)
        return [answer.on_cpu(self._model) for answer in self._network.detect(list(images), self._options)]

    def _download(self, results: Sequence[torch.Tensor], done: torch.cuda.Event | None) -> list[np.ndarray]:
        if self._down is None or done is None:
            return [result.cpu().numpy() for result in results]
        self._down.wait_event(done)
        with torch.cuda.stream(self._down):
            pinned = [torch.empty(result.shape, dtype=result.dtype, pin_memory=True) for result in results]
            for there, here in zip(results, pinned, strict=True):
                here.copy_(there, non_blocking=True)
        # This kind of event lets the processor do something else meanwhile.
        arrived = torch.cuda.Event(blocking=True)
        arrived.record(self._down)
        arrived.synchronize()
        return [here.numpy() for here in pinned]

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """This thread's turn to compute."""
        stream = torch.cuda.stream(self._compute) if self._compute is not None else contextlib.nullcontext()
        # Recordings must not refer to what autocast caches.
        half = self._precision != torch.float32
        autocast = torch.autocast(self._device.type, self._precision, enabled=half, cache_enabled=False)
        # What is asked for in float32 is not computed with the 10 bits that cuDNN makes of it by default.
        with self._turn, stream, torch.inference_mode(), autocast, convolutions(allow_tf32=half):
            yield


def instances_of(places: np.ndarray, model: Model) -> Instances:
    """The objects of one image from its row of :class:`streamseg.models.gpu.fixed.FixedDetections`."""
    rows = places[places[:, SCORE] >= 0]
    side = math.isqrt(rows.shape[1] - MASK)
    return Instances(
        boxes=rows[:, :SCORE].copy(),
        scores=rows[:, SCORE].copy(),
        labels=rows[:, LABEL].astype(np.int64),
        masks=rows[:, MASK:].copy().reshape(-1, side, side),
        ids=np.zeros(len(rows), np.int64),
        class_names=model.class_names,
        pasting=model.pasting,
    )
