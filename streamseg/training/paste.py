"""Copy-paste: objects of one training picture put into another (Ghiasi et al. 2021)."""

from __future__ import annotations

import math

import cv2
import numpy as np

from streamseg.training.coco import Sample, stacked


def paste_objects(sample: Sample, donor: Sample, most: int, random: np.random.Generator) -> Sample:
    """Pastes some of the donor's objects over the picture; what they cover is taken from the masks below."""
    height, width = sample.image.shape[:2]
    image, masks, labels = sample.image.copy(order="K"), list(sample.masks), list(sample.labels)
    ignore = sample.ignore.copy()
    count = int(random.integers(1, most + 1))
    for index in random.permutation(len(donor.labels))[:count]:
        if donor.labels[index] not in sample.labelled:
            continue
        cut = _cut_out(donor, int(index), (height, width), random)
        if cut is None:
            continue
        pixels, shape = cut
        rows, columns = shape.shape
        # Objects stand on the ground: their feet belong in the lower part of the picture, the larger the lower.
        foot = random.uniform(0.45, 0.75) * height + rows * random.uniform(0.1, 0.6)
        top = int(np.clip(foot - rows, 0, height - rows))
        left = int(random.integers(width - columns + 1))
        window = (slice(top, top + rows), slice(left, left + columns))
        alpha = cv2.GaussianBlur(shape.astype(np.float32), (3, 3), 0)[..., None]
        image[window] = (image[window] * (1 - alpha) + pixels * alpha).astype(np.uint8)
        full = np.zeros((height, width), np.uint8)
        full[window] = shape
        masks = [mask & (1 - full) for mask in masks]
        ignore &= 1 - full
        masks.append(full)
        labels.append(donor.labels[index])
    return Sample(image, stacked(masks, (height, width)), np.array(labels, np.int64), ignore, sample.labelled)


def _cut_out(
    donor: Sample, index: int, canvas: tuple[int, int], random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """One object's pixels and mask at a random size that fits the canvas; None where it is cut off or too small."""
    mask = donor.masks[index]
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    if not len(rows):
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    # An object cut off by its picture's border looks wrong anywhere else, but for its feet.
    if left == 0 or right == mask.shape[1] or top == 0 or (bottom - top) * (right - left) < 200:
        return None
    goal = math.exp(random.uniform(math.log(0.08), math.log(0.7))) * canvas[0]
    scale = min(goal / (bottom - top), 1.6, 0.9 * canvas[1] / (right - left), 0.95 * canvas[0] / (bottom - top))
    size = (max(3, round((right - left) * scale)), max(3, round((bottom - top) * scale)))
    pixels = cv2.resize(donor.image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    shape = cv2.resize(mask[top:bottom, left:right], size, interpolation=cv2.INTER_NEAREST)
    if random.random() < 0.5:
        pixels, shape = pixels[:, ::-1], shape[:, ::-1]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(shape)
