"""The models that ``--model`` and ``--weights`` can name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from streamseg.errors import UserError

if TYPE_CHECKING:
    from streamseg.models.checkpoint import Checkpoint
    from streamseg.models.model import Model

STREET = "street"
GPU_DEFAULT = "maskrcnn_resnet50_fpn_v2"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of ``streamseg models``.

    Attributes:
        name: What ``--model`` takes.
        summary: What it is, in a few words.
        classes: What it finds, in a few words.
        parameters: Millions of weights.
        weights: Where its weights are: in the package, cached, or to be fetched.
    """

    name: str
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

    resnet = "ResNet-50 FPN Mask R-CNN of torchvision"
    return [
        ModelEntry(STREET, "small Mask R-CNN for two CPU cores", "person, vehicle, cycle", 5.8, "in the package"),
        ModelEntry("maskrcnn_resnet50_fpn", resnet, "80 COCO classes", 44.4, state("maskrcnn_resnet50_fpn")),
        ModelEntry(GPU_DEFAULT, f"{resnet}, second recipe", "80 COCO classes", 46.4, state(GPU_DEFAULT)),
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
        return _LOADERS[model](None, None, "as asked for")
    if not device.startswith("cuda"):
        return _LOADERS[STREET](None, None, "the embedded model suits a CPU")
    try:
        return _LOADERS[GPU_DEFAULT](None, None, "the most accurate one for a GPU")
    except UserError as error:
        return _LOADERS[STREET](None, None, f"embedded; {error}")


def _from_checkpoint(model: str | None, path: Path, class_names: Sequence[str] | None) -> Model:
    from streamseg.models.checkpoint import read_checkpoint
    from streamseg.models.fitting import architecture_of

    checkpoint = read_checkpoint(path)
    if model is None:
        return _LOADERS[architecture_of(checkpoint)](checkpoint, class_names, "read from the checkpoint's tensors")
    return _LOADERS[model](checkpoint, class_names, "as asked for")


def _load_street(checkpoint: Checkpoint | None, class_names: Sequence[str] | None, reason: str) -> Model:
    from streamseg.models.checkpoint import read_checkpoint
    from streamseg.models.detect import MaskRCNNDetector
    from streamseg.models.fitting import class_names_for, load_into
    from streamseg.models.folding import fold_norms
    from streamseg.models.model import Model
    from streamseg.models.street import StreetConfig, StreetMaskRCNN

    origin = "embedded weights" if checkpoint is None else str(checkpoint.path)
    if checkpoint is None:
        with resources.as_file(resources.files("streamseg.models") / "weights" / "street.safetensors") as path:
            checkpoint = read_checkpoint(path)
    names = class_names_for(checkpoint, class_names)
    try:
        config = StreetConfig.from_dict(checkpoint.metadata.get("config", {}))
    except (TypeError, AttributeError) as error:
        raise UserError(f"{checkpoint.path}: its `config` describes no street network ({error})") from error
    network = StreetMaskRCNN(config, len(names))
    load_into(network, checkpoint, optional=("semantic.",))
    fold_norms(network.eval())
    detector = MaskRCNNDetector(network).eval()
    return Model(STREET, detector, names, origin, reason, input_size=(config.short_side, config.long_side))


def _load_torchvision(
    name: str, checkpoint: Checkpoint | None, class_names: Sequence[str] | None, reason: str
) -> Model:
    from streamseg.models import torchvision_zoo
    from streamseg.models.checkpoint import Checkpoint
    from streamseg.models.detect import MaskRCNNDetector
    from streamseg.models.fitting import class_names_for, load_into
    from streamseg.models.model import Model

    coco = torchvision_zoo.coco_classes(name)
    origin = "COCO weights" if checkpoint is None else str(checkpoint.path)
    if checkpoint is None:
        checkpoint = Checkpoint(torchvision_zoo.cached_file(name), torchvision_zoo.coco_state(name), {})
    names = class_names_for(checkpoint, class_names, coco)
    network = torchvision_zoo.build(name, len(names))
    checkpoint = torchvision_zoo.modernised(checkpoint)
    torchvision_zoo.match_norms(network, checkpoint)
    load_into(network, checkpoint)
    return Model(name, MaskRCNNDetector(network).eval(), names, origin, reason)


def _torchvision_loader(name: str) -> Callable[[Checkpoint | None, Sequence[str] | None, str], Model]:
    return lambda checkpoint, class_names, reason: _load_torchvision(name, checkpoint, class_names, reason)


_LOADERS: dict[str, Callable[[Checkpoint | None, Sequence[str] | None, str], Model]] = {
    STREET: _load_street,
    "maskrcnn_resnet50_fpn": _torchvision_loader("maskrcnn_resnet50_fpn"),
    GPU_DEFAULT: _torchvision_loader(GPU_DEFAULT),
}
