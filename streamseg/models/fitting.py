"""Checkpoints into networks: which architecture it is, how many classes, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from streamseg.errors import UserError
from streamseg.models.checkpoint import Checkpoint

CLASS_TENSOR = "roi_heads.box_predictor.cls_score.weight"
BACKGROUND = ("__background__", "background")


@dataclass(frozen=True, slots=True)
class Architecture:
    """How the weights of an architecture are told from others.

    Attributes:
        marks: Tensors that together only this architecture has.
        class_tensor: The one with a row for each class and for background.
    """

    marks: frozenset[str]
    class_tensor: str = CLASS_TENSOR


ARCHITECTURES = {
    "street": Architecture(frozenset({"backbone.stem.0.weight"})),
    "maskrcnn_resnet50_fpn_v2": Architecture(frozenset({"backbone.body.conv1.weight", "roi_heads.box_head.5.weight"})),
    "maskrcnn_resnet50_fpn": Architecture(frozenset({"backbone.body.conv1.weight", "roi_heads.box_head.fc6.weight"})),
    "fcn_resnet50": Architecture(
        frozenset({"backbone.conv1.weight", "classifier.0.weight", "classifier.4.weight"}), "classifier.4.weight"
    ),
    "deeplabv3_resnet50": Architecture(
        frozenset({"backbone.conv1.weight", "classifier.0.project.0.weight"}), "classifier.4.weight"
    ),
    "lraspp_mobilenet_v3_large": Architecture(
        frozenset({"backbone.0.0.weight", "classifier.cbr.0.weight"}), "classifier.low_classifier.weight"
    ),
}


def architecture_of(checkpoint: Checkpoint) -> str:
    """The registry's name of the architecture that the weights belong to: as the file says, else by its tensors.

    Raises:
        UserError: None of them.
    """
    stated = checkpoint.metadata.get("architecture")
    if isinstance(stated, str) and stated in ARCHITECTURES:
        return stated
    for name, architecture in ARCHITECTURES.items():
        if architecture.marks <= checkpoint.tensors.keys():
            return name
    first = f"architecture {stated!r}" if stated else f"first tensor {next(iter(checkpoint.tensors), 'nothing')}"
    known = ", ".join(ARCHITECTURES)
    raise UserError(f"{checkpoint.path}: not the weights of a known model ({first}); known are {known}")


def class_count_of(checkpoint: Checkpoint, architecture: str) -> int:
    """Number of classes without background, read from the classifier's rows.

    Raises:
        UserError: There is no classifier.
    """
    name = ARCHITECTURES[architecture].class_tensor
    tensor = checkpoint.tensors.get(name)
    if tensor is None or tensor.ndim < 2 or len(tensor) < 2:
        raise UserError(f"{checkpoint.path}: tensor {name} is missing or has no classes; is this a {architecture}?")
    return len(tensor) - 1


def class_names_for(
    checkpoint: Checkpoint, architecture: str, given: Sequence[str] | None, coco: Sequence[str] = ()
) -> tuple[str, ...]:
    """Class names: those given, else those in the file, else COCO's where the count is COCO's, else numbers.

    A list that begins with ``__background__`` is taken without it.

    Raises:
        UserError: The number of names is not the number of classes.
    """
    count = class_count_of(checkpoint, architecture)
    names = tuple(given) if given else checkpoint.class_names
    if names is None:
        return tuple(coco) if len(coco) == count else tuple(f"class {label}" for label in range(1, count + 1))
    if len(names) == count + 1 and names[0] in BACKGROUND:
        names = names[1:]
    if len(names) != count:
        origin = "--class-names gives" if given else "the file names"
        raise UserError(
            f"{checkpoint.path}: its tensors have {count} classes but {origin} {len(names)}: {', '.join(names)}"
        )
    return names


def load_into(network: nn.Module, checkpoint: Checkpoint, optional: Sequence[str] = ()) -> None:
    """Copies every weight, after checking that names and shapes are the network's.

    Args:
        network: Takes the weights.
        checkpoint: Gives them.
        optional: Prefixes of tensors that may be missing or left over.

    Raises:
        UserError: A tensor is missing, left over, of another shape, or not finite; the first such is named.
    """
    own = network.state_dict()
    for name, tensor in own.items():
        if name not in checkpoint.tensors:
            # Checkpoints from before torch 0.4.1, and frozen norms, do not count batches.
            if name.endswith("num_batches_tracked") or name.startswith(tuple(optional)):
                continue
            raise UserError(f"{checkpoint.path}: tensor {name} is missing; it must be {list(tensor.shape)}")
        given = checkpoint.tensors[name]
        if given.shape != tensor.shape:
            raise UserError(
                f"{checkpoint.path}: tensor {name} is {list(given.shape)}, the network needs {list(tensor.shape)}"
            )
        if given.is_floating_point() and not bool(torch.isfinite(given).all()):
            raise UserError(f"{checkpoint.path}: tensor {name} holds values that are not finite; the file is damaged")
    for name in checkpoint.tensors:
        if name not in own and not name.endswith("num_batches_tracked") and not name.startswith(tuple(optional)):
            raise UserError(f"{checkpoint.path}: tensor {name} has no place in the network")
    tensors = {name: value.to(own[name].dtype) for name, value in checkpoint.tensors.items() if name in own}
    network.load_state_dict(tensors, strict=False)
