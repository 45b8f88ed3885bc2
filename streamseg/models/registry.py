"""The models that ``--model`` and ``--weights`` can name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamseg.errors import UserError

if TYPE_CHECKING:
    from streamseg.models.checkpoint import Checkpoint
    from streamseg.models.model import Kind, Model

STREET = "street"
GPU_DEFAULT = "maskrcnn_resnet50_fpn_v2"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of ``streamseg models``.

    Attributes:
        name: What ``--model`` takes.
        kind: What it finds: ``"instances"`` (objects) or ``"regions"`` (the class of every pixel).
        summary: What it is, in a few words.
        classes: What it finds, in a few words.
        parameters: Millions of weights.
        weights: Where its weights are: in the package, cached, or to be fetched.
    """

    name: str
    kind: Kind
    summary: str
    classes: str
    parameters: float
    weights: str


def list_models() -> list[ModelEntry]:
    """Every model of the registry, with whether its weights are there already."""
    from streamseg.models import torchvision_zoo

    def state(name: str) -> str:
        file = torchvision_zoo.cached_file(name)
        return f"cached at {file}" if file.is_file() else "fetched on first use"

    def published(name: str, kind: Kind, summary: str, classes: str) -> ModelEntry:
        return ModelEntry(name, kind, summary, classes, torchvision_zoo.parameters(name), state(name))

    small, resnet = "small Mask R-CNN for two CPU cores", "ResNet-50 FPN Mask R-CNN of torchvision"
    return [
        ModelEntry(STREET, "instances", small, "person, vehicle, cycle", 5.8, "in the package"),
        published("maskrcnn_resnet50_fpn", "instances", resnet, "80 COCO classes"),
        published(GPU_DEFAULT, "instances", f"{resnet}, second recipe", "80 COCO classes"),
        published("fcn_resnet50", "regions", "ResNet-50 FCN of torchvision", "20 VOC classes"),
        published("deeplabv3_resnet50", "regions", "ResNet-50 DeepLabV3 of torchvision", "20 VOC classes"),
        published("lraspp_mobilenet_v3_large", "regions", "MobileNetV3 LR-ASPP of torchvision", "20 VOC classes"),
    ]


def load_model(
    model: str | None = None,
    weights: str | Path | None = None,
    class_names: Sequence[str] | None = None,
    device: str = "cpu",
) -> Model:
    """Loads a model by name, by checkpoint, or the best one for the device.

    Args:
        model: A name of the registry; None to let ``weights`` or the device decide.
        weights: A checkpoint file (``.safetensors`` or ``.pth``) in place of the model's own weights.
        class_names: One name per class of ``weights``, in place of those in the file.
        device: What it will run on, as torch names it; only decides the choice when nothing is named.

    Raises:
        UserError: Unknown name, unreadable or unfitting checkpoint, or weights that cannot be fetched.
    """
    if model is not None and model not in _LOADERS:
        raise UserError(f"no model {model!r}; known are {', '.join(_LOADERS)} (see `streamseg models`)")
    if weights is not None:
        return _from_checkpoint(model, Path(weights), class_names)
    if class_names:
        raise UserError("class names belong to a checkpoint; give --weights with --class-names")
    if model is not None:
        return _LOADERS[model](model, None, None, "as asked for")
    if not device.startswith("cuda"):
        return _load_street(STREET, None, None, "the embedded model suits a CPU")
    try:
        return _load_mask_rcnn(GPU_DEFAULT, None, None, "the most accurate one for a GPU")
    except UserError as error:
        return _load_street(STREET, None, None, f"embedded; {error}")


def _from_checkpoint(model: str | None, path: Path, class_names: Sequence[str] | None) -> Model:
    from streamseg.models.checkpoint import read_checkpoint
    from streamseg.models.fitting import architecture_of

    checkpoint = read_checkpoint(path)
    if model is None:
        name = architecture_of(checkpoint)
        return _LOADERS[name](name, checkpoint, class_names, "read from the checkpoint")
    return _LOADERS[model](model, checkpoint, class_names, "as asked for")


def _load_street(name: str, checkpoint: Checkpoint | None, class_names: Sequence[str] | None, reason: str) -> Model:
    from streamseg.models.checkpoint import embedded_street
    from streamseg.models.detect import MaskRCNNDetector
    from streamseg.models.fitting import class_names_for, load_into
    from streamseg.models.model import Model
    from streamseg.models.street import StreetMaskRCNN, shape_of

    origin = "embedded weights" if checkpoint is None else str(checkpoint.path)
    if checkpoint is None:
        checkpoint = embedded_street()
    names = class_names_for(checkpoint, name, class_names)
    config = shape_of(checkpoint)
    network = StreetMaskRCNN(config, len(names))
    load_into(network, checkpoint, optional=("semantic.",))
    detector = MaskRCNNDetector(network, checkpoint.metadata.get("ranges")).eval()
    size, neutral_score = (config.short_side, config.long_side), checkpoint.neutral_score
    return Model(name, detector, names, origin, reason, input_size=size, neutral_score=neutral_score)


def _load_mask_rcnn(name: str, checkpoint: Checkpoint | None, class_names: Sequence[str] | None, reason: str) -> Model:
    from streamseg.models import torchvision_zoo
    from streamseg.models.detect import MaskRCNNDetector
    from streamseg.models.fitting import class_names_for, load_into
    from streamseg.models.model import Model

    origin = "COCO weights" if checkpoint is None else str(checkpoint.path)
    checkpoint = checkpoint or torchvision_zoo.published(name)
    names = class_names_for(checkpoint, name, class_names, torchvision_zoo.coco_classes(name))
    network = torchvision_zoo.build(name, len(names))
    checkpoint = torchvision_zoo.modernised(checkpoint)
    torchvision_zoo.match_norms(network, checkpoint)
    load_into(network, checkpoint)
    detector = MaskRCNNDetector(network).eval()
    return Model(name, detector, names, origin, reason, neutral_score=checkpoint.neutral_score)


def _load_semantic(name: str, checkpoint: Checkpoint | None, class_names: Sequence[str] | None, reason: str) -> Model:
    from streamseg.models import torchvision_zoo
    from streamseg.models.fitting import class_names_for, load_into
    from streamseg.models.model import Model
    from streamseg.models.semantic import SemanticNetwork
    from streamseg.regions import MOST_CLASSES

    origin = "COCO weights" if checkpoint is None else str(checkpoint.path)
    checkpoint = checkpoint or torchvision_zoo.published(name)
    names = class_names_for(checkpoint, name, class_names, torchvision_zoo.coco_classes(name))
    if len(names) > MOST_CLASSES:
        raise UserError(f"{origin}: has {len(names)} classes; regions can have {MOST_CLASSES} at most")
    network = torchvision_zoo.build(name, len(names))
    load_into(network, checkpoint, optional=("aux_classifier.",))  # a second head that only training uses
    semantic = SemanticNetwork(network, torchvision_zoo.transforms(name)).eval()
    return Model(name, semantic, names, origin, reason, input_size=semantic.input_size)


_LOADERS: dict[str, Callable[[str, Checkpoint | None, Sequence[str] | None, str], Model]] = {
    STREET: _load_street,
    "maskrcnn_resnet50_fpn": _load_mask_rcnn,
    GPU_DEFAULT: _load_mask_rcnn,
    "fcn_resnet50": _load_semantic,
    "deeplabv3_resnet50": _load_semantic,
    "lraspp_mobilenet_v3_large": _load_semantic,
}
