"""The processes that train one network together, as ``torchrun`` starts them; alone, there is one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from streamseg.errors import UserError
from streamseg.segmenter import choose_device

T = TypeVar("T")
# While the first process validates, the others wait this long before they believe it gone.
PATIENCE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0; the first one alone speaks, writes and validates.
        world: How many there are.
        device: Where it trains.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replaces floating-point tensors by their means over the processes, in place.

        Raises:
            UserError: Another process is gone.
        """
        if self.world == 1:
            return
        flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
        with _together(self.rank):
            dist.all_reduce(flat)
        for tensor, mean in zip(tensors, (flat / self.world).split([t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(mean.view_as(tensor))

    def once(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in the first process, in every process; the others wait for it.

        Raises:
            UserError: As ``work`` does, in every process; or another process is gone.
        """
        if self.world == 1:
            return work()
        box: list[Any] = [None, None]
        if self.first:
            try:
                box[0] = work()
            except UserError as error:
                box[1] = str(error)
        with _together(self.rank):
            dist.broadcast_object_list(box, src=0, device=self.device if self.device.type == "cuda" else None)
        if box[1] is not None:
            raise UserError(box[1])
        return box[0]


@contextlib.contextmanager
def joined(device: str) -> Iterator[Processes]:
    """This process among the others for the time of ``with``.

    Args:
        device: As the user names it; of several processes on ``auto`` or ``cuda`` each takes the GPU of its number.

    Raises:
        UserError: There is no such device, or the others do not come.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if world == 1:
        yield Processes(0, 1, choose_device(device))
        return
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        device = f"cuda:{os.environ.get('LOCAL_RANK', rank)}"
    chosen = choose_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    with _together(rank):
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(rank, world, chosen)
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _together(rank: int) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:160]
        raise UserError(f"process {rank} lost the others ({reason}); go on with --resume") from error
