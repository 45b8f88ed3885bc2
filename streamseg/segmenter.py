"""A model on a device: precision, batches, and arrays back on the CPU."""

from __future__ import annotations

import copy
import threading
from collections.abc import Hashable, Sequence
from dataclasses import replace

import torch
from torch import nn

from streamseg.cores import cores
from streamseg.errors import UserError
from streamseg.models.gpu.runner import OVERLAPPING, Runner
from streamseg.models.gpu.upload import kind_of
from streamseg.models.model import DetectOptions, Model, Network
from streamseg.planes import Picture, Planes
from streamseg.result import Found

BATCH_SIZE_CPU, BATCH_SIZE_GPU = 2, 4  # on a CPU, 4 would save another twentieth of the time for 50 MB
MOST_WORKERS = 4
LARGE = 20_000_000  # parameters from which a network fills the cores by itself, and two at once hold gigabytes

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.bfloat16}
"""What the network computes in; of int8, what surrounds the integers."""


def choose_device(device: str) -> torch.device:
    """The device called ``device``; ``auto`` is the first GPU, else the CPU.

    Raises:
        UserError: torch has no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"device {device!r} cannot be used here ({reason}); try --device cpu") from error
    return chosen


def choose_precision(precision: str, device: torch.device, has_bytes: bool = False) -> tuple[str, str]:
    """The number format of the network and why.

    ``auto`` is fp16 on CUDA; on CPUs int8 where CPU and network have it, else bf16 where the CPU has it, else fp32.

    Args:
        precision: ``auto`` or one of ``PRECISIONS``.
        device: Where the network runs.
        has_bytes: Whether the network can work in 8-bit integers.

    Raises:
        UserError: Unknown, or not possible on the device.
    """
    cpu = device.type == "cpu"
    if precision == "auto":
        if device.type == "cuda":
            return "fp16", "fp16 as on any CUDA device"
        if cpu and has_bytes and cpu_has_int8():
            return "int8", "int8 because this CPU has instructions for it"
        if cpu and cpu_has_bf16():
            return "bf16", "bf16 because this CPU has instructions for it"
        return "fp32", "fp32 because this device has no faster format"
    if precision not in PRECISIONS:
        raise UserError(f"no precision {precision!r}; known are auto, {', '.join(PRECISIONS)}")
    if precision == "fp16" and cpu:
        raise UserError("precision fp16 needs a GPU; on a CPU use auto, bf16 or fp32")
    if precision == "int8" and not (cpu and has_bytes):
        raise UserError("precision int8 is for street models that streamseg trained, on a CPU; use auto")
    if precision == "int8" and not cpu_has_int8():
        raise UserError("precision int8 needs a CPU with VNNI instructions, which this one lacks; use auto")
    return precision, f"{precision} as asked for"


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AVX-512 BF16 or AMX)."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def cpu_has_int8() -> bool:
    """Whether the CPU multiplies bytes in hardware (VNNI), and this torch has the operators that do."""
    return bool(torch.cpu._is_vnni_supported()) and hasattr(torch.ops.onednn, "qconv2d_pointwise")


class Segmenter:
    """Finds what is in frames: objects, or the classes of their pixels.

    Args:
        model: From :func:`streamseg.models.load_model`.
        device: ``auto``, or a device as torch names it.
        precision: ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``.
        score_threshold: Least score of an object, 0 to 1; regions have no scores.
        max_detections: Most objects per frame, best first; of regions there are no more than classes.
        classes: Names of the wanted classes; None for all.
        input_size: Shorter side of what the network sees, pixels, with the longest longer side in proportion; None for
            the model's own.

    Attributes:
        number_format: The key of ``PRECISIONS`` that was chosen.
        precision: torch's type of what is not in integers.
        batch_size: How many pictures a call should be given.
        workers: How many threads should call ``work`` at once to get the most out of the device.
        runner: Runs the network on a GPU, and knows which pictures are there; None on other devices.

    Raises:
        UserError: Unknown device, precision or class.
    """

    def __init__(
        self,
        model: Model,
        device: str = "auto",
        precision: str = "auto",
        score_threshold: float = 0.5,
        max_detections: int = 100,
        classes: Sequence[str] | None = None,
        input_size: int | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.number_format, why = choose_precision(precision, self.device, model.network.has_bytes)
        self.precision = PRECISIONS[self.number_format]
        self.options = DetectOptions(score_threshold, max_detections, _labels(model, classes))
        self.class_names = model.class_names
        # A copy of its own, so that one model serves several segmenters.
        network = copy.deepcopy(model.network).to(self.device)
        network.fold()
        if self.number_format == "int8":
            network.use_bytes()
        self._network = _in_precision(network, self.precision)
        # Whoever needs the given one no more lets go of it: it is the larger of the two.
        self.model = replace(model, network=self._network)
        if input_size is not None:
            own_short, own_long = model.input_size
            self._network.resize_input(input_size, round(own_long * input_size / own_short))
        large = sum(parameter.numel() for parameter in self._network.parameters()) >= LARGE
        self.workers = 1 if large or self.device.type != "cpu" else min(cores(), MOST_WORKERS)
        # Sums of float32 depend on the shape of the batch, in their last bits.
        self._together = self.device.type != "cpu" or not (large or self.precision == torch.float32)
        self.batch_size = 1 if not self._together else BATCH_SIZE_CPU if self.device.type == "cpu" else BATCH_SIZE_GPU
        self.runner: Runner | None = None
        if self.device.type == "cuda":
            self.workers = OVERLAPPING
            self.runner = Runner(self._network, model, self.options, self.device, self.precision)
        self._worker = threading.local()
        about = f"{model.weights}; {model.reason}"
        if model.kind == "regions":
            about += "; regions of classes, without scores or IDs"
        self.description = f"model {model.name} ({about}), device {self.device}, {why}"

    @property
    def notes(self) -> list[str]:
        """What the user should know of what was done so far, such as that a GPU's memory was short."""
        return self.runner.notes if self.runner is not None else []

    def __call__(self, pictures: Sequence[Picture]) -> list[Found]:
        """What is in each picture (planes, or uint8 [H, W, 3] RGB); sizes may differ. Any thread may call.

        Pictures of one size share a pass, which saves a small network a tenth of its time. On a CPU the results are
        the same to the last bit for every batch size; in fp32, whose sums depend on it, and for large networks, which
        gain nothing, pictures go one by one. A GPU's libraries may choose other kernels for other batch sizes, so that
        scores can differ by rounding.

        Raises:
            UserError: A GPU's memory is too small for a single picture.
        """
        results: list[Found | None] = [None] * len(pictures)
        for group in self._groups(pictures):
            for index, found in zip(group, self._found([pictures[index] for index in group]), strict=True):
                results[index] = found
        return [result for result in results if result is not None]

    def work(self, pictures: Sequence[Picture]) -> list[Found]:
        """Like a call, for one of ``workers`` threads that call at once: each takes its share of the cores.

        Several frames on a core each need less time than one frame after the other on all cores: nothing waits for
        the slowest part of a layer, least of all where other stages take turns on the same cores.
        """
        if self.workers > 1 and not getattr(self._worker, "ready", False):
            _limit_threads(max(1, cores() // self.workers))
            self._worker.ready = True
        return self(pictures)

    def _groups(self, pictures: Sequence[Picture]) -> list[list[int]]:
        """Positions of the pictures that go through the network together."""
        if self.runner is None and not self._together:
            return [[index] for index in range(len(pictures))]
        by_kind: dict[Hashable, list[int]] = {}
        for index, picture in enumerate(pictures):
            by_kind.setdefault(kind_of(picture), []).append(index)
        return list(by_kind.values())

    def _found(self, pictures: Sequence[Picture]) -> Sequence[Found]:
        if self.runner is not None:
            return self.runner(pictures)
        tensors = [self._prepared(picture) for picture in pictures]
        autocast = torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
        with torch.inference_mode(), autocast:
            return [answer.on_cpu(self.model) for answer in self._network.detect(tensors, self.options)]

    def _prepared(self, picture: Picture) -> torch.Tensor | Planes:
        """A picture as the network takes it: uint8 [3, H, W] on the device, or planes."""
        if isinstance(picture, Planes):
            if self._network.takes_planes and self.device.type == "cpu":
                return picture
            picture = picture.to_rgb()
        # Frames are only read, but torch has no read-only tensors and warns about arrays that are.
        tensor = torch.from_numpy(picture if picture.flags.writeable else picture.copy())
        return tensor.to(self.device).permute(2, 0, 1)


def _limit_threads(count: int) -> None:
    """Have torch use ``count`` threads for what this thread asks of it, and leave all others as they are.

    ``torch.set_num_threads`` sets the calling thread's number, and that of threads yet to come; a thread that ends
    puts the latter back.
    """
    usual = torch.get_num_threads()
    torch.set_num_threads(count)
    restore = threading.Thread(target=torch.set_num_threads, args=(usual,))
    restore.start()
    restore.join()


def _in_precision(network: Network, precision: torch.dtype) -> Network:
    """Stores the weights in the format that autocast would convert them to at every call, in place."""
    network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            module.to(precision)
    return network


def _labels(model: Model, classes: Sequence[str] | None) -> tuple[int, ...] | None:
    if not classes:
        return None
    unknown = [name for name in classes if name not in model.class_names]
    if unknown:
        known = ", ".join(name for name in model.class_names if name != "N/A")
        raise UserError(f"model {model.name} has no class {unknown[0]!r}; it knows {known}")
    return tuple(label for label, name in enumerate(model.class_names) if name in classes)
