"""The ``street`` architecture: a Mask R-CNN of about 5 million parameters for two CPU cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from streamseg.errors import UserError
from streamseg.models.backbone import DETAIL, SmallBackbone
from streamseg.models.checkpoint import Checkpoint
from streamseg.models.partial_labels import (
    FullPrecisionAnchors,
    FullPrecisionHead,
    PartialRegionProposalNetwork,
    PartialRoIHeads,
)
from streamseg.models.pooling import RowPool
from streamseg.models.scale import Scale
from streamseg.planes import Planes

LEVELS = ["0", "1", "2"]


@dataclass(frozen=True, slots=True)
class StreetConfig:
    """The shape of the network; stored with every checkpoint.

    Attributes:
        widths: Channels of the stem and of the stages at strides 4, 8, 16, 32.
        depths: Residual blocks in the stages at strides 4, 8, 16, 32.
        pyramid: Channels of each pyramid level.
        detail: Channels of the map of stride 4 that the mask head sees besides.
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
    detail: int = 32
    anchor_sizes: tuple[tuple[int, ...], ...] = ((10, 20), (36, 68), (120, 190), (300, 440))
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.2)
    box_features: int = 256
    mask_channels: tuple[int, ...] = (64, 64, 64)
    short_side: int = 384
    long_side: int = 608
    proposals: int = 100

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


def shape_of(checkpoint: Checkpoint, wanted: Mapping[str, Any] | None = None) -> StreetConfig:
    """The shape of the network that a checkpoint belongs to, as it says, with ``wanted`` laid over it.

    Raises:
        UserError: The checkpoint says something else.
    """
    try:
        return StreetConfig.from_dict({**checkpoint.metadata.get("config", {}), **(wanted or {})})
    except (TypeError, AttributeError) as error:
        raise UserError(f"{checkpoint.path}: its `config` describes no street network ({error})") from error


class DetailedPool(nn.Module):
    """Pools each region from its level of the pyramid and from the detail map.

    A person 20 pixels wide is two and a half cells of the finest level, too few to cut an outline from.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        # Masks are cut from finer levels than boxes: 224 pixels, not 112, are the size of the middle level.
        self.levels = RowPool(LEVELS, size, sampling_ratio=2, canonical_scale=224)
        self.detail = RowPool([DETAIL], size, sampling_ratio=2)

    def forward(
        self, features: dict[str, torch.Tensor], boxes: list[torch.Tensor], sizes: list[tuple[int, int]]
    ) -> torch.Tensor:
        """Maps features and boxes to [regions, pyramid + detail, size, size]."""
        return torch.cat([self.levels(features, boxes, sizes), self.detail(features, boxes, sizes)], 1)


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
        backbone = SmallBackbone(config.widths, config.depths, config.pyramid, config.detail)
        super().__init__(backbone, _rpn(config), _roi_heads(config, classes + 1), _transform(config))
        self.config = config
        self.semantic = nn.Conv2d(config.pyramid, classes + 1, 1)


def _rpn(config: StreetConfig) -> PartialRegionProposalNetwork:
    anchors = FullPrecisionAnchors(config.anchor_sizes, (config.anchor_ratios,) * len(config.anchor_sizes))
    return PartialRegionProposalNetwork(
        anchors,
        FullPrecisionHead(config.pyramid, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.6,
        bg_iou_thresh=0.3,
        batch_size_per_image=192,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 800, "testing": 150},
        post_nms_top_n={"training": 400, "testing": config.proposals},
        nms_thresh=0.7,
    )


def _roi_heads(config: StreetConfig, classes: int) -> PartialRoIHeads:
    return PartialRoIHeads(
        box_roi_pool=RowPool(LEVELS, 7, sampling_ratio=2, canonical_scale=112),
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
        mask_roi_pool=DetailedPool(14),
        mask_head=MaskRCNNHeads(config.pyramid + config.detail, config.mask_channels, 1),
        mask_predictor=MaskRCNNPredictor(config.mask_channels[-1], config.mask_channels[-1], classes),
    )


class StreetTransform(GeneralizedRCNNTransform):
    """torchvision's resize and padding, with antialiasing and on bytes or planes.

    torchvision samples a 4K frame at every sixth pixel; the training pictures were averaged. Resizing before the
    conversion to float is also a quarter of the work.

    Attributes:
        scale: Gives bytes in this scale instead of float32, on a CPU; None for float32.
    """

    takes_bytes = True
    scale: Scale | None = None

    def forward(
        self, images: Sequence[torch.Tensor | Planes], targets: None = None
    ) -> tuple[ImageList, list[dict[str, torch.Tensor]] | None]:
        """Maps planes or uint8 [3, H, W] to one batch, normalised, zero outside, padded to a multiple of 8."""
        resized = [self._resize_bytes(image) for image in images]
        sizes = [(int(image.shape[0]), int(image.shape[1])) for image in resized]
        height, width = (
            -(-max(sides) // self.size_divisible) * self.size_divisible for sides in zip(*sizes, strict=True)
        )
        shape = (len(images), height, width, 3)
        if self.scale is not None:
            batch = torch.full(shape, self.scale.zero, dtype=torch.uint8)
            for image, place, (rows, columns) in zip(resized, batch, sizes, strict=True):
                place[:rows, :columns] = torch.from_numpy(cv2.LUT(image.numpy(), self._bytes(self.scale)))
            return ImageList(batch.permute(0, 3, 1, 2), sizes), targets
        batch = torch.zeros(shape, device=resized[0].device)
        mean, deviation = (
            torch.tensor(values, device=batch.device) * 255 for values in (self.image_mean, self.image_std)
        )
        for image, place, (rows, columns) in zip(resized, batch, sizes, strict=True):
            # Rows of all three colours at once: torch is slow along a dimension of three.
            line = place.view(height, -1)[:rows, : 3 * columns]
            torch.sub(image.reshape(rows, -1), mean.repeat(columns), out=line).div_(deviation.repeat(columns))
        return ImageList(batch.permute(0, 3, 1, 2), sizes), targets

    @property
    def span(self) -> tuple[float, float]:
        """Least and greatest value of a normalised picture."""
        pairs = list(zip(self.image_mean, self.image_std, strict=True))
        return min(-mean / deviation for mean, deviation in pairs), max(
            (1 - mean) / deviation for mean, deviation in pairs
        )

    def _bytes(self, scale: Scale) -> np.ndarray:
        """For each level of each colour the byte of its normalised value, uint8 [1, 256, 3]."""
        levels = torch.arange(256)[:, None] / 255
        normalised = (levels - torch.tensor(self.image_mean)) / torch.tensor(self.image_std)
        return scale.to_bytes(normalised)[None].numpy()

    def _resize_bytes(self, image: torch.Tensor | Planes) -> torch.Tensor:
        """A picture at the network's size, uint8 or float32 RGB [h, w, 3]."""
        height, width = image.shape[-2:]
        scale = min(self.min_size[0] / min(height, width), self.max_size / max(height, width))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        if isinstance(image, Planes):
            return torch.from_numpy(_shrunk_planes(image, size, scale))
        if image.device.type == "cpu":
            return torch.from_numpy(_shrunk(image.permute(1, 2, 0).numpy(), size, scale))
        return _interpolated(image, size)


