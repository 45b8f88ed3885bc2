"""Where a run starts: from trained weights as far as they fit, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from streamseg.errors import UserError
from streamseg.models import torchvision_zoo
from streamseg.models.checkpoint import Checkpoint, embedded_street, read_checkpoint
from streamseg.models.fitting import CLASS_TENSOR, architecture_of
from streamseg.models.registry import GPU_DEFAULT
from streamseg.models.street import StreetConfig, shape_of
from streamseg.training.config import COCO, MODELS, NOTHING, STREET, TrainConfig
from streamseg.training.networks import build_network, freeze, set_norm_epsilon

# Tensors with rows of classes, background first, and how many rows each class has.
CLASS_ROWS = {
    "roi_heads.box_predictor.cls_score.": 1,
    "roi_heads.box_predictor.bbox_pred.": 4,
    "roi_heads.mask_predictor.mask_fcn_logits.": 1,
    "semantic.": 1,
}


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A network before its first step.

    Attributes:
        model: Its architecture.
        network: With its weights, frozen in part.
        origin: Where the weights come from, and which start anew, in one line.
    """

    model: str
    network: GeneralizedRCNN
    origin: str


def choose_model(config: TrainConfig) -> tuple[str, Checkpoint | None]:
    """The architecture and the weights that a recipe asks for; None for random ones.

    Raises:
        UserError: The weights cannot be had, or belong to another architecture.
    """
    model = config.model
    if model is None and config.weights == COCO:
        model = GPU_DEFAULT
    weights = config.weights or (STREET if model in (None, STREET) else COCO)
    if weights == NOTHING:
        return model or STREET, None
    if weights == COCO:
        assert model is not None
        if model not in torchvision_zoo.BUILDERS:
            raise UserError(f"there are no coco weights of model {model}; start it from {STREET} or {NOTHING}")
        names = list(torchvision_zoo.coco_classes(model))
        checkpoint = replace(torchvision_zoo.published(model), metadata={"class_names": names})
    elif weights == STREET:
        checkpoint = embedded_street()
    else:
        checkpoint = read_checkpoint(Path(weights))
    found = architecture_of(checkpoint)
    if model is not None and found != model:
        raise UserError(f"{checkpoint.path}: weights of {found}, not of {model}; leave --model out or start elsewhere")
    if found not in MODELS:
        raise UserError(f"{checkpoint.path}: {found} cannot be trained here; train one of {', '.join(MODELS)}")
    return found, checkpoint if found == STREET else torchvision_zoo.modernised(checkpoint)


def prepare(config: TrainConfig, model: str, checkpoint: Checkpoint | None, class_names: Sequence[str]) -> Start:
    """The network of a recipe, ready for its first step.

    Args:
        config: The completed recipe.
        model: The architecture.
        checkpoint: The weights to start from; None for random ones.
        class_names: What is to be learnt.

    Raises:
        UserError: The weights do not fit, or hold values that are not finite.
    """
    wanted = config.street or {}
    street = shape_of(checkpoint, wanted) if checkpoint and model == STREET else StreetConfig.from_dict(wanted)
    try:
        network = build_network(model, len(class_names), street)
    except (ValueError, IndexError, RuntimeError) as error:
        raise UserError(f"[street] describes no network ({' '.join(str(error).split())[:160]})") from error
    layers = 5 if config.trainable_layers is None else config.trainable_layers
    freeze(network, layers, norms=checkpoint is not None)
    if checkpoint is None:
        return Start(model, network, "random weights")
    if model != STREET:
        torchvision_zoo.match_norms(network, checkpoint)
    kept = copy_weights(network, checkpoint, class_names)
    new = [name for name in network.state_dict() if name not in kept and not name.endswith("num_batches_tracked")]
    return Start(model, network, f"weights of {checkpoint.path}; {_anew(new, class_names, checkpoint)}")


def resumed_network(config: TrainConfig, class_names: Sequence[str], norm_epsilon: float | None) -> Start:
    """The network of a run that goes on, before its state is loaded.

    Args:
        config: The completed recipe of the run.
        class_names: What is learnt.
        norm_epsilon: Of a ResNet's norms; None for other networks.
    """
    assert config.model is not None and config.trainable_layers is not None
    network = build_network(config.model, len(class_names), StreetConfig.from_dict(config.street or {}))
    freeze(network, config.trainable_layers, norms=config.weights != NOTHING)
    if norm_epsilon is not None:
        set_norm_epsilon(network, norm_epsilon)
    return Start(config.model, network, "the weights of the run so far")


def copy_weights(network: GeneralizedRCNN, checkpoint: Checkpoint, class_names: Sequence[str]) -> set[str]:
    """Copies every tensor that fits; classes of the same name keep their rows in the heads.

    Returns:
        The names of the tensors that were copied whole.

    Raises:
        UserError: No tensor of the backbone fits, or one holds values that are not finite.
    """
    own = network.state_dict()
    rows = _same_rows(checkpoint, class_names)
    kept = set()
    for name, tensor in checkpoint.tensors.items():
        if name not in own:
            continue
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise UserError(f"{checkpoint.path}: tensor {name} holds values that are not finite; the file is damaged")
        each = next((count for prefix, count in CLASS_ROWS.items() if name.startswith(prefix)), 0)
        if each and own[name].shape[1:] == tensor.shape[1:]:
            for new, old in rows.items():
                own[name][new * each : (new + 1) * each] = tensor[old * each : (old + 1) * each]
            if len(rows) == len(class_names) + 1:
                kept.add(name)
        elif not each and own[name].shape == tensor.shape:
            own[name].copy_(tensor)
            kept.add(name)
    if not any(name.startswith("backbone.") and own[name].ndim > 1 for name in kept):
        raise UserError(f"{checkpoint.path}: no weight of its backbone fits this network; start from none")
    return kept


def _same_rows(checkpoint: Checkpoint, class_names: Sequence[str]) -> dict[int, int]:
    """For each row of the new heads the row of the old ones with the same class; background is row 0."""
    count = len(checkpoint.tensors[CLASS_TENSOR]) - 1 if CLASS_TENSOR in checkpoint.tensors else 0
    names = checkpoint.class_names
    if names is None:
        # Without names the only sign that the classes are the same is their number.
        names = tuple(class_names) if count == len(class_names) else ()
    places = {name: row for row, name in enumerate(names[:count], 1)}
    same = {row: places[name] for row, name in enumerate(class_names, 1) if name in places}
    return {0: 0, **same} if count else {}


def _anew(new: Sequence[str], class_names: Sequence[str], checkpoint: Checkpoint) -> str:
    if not new:
        return "all of them fit"
    known = [name for name in class_names if name in (checkpoint.class_names or ())]
    heads = f", but for the rows of {', '.join(known)}" if known else ""
    return f"{len(new)} tensors start anew{heads}: {', '.join(new[:4])}{', …' if len(new) > 4 else ''}"
