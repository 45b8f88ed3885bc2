"""What a training picture goes through: scale jitter, crop, flip, copy-paste, colour, blur and noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torchvision.transforms.v2.functional as F
from torchvision.transforms import v2
from torchvision.tv_tensors import Image, Mask

from streamseg.training.coco import Sample
from streamseg.training.paste import paste_objects

PADDING = (124, 116, 104)
FOCUSED = 0.7
HUE_TURN = 40  # of OpenCV's 180, at strength 1
NOISE = (3, 6, 10, 14)  # standard deviations, of 255


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


class Augmentation:
    """Changes samples, as a configuration says, by the transforms of ``torchvision.transforms.v2``.

    Args:
        config: How strongly.
    """

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self._geometry = v2.Compose([FocusedCrop(config), v2.RandomHorizontalFlip(config.flip)])
        strength = config.colour
        colour = [v2.ColorJitter(strength, strength, strength), Tint(strength)] if strength > 0 else []
        noise = v2.RandomChoice([v2.GaussianNoise(sigma=sigma / 255) for sigma in NOISE])
        degrade = v2.RandomChoice([v2.GaussianBlur(5, (0.5, 1.25)), noise])
        self._look = v2.Compose([*colour, v2.RandomApply([degrade], config.degrade)])

    def __call__(self, sample: Sample, donor: Sample | None, random: np.random.Generator) -> Sample:
        """A changed copy of ``sample`` on a canvas of the configured size; ``random`` alone decides how.

        Args:
            sample: The picture.
            donor: Another picture whose objects are pasted in; None for none.
            random: Where chance comes from.
        """
        with _torch_draws_from(random):
            moved = self._geometry(_to_tensors(sample))
            # From here on the planes lie one after the other, as torch wants them: turning them over takes its time.
            image = moved["image"].contiguous().permute(1, 2, 0).numpy()
            masks, ignore = moved["masks"].numpy(), moved["ignore"].numpy()
            result = Sample(image, masks, sample.labels, ignore, sample.labelled)
            if donor is not None:
                result = paste_objects(result, donor, self.config.paste_max, random)
            changed = self._look(Image(torch.from_numpy(result.image).permute(2, 0, 1)))
        result.image = changed.permute(1, 2, 0).numpy()
        return result


@contextmanager
def _torch_draws_from(random: np.random.Generator) -> Iterator[None]:
    """Seeds torch's global generator, which v2 draws from, and puts it back afterwards."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed GPUs too.
        torch.default_generator.manual_seed(int(random.integers(1 << 62)))
        yield


def _to_tensors(sample: Sample) -> dict[str, torch.Tensor]:
    return {
        "image": Image(torch.from_numpy(sample.image).permute(2, 0, 1)),
        "masks": Mask(torch.from_numpy(sample.masks)),
        "ignore": Mask(torch.from_numpy(sample.ignore)),
    }


class FocusedCrop(v2.Transform):
    """Scale jitter and crop (or padding) to the canvas in one; the crop is drawn towards an object more often than not.

    Only what is seen is resized, so the cost does not grow with the picture. The first ``Mask`` holds the objects.
    """

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__()
        self.config = config

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws what is cut out and where it goes."""
        config = self.config
        height, width = F.get_size(flat_inputs[0])
        cover = max(config.width / width, config.height / height)
        scale = cover * math.exp(_uniform(math.log(config.scale_min), math.log(config.scale_max)))
        # A crop that misses every object teaches little.
        focus = _middle_of_one(next(value for value in flat_inputs if isinstance(value, Mask)))
        top, rows, above, inside_rows = _window(height, scale, config.height, focus and focus[0])
        left, columns, before, inside_columns = _window(width, scale, config.width, focus and focus[1])
        return {
            "crop": {"top": top, "left": left, "height": rows, "width": columns, "size": [inside_rows, inside_columns]},
            "padding": [
                before,
                above,
                config.width - before - inside_columns,
                config.height - above - inside_rows,
            ],
        }

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Cuts out, resizes and pads a picture or masks."""
        if not inpt.numel():
            return Mask(inpt.new_zeros((0, self.config.height, self.config.width)))
        part = F.resized_crop(inpt, **params["crop"], antialias=True)
        if not any(params["padding"]):
            return part
        return F.pad(part, params["padding"], fill=list(PADDING) if isinstance(inpt, Image) else 0)


def _middle_of_one(masks: torch.Tensor) -> tuple[float, float] | None:
    """The middle (row, column) of one of the objects; None now and then, or where it has no pixels."""
    if not len(masks) or _uniform(0, 1) >= FOCUSED:
        return None
    left, top, width, height = cv2.boundingRect(masks[_below(len(masks))].numpy())
    return (top + height / 2, left + width / 2) if width else None


def _window(size: int, scale: float, canvas: int, focus: float | None) -> tuple[int, int, int, int]:
    """Along one side: where the crop begins, its length, where it lies on the canvas, its length there; all pixels."""
    scaled = max(1, round(size * scale))
    if scaled <= canvas:
        return 0, size, _below(canvas - scaled + 1), scaled
    length = min(size, max(1, round(canvas / scale)))
    if focus is None:
        return _below(size - length + 1), length, 0, canvas
    begin = round(focus - _uniform(0.2, 0.8) * length)
    return min(max(begin, 0), size - length), length, 0, canvas


class Tint(v2.Transform):
    """Random white balance, and now and then a turn of the hue.

    v2 has no white balance, and its ``adjust_hue`` takes some fifteen times as long as OpenCV with tables, which would
    be half of all the time that a picture takes.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the gain of each channel and the turn."""
        gains = [1 + _uniform(-self.strength, self.strength) / 4 for _ in range(3)]
        most = round(HUE_TURN * self.strength)
        turn = _below(2 * most + 1) - most if _uniform(0, 1) < 0.5 else 0
        return {"gains": gains, "turn": turn}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Changes the colours of a picture, uint8 [3, H, W]."""
        values = np.arange(256)
        tables = np.clip(np.outer(params["gains"], values), 0, 255).astype(np.uint8)
        planes = [cv2.LUT(plane, table) for plane, table in zip(inpt.numpy(), tables, strict=True)]
        if params["turn"]:
            hue, saturation, value = cv2.split(cv2.cvtColor(cv2.merge(planes), cv2.COLOR_RGB2HSV))
            hue = cv2.LUT(hue, ((values + params["turn"]) % 180).astype(np.uint8))
            planes = list(cv2.split(cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2RGB)))
        return Image(torch.from_numpy(np.stack(planes)))


def _uniform(low: float, high: float) -> float:
    return float(torch.empty(()).uniform_(low, high))


def _below(count: int) -> int:
    return int(torch.randint(count, ()))
