"""The networks that can be trained: made, frozen in part, and written so that ``--weights`` takes them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from streamseg.models import torchvision_zoo
from streamseg.models.checkpoint import write_checkpoint
from streamseg.models.partial_labels import (
    FullPrecisionAnchors,
    FullPrecisionHead,
    PartialRegionProposalNetwork,
    PartialRoIHeads,
)
from streamseg.models.ranges import measure
from streamseg.models.street import StreetConfig, StreetMaskRCNN
from streamseg.sinks.staging import cannot_write
from streamseg.training.coco import CocoData
from streamseg.training.config import STREET

_WATCHED = 32  # most pictures of a data set on which the ranges of values are measured

# The backbone's layers from the last to the first, as torchvision counts what is trainable.
STREET_LAYERS = ("stages.3.", "stages.2.", "stages.1.", "stages.0.", "stem.")
RESNET_LAYERS = ("body.layer4.", "body.layer3.", "body.layer2.", "body.layer1.", "body.conv1.")
RESNET_STEM_NORM = "body.bn1."


def build_network(model: str, classes: int, street: StreetConfig) -> GeneralizedRCNN:
    """A network with random weights that learns from partial labels.

    Args:
        model: The registry's name of the architecture.
        classes: Number of classes without background.
        street: The shape of the ``street`` network.
    """
    if model == STREET:
        return StreetMaskRCNN(street, classes)
    network = torchvision_zoo.build(model, classes)
    # These classes add methods to torchvision's and no state, so an object of the one can become one of the other.
    network.rpn.__class__ = PartialRegionProposalNetwork
    network.rpn.head.__class__ = FullPrecisionHead
    network.rpn.anchor_generator.__class__ = FullPrecisionAnchors
    network.roi_heads.__class__ = PartialRoIHeads
    return network


def freeze(network: GeneralizedRCNN, trainable_layers: int, norms: bool) -> None:
    """Takes layers of the backbone out of training.

    Args:
        network: Of ``build_network``.
        trainable_layers: How many of the backbone's five layers learn, from the last.
        norms: Also freeze the batch norms of a ResNet, as torchvision does where it starts from trained weights: the
            few pictures of a batch say too little about the data.
    """
    street = isinstance(network, StreetMaskRCNN)
    layers = (STREET_LAYERS if street else RESNET_LAYERS)[:trainable_layers]
    if not street and trainable_layers == len(RESNET_LAYERS):
        layers += (RESNET_STEM_NORM,)
    body = ("stages.", "stem.") if street else ("body.",)
    for name, module in network.backbone.named_modules():
        if not name.startswith(tuple(prefix.rstrip(".") for prefix in body)):
            continue
        learns = f"{name}.".startswith(layers)
        if norms and not street and isinstance(module, nn.BatchNorm2d):
            learns = False
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(learns)


def norm_epsilon(network: GeneralizedRCNN) -> float | None:
    """What a ResNet's norms add to variances; None for other backbones."""
    return None if isinstance(network, StreetMaskRCNN) else float(network.backbone.body.bn1.eps)


def set_norm_epsilon(network: GeneralizedRCNN, epsilon: float) -> None:
    """Gives it to the norms of the backbone, as :func:`streamseg.models.torchvision_zoo.match_norms` does."""
    for module in network.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = epsilon


def train_mode(network: nn.Module) -> None:
    """Puts the network in training mode, in which frozen norms keep using their stored statistics."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


def value_ranges(network: GeneralizedRCNN, data: Sequence[CocoData]) -> dict[str, tuple[float, float]] | None:
    """What a street network needs to work in 8-bit integers; None for others, and for one that finds nothing yet.

    Args:
        network: Of ``build_network``; not changed.
        data: What it was trained on; some dozen pictures of each are looked at.
    """
    if not isinstance(network, StreetMaskRCNN):
        return None
    copied = copy.deepcopy(network).cpu().float().eval()
    return measure(copied, (each.image(i) for each in data for i in range(0, len(each), -(-len(each) // _WATCHED))))


def write_network(path: Path, network: GeneralizedRCNN, model: str, class_names: Sequence[str], told: Any) -> None:
    """Writes a checkpoint that ``--weights`` takes, whole or not at all.

    Filters and matrices are stored as float16; norms and biases are few and may not fit into it.

    Args:
        path: The ``.safetensors`` file.
        network: What to write.
        model: Its architecture.
        class_names: Its classes.
        told: What else the file says of itself, JSON values by name.

    Raises:
        UserError: The file cannot be written.
    """
    tensors = {
        name: tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        for name, tensor in network.state_dict().items()
    }
    metadata: dict[str, Any] = {"architecture": model, "class_names": list(class_names), **told}
    if isinstance(network, StreetMaskRCNN):
        metadata["config"] = network.config.to_dict()
    elif norm_epsilon(network) == torchvision_zoo.NO_EPSILON:
        # Without batch counts `torchvision_zoo.match_norms` knows that the norms have the COCO weights' epsilon.
        tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    try:
        write_checkpoint(path, tensors, metadata, half=False)
    except OSError as error:
        raise cannot_write(path, error, "a checkpoint before it stays whole; ") from error
