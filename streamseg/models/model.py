"""What every model of the registry offers to the segmenter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
import torch

from streamseg.instances import Instances, Pasting
from streamseg.planes import Picture, Planes
from streamseg.regions import Regions

if TYPE_CHECKING:
    from streamseg.models.gpu.fixed import FixedDetections

Kind = Literal["instances", "regions"]
"""What a model finds: objects, each with its mask, or the class of every pixel."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """What is wanted.

    Attributes:
        score_threshold: Least score, 0 to 1; an object must be above it. Regions have no scores.
        max_detections: Most objects per frame, best first. Regions are not counted.
        labels: Positions in the model's class names; None for all classes.
    """

    score_threshold: float = 0.5
    max_detections: int = 100
    labels: tuple[int, ...] | None = None


class Answer(Protocol):
    """What a network says of one image, on the model's device."""

    def on_cpu(self, model: Model) -> Instances | Regions:
        """The same as arrays."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N objects of one image, on the model's device, best first.

    Attributes:
        boxes: float32 [N, 4], xyxy, pixels of the image that was given.
        scores: float32 [N].
        labels: int64 [N], positions in the model's class names.
        masks: float32 [N, M, M], probabilities inside each box.
    """

    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor

    def on_cpu(self, model: Model) -> Instances:
        """See :class:`Answer`."""
        return Instances(
            boxes=self.boxes.float().cpu().numpy(),
            scores=self.scores.float().cpu().numpy(),
            labels=self.labels.cpu().numpy(),
            masks=self.masks.float().cpu().numpy(),
            ids=np.zeros(len(self.labels), np.int64),
            class_names=model.class_names,
            pasting=model.pasting,
        )


class Network(torch.nn.Module, ABC):
    """A network that says what is where in images; one subclass for each kind of model.

    Attributes:
        kind: What it finds.
    """

    kind: ClassVar[Kind] = "instances"

    @abstractmethod
    def detect(self, images: Sequence[torch.Tensor | Planes], options: DetectOptions) -> Sequence[Answer]:
        """What is in each image, uint8 [3, H, W] RGB on the network's device, or planes; sizes may differ."""

    @property
    def takes_planes(self) -> bool:
        """Whether, on a CPU, it makes its input from planes more cheaply than from RGB."""
        return False

    @property
    def has_bytes(self) -> bool:
        """Whether it can work in 8-bit integers, on a CPU that can."""
        return False

    def fold(self) -> None:
        """Does the same in fewer passes over memory from now on, where it can; it is not trained afterwards."""
        return

    def use_bytes(self) -> None:
        """Works in 8-bit integers from now on, with bfloat16 around them; only where ``has_bytes``, and once folded."""
        raise NotImplementedError

    def fixed(self, like: Picture, options: DetectOptions) -> Callable[[torch.Tensor], FixedDetections] | None:
        """The way of pictures like one through the network in tensors of fixed shapes; None where there is none.

        It maps packed pictures, uint8 [B, bytes] on the network's device, to what is in them.
        """
        return None

    @abstractmethod
    def resize_input(self, short_side: int, long_side: int) -> None:
        """Scales images to this shorter side, unless the longer one would pass ``long_side``; pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network with weights, in evaluation mode.

    Attributes:
        name: Its name in the registry.
        network: The network.
        class_names: One name per label, background not among them.
        weights: Where the weights came from, for the user.
        reason: Why this model was chosen, for the user.
        pasting: Whose rule turns its masks into pixels, see :class:`streamseg.instances.Instances`.
        input_size: Shorter and longest longer side of what the network sees, pixels.
        neutral_score: Score, above 0.5 and below 1, of detections of which half are right; None where it is not known.
    """

    name: str
    network: Network
    class_names: tuple[str, ...]
    weights: str
    reason: str
    pasting: Pasting = "torchvision"
    input_size: tuple[int, int] = (800, 1333)
    neutral_score: float | None = None

    @property
    def kind(self) -> Kind:
        """What it finds: ``"instances"`` or ``"regions"``."""
        return self.network.kind
