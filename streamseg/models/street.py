"""The ``street`` architecture: a Mask R-CNN of about 5 million parameters for two CPU cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign

from streamseg.models.backbone import SmallBackbone
from streamseg.models.partial_labels import PartialRegionProposalNetwork, PartialRoIHeads


@dataclass(frozen=True, slots=True)
class StreetConfig:
    """The shape of the network; stored with every checkpoint.

    Attributes:
        widths: Channels of the stem and of the stages at strides 4, 8, 16, 32.
        depths: Residual blocks in the stages at strides 4, 8, 16, 32.
        pyramid: Channels of each pyramid level.
        anchor_sizes: Anchor sides (square root of the area) per level of stride 8, 16, 32, 64; network pixels.
        anchor_ratios: Height over width of the anchors.
        box_features: Width of the box head.
        mask_channels: Channels of each convolution of the mask head.
        short_side: Shorter side of the network's input, pixels, unless the longer one would pass ``long_side``.
        long_side: Largest longer side of the network's input, pixels.
        proposals: Proposals that reach the box head when not training.
    """

    widths: tuple[int, ...] = (32, 48, 96, 192, 224)
    depths: tuple[int, ...] = (1, 1, 2, 2)
    pyramid: int = 96
    anchor_sizes: tuple[tuple[int, ...], ...] = ((13, 24), (40, 72), (120, 190), (300, 440))
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.2)
    box_features: int = 256
    mask_channels: tuple[int, ...] = (64, 64, 64)
    short_side: int = 384
    long_side: int = 640
    proposals: int = 150

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StreetConfig:
        """From a parsed TOML table or JSON object, lists for tuples.

        Raises:
            TypeError: A key is not an attribute.
        """

        def frozen(value: Any) -> Any:
            return tuple(frozen(item) for item in value) if isinstance(value, list) else value

        return cls(**{name: frozen(value) for name, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)


class StreetMaskRCNN(GeneralizedRCNN):
    """torchvision's Mask R-CNN around :class:`SmallBackbone`, with a semantic head that only training uses.

    The semantic head gives every pixel of the finest level a class. When training starts from nothing, this dense
    signal shapes the backbone long before the sparse losses of the heads do (as in Hybrid Task Cascade, Chen et al.
    2019, section 3.3).

    Args:
        config: The shape of the network.
        classes: Number of classes without background.
    """

    def __init__(self, config: StreetConfig, classes: int) -> None:
        backbone = SmallBackbone(config.widths, config.depths, config.pyramid)
        super().__init__(backbone, _rpn(config), _roi_heads(config, classes + 1), _transform(config))
        self.config = config
        self.semantic = nn.Conv2d(config.pyramid, classes + 1, 1)


def _rpn(config: StreetConfig) -> PartialRegionProposalNetwork:
    anchors = AnchorGenerator(config.anchor_sizes, (config.anchor_ratios,) * len(config.anchor_sizes))
    return PartialRegionProposalNetwork(
        anchors,
        RPNHead(config.pyramid, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.6,
        bg_iou_thresh=0.3,
        batch_size_per_image=192,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 800, "testing": 400},
        post_nms_top_n={"training": 400, "testing": config.proposals},
        nms_thresh=0.7,
    )


def _roi_heads(config: StreetConfig, classes: int) -> PartialRoIHeads:
    def pool(size: int) -> MultiScaleRoIAlign:
        return MultiScaleRoIAlign(["0", "1", "2"], size, sampling_ratio=2, canonical_scale=112)

    return PartialRoIHeads(
        box_roi_pool=pool(7),
        box_head=TwoMLPHead(config.pyramid * 7 * 7, config.box_features),
        box_predictor=FastRCNNPredictor(config.box_features, classes),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=96,
        positive_fraction=0.33,
        bbox_reg_weights=None,
        score_thresh=0.05,
        nms_thresh=0.5,
        detections_per_img=100,
        mask_roi_pool=pool(14),
        mask_head=MaskRCNNHeads(config.pyramid, config.mask_channels, 1),
        mask_predictor=MaskRCNNPredictor(config.mask_channels[-1], config.mask_channels[-1], classes),
    )


class StreetTransform(GeneralizedRCNNTransform):
    """torchvision's resize and padding, with antialiasing and on bytes.

    torchvision samples a 4K frame at every sixth pixel; the training pictures were averaged. Resizing before the
    conversion to float is also a quarter of the work.
    """

    takes_bytes = True

    def forward(
        self, images: Sequence[torch.Tensor], targets: None = None
    ) -> tuple[ImageList, list[dict[str, torch.Tensor]] | None]:
        """Maps uint8 images [3, H, W] to one float batch, normalised, padded to a multiple of 32."""
        resized = [self.normalize(self._resize_bytes(image).float() / 255) for image in images]
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in resized]
        return ImageList(self.batch_images(resized, self.size_divisible), sizes), targets

    def _resize_bytes(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[-2:]
        scale = min(self.min_size[0] / min(height, width), self.max_size / max(height, width))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        return F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]


def _transform(config: StreetConfig) -> StreetTransform:
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return StreetTransform(config.short_side, config.long_side, mean, deviation)
