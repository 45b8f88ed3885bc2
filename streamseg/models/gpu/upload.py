"""Pictures on their way to a device: in one piece, out of memory that the device reads by itself."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Hashable, Sequence

import numpy as np
import torch

from streamseg.planes import Picture, Planes, pack, packed_size


class Uploads:
    """Sends pictures to a device, and lends each copy there to whoever paints on it later.

    Pinned memory comes from torch's cache, which takes it back once it has been read: after the first batches none is
    pinned anew. Any thread may call.

    Args:
        device: Where to.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        # One entry is put in or taken out at a time, which needs no lock; one could not be had while garbage goes.
        self._copies: dict[int, tuple[weakref.ref[np.ndarray], torch.Tensor]] = {}

    def send(self, pictures: Sequence[Picture]) -> tuple[torch.Tensor, torch.cuda.Event | None]:
        """Copy pictures of one kind and size to the device.

        Returns:
            uint8 [B, bytes], to be held until whatever reads it is done, and what tells that it has arrived; None where
            it has.
        """
        pinned = self._stream is not None
        staged = torch.empty((len(pictures), packed_size(pictures[0])), dtype=torch.uint8, pin_memory=pinned)
        for picture, row in zip(pictures, staged.numpy(), strict=True):
            pack(picture, row)
        if self._stream is None:
            return staged.to(self._device), None
        with torch.cuda.stream(self._stream):
            packed = staged.to(self._device, non_blocking=True)
            return packed, self._stream.record_event()

    def keep(self, pictures: Sequence[Picture], packed: torch.Tensor) -> None:
        """Keep the copies of pictures, which have arrived, for as long as the pictures live."""
        for picture, row in zip(pictures, packed, strict=True):
            first = _first_array(picture)
            forget = functools.partial(self._forget, id(first))
            self._copies[id(first)] = weakref.ref(first, forget), row

    def _forget(self, key: int, _: object) -> None:
        self._copies.pop(key, None)

    def take(self, picture: Picture) -> torch.Tensor | None:
        """The copy of a picture, uint8 [bytes], for the caller to change; None where there is none any more."""
        first = _first_array(picture)
        known, row = self._copies.pop(id(first), (None, None))
        return row if known is not None and known() is first else None


def kind_of(picture: Picture) -> Hashable:
    """What pictures that go through a network together have in common."""
    if isinstance(picture, Planes):
        return picture.shape, picture.matrix, picture.full_range
    return picture.shape


def _first_array(picture: Picture) -> np.ndarray:
    return picture.y if isinstance(picture, Planes) else picture
