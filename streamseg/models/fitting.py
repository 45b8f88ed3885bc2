"""Checkpoints into networks: which architecture it is, how many classes, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from streamseg.errors import UserError
from streamseg.models.checkpoint import Checkpoint

CLASS_TENSOR = "roi_heads.box_predictor.cls_score.weight"
# Tensors that together only this architecture has.
MARKS = {
    "street": {"backbone.stem.0.weight"},
    "maskrcnn_resnet50_fpn_v2": {"backbone.body.conv1.weight", "roi_heads.box_head.5.weight"},
    "maskrcnn_resnet50_fpn": {"backbone.body.conv1.weight", "roi_heads.box_head.fc6.weight"},
}


def architecture_of(checkpoint: Checkpoint) -> str:
    """The registry's name of the architecture that the weights belong to.

    Raises:
        UserError: None of them.
    """
    for name, marks in MARKS.items():
        if marks <= checkpoint.tensors.keys():
            return name
    first = next(iter(checkpoint.tensors), "nothing")
    known = ", ".join(MARKS)
    raise UserError(f"{checkpoint.path}: not the weights of a known model (first tensor {first}); known are {known}")


def class_count_of(checkpoint: Checkpoint) -> int:
    """Number of classes without background, read from the classifier's rows.

    Raises:
        UserError: There is no classifier.
    """
    tensor = checkpoint.tensors.get(CLASS_TENSOR)
    if tensor is None or tensor.ndim != 2 or len(tensor) < 2:
        raise UserError(f"{checkpoint.path}: tensor {CLASS_TENSOR} is missing or has no classes; is this a Mask R-CNN?")
    return len(tensor) - 1


def class_names_for(checkpoint: Checkpoint, given: Sequence[str] | None, coco: Sequence[str] = ()) -> tuple[str, ...]:
    """Class names: those given, else those in the file, else COCO's where the count is COCO's, else numbers.

    Raises:
        UserError: The number of names is not the number of classes.
    """
    count = class_count_of(checkpoint)
    names = tuple(given) if given else checkpoint.class_names
    if names is None:
        return tuple(coco) if len(coco) == count else tuple(f"class {label}" for label in range(1, count + 1))
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
