"""torchvision's own Mask R-CNNs and semantic networks, with its COCO weights or anybody's."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torchvision.models import detection, segmentation
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from streamseg.errors import UserError
from streamseg.models.checkpoint import Checkpoint

# Names of torchvision before 0.13, which its published file and older checkpoints still have.
OLD_NAMES = (
    (re.compile(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$"), r"\1.0.\2"),
    (re.compile(r"^rpn\.head\.conv\.(weight|bias)$"), r"rpn.head.conv.0.0.\1"),
    (re.compile(r"^roi_heads\.mask_head\.mask_fcn(\d+)\.(weight|bias)$"), None),
)
# Nothing beside any variance; torch 2.10 refuses 0 itself.
NO_EPSILON = float(torch.finfo(torch.float32).tiny)
BUILDERS = {
    "maskrcnn_resnet50_fpn": (detection.maskrcnn_resnet50_fpn, detection.MaskRCNN_ResNet50_FPN_Weights.COCO_V1),
    "maskrcnn_resnet50_fpn_v2": (
        detection.maskrcnn_resnet50_fpn_v2,
        detection.MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
    ),
    "fcn_resnet50": (segmentation.fcn_resnet50, segmentation.FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1),
    "deeplabv3_resnet50": (
        segmentation.deeplabv3_resnet50,
        segmentation.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1,
    ),
    "lraspp_mobilenet_v3_large": (
        segmentation.lraspp_mobilenet_v3_large,
        segmentation.LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1,
    ),
}


def build(name: str, classes: int) -> Any:
    """The architecture ``name`` with random weights and ``classes`` classes besides background."""
    builder, _ = BUILDERS[name]
    return builder(weights=None, weights_backbone=None, num_classes=classes + 1)


def modernised(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint under the names that torchvision uses since 0.13."""

    def renamed(name: str) -> str:
        for pattern, new in OLD_NAMES:
            if match := pattern.match(name):
                # mask_fcn1 became block 0.
                return match.expand(new) if new else f"roi_heads.mask_head.{int(match[1]) - 1}.0.{match[2]}"
        return name

    return replace(checkpoint, tensors={renamed(name): tensor for name, tensor in checkpoint.tensors.items()})


def match_norms(network: GeneralizedRCNN, checkpoint: Checkpoint) -> None:
    """Gives the backbone's norms the epsilon that the weights were trained with.

    torchvision freezes the norms of ``maskrcnn_resnet50_fpn`` and sets their epsilon to 0 when its COCO weights are
    loaded; frozen norms leave no ``num_batches_tracked`` in a checkpoint. Anything else has torch's default.
    """
    frozen = not any(name.endswith("num_batches_tracked") for name in checkpoint.tensors)
    if not frozen:
        return
    for module in network.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = NO_EPSILON


def transforms(name: str) -> Any:
    """What the COCO weights expect to be done to an image; of the semantic networks a ``SemanticSegmentation``."""
    _, weights = BUILDERS[name]
    return weights.transforms()


def parameters(name: str) -> float:
    """Millions of weights in the file of COCO weights."""
    _, weights = BUILDERS[name]
    return weights.meta["num_params"] / 1e6


def coco_classes(name: str) -> tuple[str, ...]:
    """The names that the COCO weights come with; gaps in COCO's numbering are called ``N/A``."""
    _, weights = BUILDERS[name]
    return tuple(weights.meta["categories"][1:])


def cached_file(name: str) -> Path:
    """Where torchvision keeps, or would keep, the COCO weights."""
    _, weights = BUILDERS[name]
    return Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]


def published(name: str) -> Checkpoint:
    """The COCO weights, see :func:`coco_state`."""
    return Checkpoint(cached_file(name), coco_state(name), {})


def coco_state(name: str) -> dict[str, Any]:
    """The COCO weights: from the cache, else fetched with a progress bar, checked and cached.

    Raises:
        UserError: They are not cached and cannot be fetched, or what was fetched is damaged.
    """
    _, weights = BUILDERS[name]
    file = cached_file(name)
    try:
        # torch says "Downloading" on standard output, where records may be going; its progress bar is on the other.
        with contextlib.redirect_stdout(io.StringIO()):
            return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError) as error:
        reason = str(getattr(error, "reason", None) or error).splitlines()[0]
        if file.is_file():
            raise UserError(f"{file}: cannot be read ({reason}); delete it so that it is fetched again") from error
        raise UserError(
            f"cannot fetch the weights of {name} ({reason}); fetch {weights.url} elsewhere and put it at {file}, "
            "or use --model street, which needs no download"
        ) from error
