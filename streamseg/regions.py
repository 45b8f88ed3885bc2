"""The classes that the pixels of one frame belong to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

MOST_CLASSES = 255
"""More do not fit into a label of one byte."""


@dataclass(frozen=True, eq=False)
class Regions:
    """One class for each pixel of a frame; no objects, so no boxes and no identities. ``labels`` must not be changed.

    Attributes:
        labels: uint8 [H, W], the size of the frame; 0 is none of the classes, n is ``class_names[n - 1]``.
        class_names: At most 255 names, background not among them.

    Raises:
        ValueError: ``labels`` is not uint8 [H, W], or there are more than 255 classes.
    """

    labels: np.ndarray
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.labels.dtype != np.uint8 or self.labels.ndim != 2:
            raise ValueError(f"labels are uint8 [H, W], not {self.labels.dtype} {list(self.labels.shape)}")
        if len(self.class_names) > MOST_CLASSES:
            raise ValueError(f"{len(self.class_names)} classes do not fit into a byte; the most are {MOST_CLASSES}")

    @property
    def present(self) -> np.ndarray:
        """int64 [P], the labels that occur in the frame, ascending, without 0."""
        return np.flatnonzero(self._counts[1:]) + 1

    @property
    def names(self) -> list[str]:
        """The class name of each label of ``present``."""
        return [self.class_names[label - 1] for label in self.present]

    @property
    def shares(self) -> np.ndarray:
        """float64 [P], how much of the frame each label of ``present`` covers, 0 to 1."""
        return self._counts[self.present] / max(1, self.labels.size)

    def to_rle(self) -> list[dict[str, Any]]:
        """COCO compressed run lengths, ``{"size": [H, W], "counts": str}``, of each label of ``present``."""
        from pycocotools import mask as coco

        size = [int(side) for side in self.labels.shape]
        flat = self.labels.T.ravel()  # COCO counts down the columns
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        bounds = np.concatenate([[0], edges, [flat.size]])
        values = flat[bounds[:-1]]
        encoded = []
        for label in self.present:
            runs = np.flatnonzero(values == label)
            inside = np.stack([bounds[runs], bounds[runs + 1]], axis=1).ravel()
            counts = np.diff(inside, prepend=0).tolist()
            if inside[-1] < flat.size:
                counts.append(int(flat.size - inside[-1]))
            packed = coco.frPyObjects({"size": size, "counts": counts}, *size)
            encoded.append({"size": size, "counts": packed["counts"].decode("ascii")})
        return encoded

    @cached_property
    def _counts(self) -> np.ndarray:
        """Pixels of each label from 0 to 255; by OpenCV, which needs a tenth of ``np.bincount``'s time."""
        import cv2

        labels = np.ascontiguousarray(self.labels)
        return cv2.calcHist([labels], [0], None, [MOST_CLASSES + 1], [0, MOST_CLASSES + 1]).ravel().astype(np.float64)
