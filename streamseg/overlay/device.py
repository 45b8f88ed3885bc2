"""Paints on the copy of a frame that is on a GPU already, and downloads the finished picture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay import device_triton as kernels
from streamseg.overlay.canvas import Canvas, native
from streamseg.overlay.device_table import Group, groups
from streamseg.overlay.painter import Painter, line_for, ranked
from streamseg.overlay.palette import SHADE, Colour
from streamseg.planes import Picture, Planes, pack, packed_size, unpack
from streamseg.result import Found


@dataclass(frozen=True, slots=True)
class DevicePainter(Painter):
    """A ``Painter`` whose shapes are painted by a GPU; trails and plates follow on the CPU, where their glyphs are.

    Boxes and regions are painted on the CPU, and so is a frame for which the GPU's memory is too small.

    Attributes:
        device: The GPU.
        copies: Gives the copy of a picture on the device, uint8 [bytes], to be changed; None where there is none.
    """

    device: torch.device = field(kw_only=True)
    copies: Callable[[Picture], torch.Tensor | None] = field(kw_only=True)
    _stream: torch.cuda.Stream | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        Painter.__post_init__(self)  # super() does not know a class with slots
        gpu = self.device.type == "cuda"
        object.__setattr__(self, "_stream", torch.cuda.Stream(self.device) if gpu else None)

    def paint(self, frame: Frame, found: Found) -> Picture:
        """See :class:`streamseg.overlay.painter.Painter`."""
        copy = self.copies(frame.pixels)
        shapes = (self.mask_opacity > 0 or self.show_outlines) and not self.show_boxes
        if isinstance(found, Instances) and len(found) and found.has_masks and shapes:
            order, colours = ranked(found)
            try:
                with self._working():
                    picture = self._shapes(frame.pixels, copy, found, order, colours)
            except torch.OutOfMemoryError:
                return Painter.paint(self, frame, found)
            canvas = Canvas(picture, copy=False)
            self._finish(canvas, found, order, colours)
            return canvas.picture
        return Painter.paint(self, frame, found)

    def _working(self) -> contextlib.AbstractContextManager[Any]:
        return torch.cuda.stream(self._stream) if self._stream is not None else contextlib.nullcontext()

    def _shapes(
        self,
        picture: Picture,
        copy: torch.Tensor | None,
        instances: Instances,
        order: Sequence[int],
        colours: Sequence[Colour],
    ) -> Picture:
        """The picture with everything on it but plates, downloaded."""
        gpu = self._stream is not None
        if copy is None:
            staged = torch.empty(packed_size(picture), dtype=torch.uint8, pin_memory=gpu)
            pack(picture, staged.numpy())
            copy = staged.to(self.device, non_blocking=True)
        written = [native(picture, colour) for colour in colours]
        for group in groups(instances, order, written, (picture.shape[0], picture.shape[1])):
            self._paint_group(picture, copy, group, instances.pasting == "aligned")
        painted = torch.empty(copy.shape, dtype=torch.uint8, pin_memory=gpu)
        painted.copy_(copy, non_blocking=True)
        if gpu:
            # This kind of event lets the processor do something else meanwhile.
            done = torch.cuda.Event(blocking=True)
            done.record(self._stream)
            done.synchronize()
        return unpack(painted.numpy(), picture)

    def _paint_group(self, picture: Picture, copy: torch.Tensor, group: Group, aligned: bool) -> None:
        table, masks, owners = self._sent(group.table, group.masks.view(np.int32), group.owners)
        patches = torch.empty(group.pixels, dtype=torch.uint8, device=self.device)
        kernels.paste(table, owners, masks.view(torch.float32), patches, aligned)
        line = line_for(picture.shape[0]) if self.show_outlines else 0
        height, width = picture.shape[:2]
        shade = native(picture, SHADE)[0]
        if isinstance(picture, Planes):
            half = -(-height // 2), -(-width // 2)
            luma, chroma = copy[: height * width].view(1, height, width), copy[height * width :].view(2, *half)
            kernels.paint(luma, table, patches, self.mask_opacity, line, shade, 1, 0)
            kernels.paint(chroma, table, patches, self.mask_opacity, line, None, 2, 1)
        else:
            rgb = copy.view(height, width, 3).permute(2, 0, 1)
            kernels.paint(rgb, table, patches, self.mask_opacity, line, shade, 1, 0)

    def _sent(self, *arrays: np.ndarray) -> list[torch.Tensor]:
        """Arrays of int32 on the device, sent in one piece."""
        ends = np.cumsum([array.size for array in arrays])
        staged = torch.empty(int(ends[-1]), dtype=torch.int32, pin_memory=self._stream is not None)
        np.concatenate([array.ravel() for array in arrays], out=staged.numpy())
        there = staged.to(self.device, non_blocking=True)
        parts = there.split([array.size for array in arrays])
        return [part.view(array.shape) for part, array in zip(parts, arrays, strict=True)]
