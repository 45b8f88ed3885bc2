"""What a training picture goes through: scale jitter, crop, flip, copy-paste, colour, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from streamseg.training.coco import Sample, stacked

PADDING = (124, 116, 104)


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How strongly pictures are changed.

    Attributes:
        width: Columns of every training picture.
        height: Rows of every training picture.
        scale_min: Smallest size of a picture relative to covering the canvas.
        scale_max: Largest size of a picture relative to covering the canvas.
        flip: Probability of a horizontal flip, 0 to 1.
        paste: Probability that objects of another picture are pasted in, 0 to 1 (Ghiasi et al. 2021).
        paste_max: Most objects pasted into one picture.
        colour: Strength of brightness, contrast, saturation and hue changes; 0 is none.
        degrade: Probability of blur or sensor noise, 0 to 1.
    """

    width: int = 448
    height: int = 320
    scale_min: float = 0.65
    scale_max: float = 1.7
    flip: float = 0.5
    paste: float = 0.5
    paste_max: int = 4
    colour: float = 0.3
    degrade: float = 0.15


def augment(sample: Sample, donor: Sample | None, config: AugmentConfig, random: np.random.Generator) -> Sample:
    """A changed copy of ``sample`` on a canvas of the configured size.

    Args:
        sample: The picture.
        donor: Another picture whose objects may be pasted in; None for none.
        config: How strongly.
        random: Where chance comes from.
    """
    result = jitter(sample, config, random)
    if donor is not None and len(donor.labels) and random.random() < config.paste:
        result = paste_objects(result, donor, config, random)
    result.image = recolour(result.image, config.colour, random)
    if random.random() < config.degrade:
        result.image = degrade(result.image, random)
    return result


def jitter(sample: Sample, config: AugmentConfig, random: np.random.Generator) -> Sample:
    """Scales, crops or pads, and flips picture and masks alike."""
    height, width = sample.image.shape[:2]
    cover = max(config.width / width, config.height / height)
    scale = cover * math.exp(random.uniform(math.log(config.scale_min), math.log(config.scale_max)))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    # A crop that misses every object teaches little: the window is drawn towards one object more often than not.
    focus = None
    if len(sample.labels) and random.random() < 0.7:
        rows, columns = np.nonzero(sample.masks[random.integers(len(sample.labels))])
        if len(rows):
            focus = (columns.mean() * size[0] / width, rows.mean() * size[1] / height)
    left = _offset(size[0], config.width, focus and focus[0], random)
    top = _offset(size[1], config.height, focus and focus[1], random)
    flip = random.random() < config.flip

    def place(plane: np.ndarray, interpolation: int, fill: int | tuple[int, ...]) -> np.ndarray:
        scaled = cv2.resize(plane, size, interpolation=interpolation)
        canvas = np.empty((config.height, config.width, *plane.shape[2:]), np.uint8)
        canvas[:] = fill
        x0, y0 = max(left, 0), max(top, 0)
        part = scaled[y0 : top + config.height, x0 : left + config.width]
        canvas[y0 - top : y0 - top + part.shape[0], x0 - left : x0 - left + part.shape[1]] = part
        return np.ascontiguousarray(canvas[:, ::-1]) if flip else canvas

    image = place(sample.image, cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR, PADDING)
    masks = [place(mask, cv2.INTER_NEAREST, 0) for mask in sample.masks]
    ignore = [place(mask, cv2.INTER_NEAREST, 0) for mask in sample.ignore]
    canvas = (config.height, config.width)
    return Sample(image, stacked(masks, canvas), sample.labels, stacked(ignore, canvas), sample.labelled)


def _offset(size: int, canvas: int, focus: float | None, random: np.random.Generator) -> int:
    """Where the window of ``canvas`` pixels begins in a picture of ``size`` pixels; negative where it is padded."""
    if size <= canvas:
        return -int(random.integers(canvas - size + 1))
    if focus is None:
        return int(random.integers(size - canvas + 1))
    return int(np.clip(focus - random.uniform(0.2, 0.8) * canvas, 0, size - canvas))


def paste_objects(sample: Sample, donor: Sample, config: AugmentConfig, random: np.random.Generator) -> Sample:
    """Pastes some of the donor's objects over the picture; what they cover is taken from the masks below."""
    height, width = sample.image.shape[:2]
    image, masks, labels = sample.image.copy(), list(sample.masks), list(sample.labels)
    ignore = sample.ignore.copy()
    count = int(random.integers(1, config.paste_max + 1))
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


def recolour(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Random brightness, contrast, gamma, saturation, hue and white balance."""
    if strength <= 0:
        return image
    ramp = np.linspace(0, 1, 256)
    gamma = math.exp(random.uniform(-strength, strength))
    contrast, brightness = 1 + random.uniform(-strength, strength), random.uniform(-strength, strength) / 3
    curve = (ramp**gamma - 0.5) * contrast + 0.5 + brightness
    gains = 1 + random.uniform(-strength, strength, 3) / 4
    table = np.clip(curve[:, None] * gains * 255, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table.reshape(1, 256, 3))
    if random.random() < 0.5:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        saturation = 1 + random.uniform(-1.5, 1.0) * strength
        hue = random.integers(-12, 13)
        tables = np.stack([(np.arange(256) + hue) % 180, np.clip(np.arange(256) * saturation, 0, 255), np.arange(256)])
        image = cv2.cvtColor(cv2.LUT(hsv, tables.T.reshape(1, 256, 3).astype(np.uint8)), cv2.COLOR_HSV2RGB)
    return image


def degrade(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Blurs the picture, or adds sensor noise."""
    if random.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 1.5))
    noise = random.standard_normal(image.shape, np.float32) * random.uniform(3, 14)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
