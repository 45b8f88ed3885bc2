"""Inference with torchvision's Mask R-CNN parts, without its full-frame masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from streamseg.models.backbone import DETAIL
from streamseg.models.folding import fold_norms
from streamseg.models.gpu.fixed import MIN_BOX_SIDE, FixedDetections, FixedDetector
from streamseg.models.gpu.kernels import kernel_trouble
from streamseg.models.gpu.prepare import Prepare, ToRGB
from streamseg.models.int8 import use_bytes
from streamseg.models.model import Detections, DetectOptions, Network
from streamseg.models.pooling import RowPool
from streamseg.models.proposals import Proposer
from streamseg.models.scale import Ranges
from streamseg.planes import Picture, Planes

_TOGETHER = 8


class MaskRCNNDetector(Network):
    """A ``GeneralizedRCNN`` that answers with masks in their boxes.

    The same answers as torchvision's own ``forward`` (``GeneralizedRCNN.forward``,
    ``RoIHeads.postprocess_detections``) up to rounding, but the wanted classes and the score threshold come before the
    suppression and the mask head, and nothing is pasted. Suppression works class by class from the best score down, so
    leaving out other classes and lower scores early does not change what remains.

    Args:
        rcnn: With RPN, box head and mask head; labels from 1, background 0.
        ranges: Of a street network's values, see :mod:`streamseg.models.int8`; None where they are not known.
    """

    def __init__(self, rcnn: GeneralizedRCNN, ranges: Ranges | None = None) -> None:
        super().__init__()
        self.rcnn = rcnn
        self.ranges = ranges
        self._propose = Proposer(rcnn.rpn)
        self._box_pool = RowPool.like(rcnn.roi_heads.box_roi_pool)
        self._mask_pool = RowPool.like(rcnn.roi_heads.mask_roi_pool)

    @property
    def takes_planes(self) -> bool:
        """See :class:`streamseg.models.model.Network`."""
        return bool(getattr(self.rcnn.transform, "takes_bytes", False))

    def detect(self, images: Sequence[torch.Tensor | Planes], options: DetectOptions) -> list[Detections]:
        """See :class:`streamseg.models.model.Network`."""
        rcnn = self.rcnn
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in images]
        given = (
            list(images) if self.takes_planes else [image.float() / 255 for image in cast("list[torch.Tensor]", images)]
        )
        batch, _ = rcnn.transform(given)
        tensors = batch.tensors.contiguous(memory_format=torch.channels_last)
        features = rcnn.backbone(tensors)
        proposals = self._propose(batch, [level for name, level in features.items() if name != DETAIL])
        found = self._boxes(features, proposals, batch.image_sizes, options)
        masks = self._masks(features, found, batch.image_sizes)
        return [
            Detections(resize_boxes(boxes, inner, outer), scores, labels - 1, mask)
            for (boxes, scores, labels), mask, inner, outer in zip(found, masks, batch.image_sizes, sizes, strict=True)
        ]

    @property
    def has_bytes(self) -> bool:
        """See :class:`streamseg.models.model.Network`."""
        return self.ranges is not None

    def fold(self) -> None:
        """See :class:`streamseg.models.model.Network`."""
        fold_norms(self.rcnn)

    def use_bytes(self) -> None:
        """See :class:`streamseg.models.model.Network`."""
        assert self.ranges is not None
        use_bytes(self.rcnn, self.ranges)

    def fixed(self, like: Picture, options: DetectOptions) -> Callable[[torch.Tensor], FixedDetections] | None:
        """See :class:`streamseg.models.model.Network`."""
        device = next(self.parameters()).device
        if device.type == "cuda" and kernel_trouble(device) is not None:
            return None
        outer = (int(like.shape[0]), int(like.shape[1]))
        to_rgb, prepare = ToRGB(like, device), Prepare(self.rcnn.transform, outer, device)
        detector = FixedDetector(self.rcnn, self._box_pool, self._mask_pool, prepare.inner, outer, options)
        return lambda packed: detector(prepare(to_rgb(packed)))

    def resize_input(self, short_side: int, long_side: int) -> None:
        """See :class:`streamseg.models.model.Network`."""
        self.rcnn.transform.min_size = (short_side,)
        self.rcnn.transform.max_size = long_side

    def _boxes(self, features, proposals, sizes, options):  # type: ignore[no-untyped-def]
        """Boxes, scores and labels of each image, in pixels of the network's input."""
        heads = self.rcnn.roi_heads
        count = sum(len(boxes_of_image) for boxes_of_image in proposals)
        pooled = heads.box_head(self._box_pool(features, _rounded_up(proposals), sizes))
        logits, regression = (output[:count].float() for output in heads.box_predictor(pooled))
        boxes = heads.box_coder.decode(regression, proposals)
        scores = logits.softmax(-1)
        counts = [len(boxes_of_image) for boxes_of_image in proposals]
        return [
            _select(boxes_of_image, scores_of_image, size, heads.nms_thresh, options)
            for boxes_of_image, scores_of_image, size in zip(
                boxes.split(counts), scores.split(counts), sizes, strict=True
            )
        ]

    def _masks(self, features, found, sizes):  # type: ignore[no-untyped-def]
        """Mask probabilities of each image's boxes, float32 [N, M, M]."""
        heads = self.rcnn.roi_heads
        counts = [len(labels) for _, _, labels in found]
        if not sum(counts):
            return [features["0"].new_zeros((0, 28, 28), dtype=torch.float32) for _ in found]
        boxes = _rounded_up([boxes for boxes, _, _ in found])
        logits = heads.mask_predictor(heads.mask_head(self._mask_pool(features, boxes, sizes)))
        labels = torch.cat([labels for _, _, labels in found])
        chosen = logits[torch.arange(len(labels), device=labels.device), labels]
        # Image by image: torch computes the last few numbers of an array otherwise than the rest.
        return [of_image.float().sigmoid() for of_image in chosen.split(counts)]


def _rounded_up(boxes: list[torch.Tensor]) -> list[torch.Tensor]:
    """The boxes of each image, and some empty ones, so that all together are a multiple of a small number.

    oneDNN keeps code and memory for every shape that it has met, so there may not be too many of them.
    """
    spare = -sum(len(boxes_of_image) for boxes_of_image in boxes) % _TOGETHER
    return [*boxes[:-1], torch.cat([boxes[-1], boxes[-1].new_zeros((spare, 4))])]


def _select(
    boxes: torch.Tensor, scores: torch.Tensor, size: tuple[int, int], nms_threshold: float, options: DetectOptions
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The wanted objects of one image from boxes [P, C, 4] and scores [P, C], background first."""
    classes = scores.shape[1]
    wanted = torch.zeros(classes, dtype=torch.bool, device=scores.device)
    wanted[[label + 1 for label in (range(classes - 1) if options.labels is None else options.labels)]] = True
    proposal, label = ((scores > options.score_threshold) & wanted).nonzero(as_tuple=True)
    boxes, scores = clip_boxes_to_image(boxes[proposal, label], size), scores[proposal, label]
    keep = remove_small_boxes(boxes, MIN_BOX_SIDE)
    boxes, scores, label = boxes[keep], scores[keep], label[keep]
    keep = batched_nms(boxes, scores, label, nms_threshold)[: options.max_detections]
    return boxes[keep], scores[keep], label[keep]
