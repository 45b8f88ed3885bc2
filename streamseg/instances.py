"""The objects found in one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from streamseg import masks as mask_ops

Pasting = Literal["torchvision", "aligned", "box"]


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """N objects of one frame; can be indexed like an array: ``instances[keep]``.

    Attributes:
        boxes: float32 [N, 4], xyxy, pixels of the frame.
        scores: float32 [N], 0 to 1, as the model gave them.
        labels: int64 [N], positions in ``class_names``.
        masks: float32 [N, M, M], probabilities inside each box, 0 to 1; M is 28 for Mask R-CNN.
            Never pasted into the frame until somebody needs pixels.
        ids: int64 [N], identities from 1; 0 is not tracked.
        class_names: One name per label, background not among them.
        pasting: Whose rule turns a mask into pixels: ``"torchvision"`` (box truncated to integers, mask padded by one
            cell, > 0.5) or ``"aligned"`` (sampled at pixel centres of the real-valued box, >= 0.5; mmdetection,
            detectron2); ``"box"`` where nothing but boxes is known: masks are full, and so is every box.
        trails: float32 [N, K, 3], where each object stood before, oldest first: x, y (pixels) and how fresh that is, 1
            now to 0 where trails end; rows of NaN fill up shorter ones. None where nobody asked for trails.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...] = ()
    pasting: Pasting = "torchvision"
    trails: np.ndarray | None = None
    _patches: dict[tuple[int, int], list[mask_ops.Patch]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.boxes)
        for name in ("scores", "labels", "masks", "ids"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{count} boxes but {len(getattr(self, name))} {name}")
        if self.trails is not None and len(self.trails) != count:
            raise ValueError(f"{count} boxes but {len(self.trails)} trails")

    @classmethod
    def empty(cls, class_names: Sequence[str] = (), mask_size: int = 28) -> Instances:
        """No objects at all."""
        return cls(
            boxes=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            labels=np.zeros(0, np.int64),
            masks=np.zeros((0, mask_size, mask_size), np.float32),
            ids=np.zeros(0, np.int64),
            class_names=tuple(class_names),
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, keep: Any) -> Instances:
        if isinstance(keep, (int, np.integer)):
            keep = [keep]
        return replace(
            self,
            boxes=self.boxes[keep],
            scores=self.scores[keep],
            labels=self.labels[keep],
            masks=self.masks[keep],
            ids=self.ids[keep],
            trails=None if self.trails is None else self.trails[keep],
        )

    @property
    def has_masks(self) -> bool:
        """Whether the objects' shapes are known, rather than their boxes alone."""
        return self.pasting != "box"

    @property
    def names(self) -> list[str]:
        """The class name of each object."""
        return [self.class_names[label] for label in self.labels.tolist()]

    def with_ids(self, ids: np.ndarray) -> Instances:
        """The same objects under new identities (int64 [N])."""
        return replace(self, ids=np.asarray(ids, np.int64))

    def patches(self, height: int, width: int) -> list[mask_ops.Patch]:
        """Pixels of each object inside its box, clipped to a frame of ``height`` x ``width``.

        Computed on the first call and kept, since the painter and the records both want them. Treat them as read-only.
        """
        found = self._patches.get((height, width))
        if found is None:
            found = mask_ops.paste_all(self.masks, self.boxes, height, width, self.pasting)
            self._patches[height, width] = found
        return found

    def pixels(self, index: int, height: int, width: int) -> mask_ops.Patch:
        """Pixels of object ``index`` inside its box, clipped to a frame of ``height`` x ``width``."""
        return self.patches(height, width)[index]

    def to_masks(self, height: int, width: int) -> np.ndarray:
        """Full-frame masks, bool [N, height, width]."""
        full = np.zeros((len(self), height, width), bool)
        for mask, patch in zip(full, self.patches(height, width), strict=True):
            mask[patch.slices] = patch.pixels
        return full

    def to_rle(self, height: int, width: int) -> list[dict[str, Any]]:
        """COCO compressed run lengths: ``{"size": [height, width], "counts": str}`` per object."""
        return [mask_ops.encode(patch, height, width) for patch in self.patches(height, width)]

    def to_polygons(self, height: int, width: int) -> list[list[np.ndarray]]:
        """Outlines per object: float32 [K, 2] xy arrays, pixels of the frame, outer borders only."""
        return [mask_ops.outlines(patch) for patch in self.patches(height, width)]
