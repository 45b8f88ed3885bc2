"""Endless batches of augmented samples, the same for a seed whatever the number of workers."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from streamseg.errors import UserError
from streamseg.training.augment import Augmentation, AugmentConfig
from streamseg.training.coco import CocoData, Sample

MIN_PIXELS = 16
MIN_SIDE = 3


@dataclass(slots=True, eq=False)
class Batch:
    """What one training step sees.

    Attributes:
        images: uint8 [B, 3, H, W].
        targets: Per image ``boxes`` float [N, 4] xyxy pixels, ``labels`` int64 [N], ``masks`` uint8 [N, H, W],
            ``ignore_boxes`` float [K, 4] and ``complete`` bool, see :mod:`streamseg.models.partial_labels`.
        pixels: int64 [B, H, W], the label of every pixel; -1 where it is not known.
        labelled: bool [B, classes + 1], labels that the annotators looked for; background is always True.
    """

    images: torch.Tensor
    targets: list[dict[str, torch.Tensor]]
    pixels: torch.Tensor
    labelled: torch.Tensor


class Draws(Dataset[tuple]):
    """Step ``n`` of a run as item ``n``: data sets chosen by weight, augmentation seeded by the item's number."""

    def __init__(
        self, data: Sequence[CocoData], weights: Sequence[float], config: AugmentConfig, seed: int, items: int
    ) -> None:
        self.data, self.config, self.seed, self.items = list(data), config, seed, items
        self.weights = np.array(weights, float) / np.sum(weights)
        self.augmentation = Augmentation(config)
        # Twice what is ever shown, so that shrinking on reading costs no sharpness.
        self.enough = math.ceil(2 * config.scale_max * config.height), math.ceil(2 * config.scale_max * config.width)
        for part in self.data:
            if not len(part) or not part.class_names:
                raise UserError(f"{part.file}: has no {'classes' if len(part) else 'pictures'} to learn from")

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, item: int) -> tuple:
        random = np.random.default_rng((self.seed, item))
        sample = self._draw(random)
        donor = self._draw(random) if random.random() < self.config.paste else None
        return to_tensors(self.augmentation(sample, donor, random), len(self.data[0].class_names))

    def _draw(self, random: np.random.Generator) -> Sample:
        which = int(random.choice(len(self.data), p=self.weights))
        return self.data[which].sample(int(random.integers(len(self.data[which]))), self.enough)


def to_tensors(
    sample: Sample, classes: int
) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """One augmented sample as tensors; objects too small to learn from become ignored regions."""
    boxes, kept, ignored = [], [], []
    pixels = np.zeros(sample.image.shape[:2], np.int64)
    for region in sample.ignore:
        pixels[region > 0] = -1
        ignored.append(tight_box(region))
    for index, mask in enumerate(sample.masks):
        box = tight_box(mask)
        if box is None:
            continue
        pixels[mask > 0] = sample.labels[index]
        small = mask.sum() < MIN_PIXELS or box[2] - box[0] < MIN_SIDE or box[3] - box[1] < MIN_SIDE
        if small:
            ignored.append(box)
            continue
        boxes.append(box)
        kept.append(index)
    regions = [box for box in ignored if box is not None]
    target = {
        "boxes": torch.tensor(np.array(boxes, np.float32).reshape(-1, 4)),
        "labels": torch.from_numpy(sample.labels[kept]),
        "masks": torch.from_numpy(sample.masks[kept]),
        "ignore_boxes": torch.tensor(np.array(regions, np.float32).reshape(-1, 4)),
        "complete": torch.tensor(len(sample.labelled) == classes),
    }
    labelled = torch.tensor([True] + [label in sample.labelled for label in range(1, classes + 1)])
    image = torch.from_numpy(np.ascontiguousarray(sample.image.transpose(2, 0, 1)))
    return image, target, torch.from_numpy(pixels), labelled


def tight_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """The xyxy box around the set pixels of a mask [H, W]; None where there are none."""
    x, y, width, height = cv2.boundingRect(mask)
    return (x, y, x + width, y + height) if width and height else None


def _collate(items: list[tuple]) -> Batch:
    images, targets, pixels, labelled = zip(*items, strict=True)
    return Batch(torch.stack(images), list(targets), torch.stack(pixels), torch.stack(labelled))


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)
    # Ctrl-C reaches every process of a terminal, but it is for the training process to decide when they end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def batches(draws: Draws, batch_size: int, first: int, workers: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
    """One training process's share of the batches from step ``first`` on, in order.

    Args:
        draws: The items; step n has items ``n * batch_size`` to ``(n + 1) * batch_size - 1``.
        batch_size: Items of a step, of all training processes together.
        first: The first step.
        workers: Processes that prepare this share; 0 for this one alone.
        rank: Which training process this is, from 0: it takes items ``rank``, ``rank + world``, … of every batch.
        world: Number of training processes.

    Raises:
        UserError: A batch has fewer items than there are processes.
    """
    if batch_size < world:
        raise UserError(f"a batch of {batch_size} cannot be shared among {world} processes; raise the batch size")
    begins = range(first * batch_size, len(draws), batch_size)
    shares = [list(range(begin + rank, min(begin + batch_size, len(draws)), world)) for begin in begins]
    loader = DataLoader(
        draws,
        batch_sampler=shares,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_start_worker,
        prefetch_factor=4 if workers else None,
    )
    yield from loader