def _interpolated(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """An image [3, H, W] at another size (height, width) on its device, float32 [h, w, 3].

    In float32, since on GPUs torch has no antialiasing of bytes.
    """
    return F.interpolate(image[None].float(), size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)


def _shrunk(image: np.ndarray, size: tuple[int, int], scale: float) -> np.ndarray:
    """A picture [H, W, 3] at another size (height, width), each pixel the mean of those that it stands for.

    As the training pictures were resized, and in a fifth of the time that torch takes. OpenCV averages whole blocks of
    pixels ten times as fast as parts of them, so a much larger picture is brought near its size in blocks.
    """
    blocks = int(1 / scale)
    if blocks > 1:
        image = _resized(image, (max(1, image.shape[0] // blocks), max(1, image.shape[1] // blocks)))
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    return _resized(image, size)


def _shrunk_planes(planes: Planes, size: tuple[int, int], scale: float) -> np.ndarray:
    """The same of planes, uint8 RGB [h, w, 3]: only the few pixels that the network sees are ever converted."""
    blocks = max(1, int(1 / scale))
    near = (max(1, planes.height // blocks), max(1, planes.width // blocks)) if scale < 1 else size
    stacked = cv2.merge([_resized(plane, near) for plane in (planes.y, planes.u, planes.v)])
    small = cv2.resize(stacked, size[::-1], interpolation=cv2.INTER_LINEAR if blocks > 1 else cv2.INTER_AREA)
    return cv2.transform(small, planes.to_rgb_matrix())


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An array at another size (height, width): averaged where it gets smaller, interpolated where larger."""
    if image.shape[:2] == size:
        return image
    how = cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=how)


def _transform(config: StreetConfig) -> StreetTransform:
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    # The coarsest convolution has stride 32, but padding to its multiple would add 24 empty rows to 1280x720 frames.
    return StreetTransform(config.short_side, config.long_side, mean, deviation, size_divisible=8)
