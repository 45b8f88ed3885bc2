"""Inference with torchvision's semantic networks: the class of every pixel, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torchvision.transforms import functional as pictures

from streamseg.models.model import DetectOptions, Kind, Model, Network
from streamseg.planes import Planes
from streamseg.regions import Regions

LONGEST = 4
"""Longer side of what the network sees, in shorter sides, beyond which an image is scaled down further."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """The class of every pixel of one image, on the model's device.

    Attributes:
        labels: uint8 [H, W]; 0 is none of the classes, n is the model's class n - 1.
    """

    labels: torch.Tensor

    def on_cpu(self, model: Model) -> Regions:
        """See :class:`streamseg.models.model.Answer`."""
        return Regions(self.labels.cpu().numpy(), model.class_names)


class SemanticNetwork(Network):
    """A network of ``torchvision.models.segmentation`` that answers with label maps.

    The same operations in the same order as torchvision's own: the transforms of its weights, the network with its
    upsampling to the input's size, bilinear upsampling to the image, the class of the highest logit. An auxiliary head
    is not computed. Score threshold and number of detections mean nothing here; of the wanted classes, those left out
    become background (0).

    Args:
        network: With ``backbone`` and ``classifier``; channel 0 is background.
        transforms: What its weights were trained with, torchvision's ``SemanticSegmentation`` preset.
    """

    kind: ClassVar[Kind] = "regions"

    def __init__(self, network: torch.nn.Module, transforms: Any) -> None:
        super().__init__()
        self.network: Any = network
        self._transforms = transforms
        (short_side,) = transforms.resize_size
        self.input_size = (short_side, LONGEST * short_side)

    def detect(self, images: Sequence[torch.Tensor | Planes], options: DetectOptions) -> list[LabelMap]:
        """See :class:`streamseg.models.model.Network`."""
        inputs = [self._prepared(image) for image in images]
        together = len({each.shape for each in inputs}) == 1
        batches = [torch.stack(inputs)] if together else [each[None] for each in inputs]
        logits = [each for batch in batches for each in self._logits(batch)]
        return [
            LabelMap(_label_map(each, seen.shape[-2:], image.shape[-2:], options.labels))
            for each, seen, image in zip(logits, inputs, images, strict=True)
        ]

    def resize_input(self, short_side: int, long_side: int) -> None:
        """See :class:`streamseg.models.model.Network`."""
        self.input_size = (short_side, long_side)

    def _prepared(self, image: torch.Tensor | Planes) -> torch.Tensor:
        """What ``transforms`` make of an image, but very long ones become smaller: float32 [3, h, w]."""
        assert isinstance(image, torch.Tensor), "takes no planes"
        short, long = min(image.shape[-2:]), max(image.shape[-2:])
        short_side, long_side = self.input_size
        if short_side * long > long_side * short:
            sides = max(1, long_side * short // long), long_side
        else:
            sides = short_side, short_side * long // short
        size = list(sides if image.shape[-2] <= image.shape[-1] else reversed(sides))
        given = self._transforms
        resized = pictures.resize(image, size, given.interpolation, antialias=given.antialias)
        return pictures.normalize(pictures.convert_image_dtype(resized, torch.float32), given.mean, given.std)

    def _logits(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits at the resolution of the head, float32 [B, C, h, w]."""
        features = self.network.backbone(batch.contiguous(memory_format=torch.channels_last))
        # The heads of one family take all levels, those of the other the last one.
        features = features.get("out", features)
        return self.network.classifier(features).float().contiguous()


def _label_map(
    logits: torch.Tensor, inner: Sequence[int], outer: Sequence[int], wanted: Sequence[int] | None
) -> torch.Tensor:
    """The class with the highest of ``logits`` (float32 [C, h, w]), resized bilinearly twice: uint8 ``outer``.

    Class by class with running maxima, because all logits of a 4K frame at once are 700 MB; and only of classes that
    can come out on top somewhere, which are few in most frames.

    Args:
        logits: Channel 0 is background.
        inner: Height and width of what the network saw, at least those of ``logits``.
        outer: Height and width of the frame.
        wanted: Positions of classes in the model's names; None for all.
    """
    classes = _contenders(logits)
    shown = [label if label and (wanted is None or label - 1 in wanted) else 0 for label in classes]
    labels = torch.full(tuple(outer), shown[0] if shown else 0, dtype=torch.uint8, device=logits.device)
    if len(set(shown)) < 2:
        return labels
    best = _resized(logits[classes[0]], inner, outer)
    for label, value in zip(classes[1:], shown[1:], strict=True):
        resized = _resized(logits[label], inner, outer)
        labels.masked_fill_(resized > best, value)
        torch.maximum(best, resized, out=best)
    return labels


def _resized(plane: torch.Tensor, inner: Sequence[int], outer: Sequence[int]) -> torch.Tensor:
    for size in (inner, outer):
        plane = F.interpolate(plane[None, None], size=tuple(size), mode="bilinear", align_corners=False)[0, 0]
    return plane


def _contenders(logits: torch.Tensor) -> list[int]:
    """Channels that may be highest at some pixel of ``logits`` (float32 [C, h, w]) after both resizings, ascending.

    A resized value lies between the least and the greatest of 3 x 3 neighbours: the first resizing, upwards, mixes 2 x
    2 of them, and the second mixes 2 x 2 pixels of the first. A channel whose greatest is below another's least, for
    each such neighbourhood, is never the highest.
    """
    greatest = F.max_pool2d(logits, 3, stride=1, padding=1)
    least = -F.max_pool2d(-logits, 3, stride=1, padding=1)
    rounding = 1e-5 * logits.abs().amax()
    return (greatest >= least.amax(0) - rounding).flatten(1).any(1).nonzero().flatten().tolist()
