"""Mask R-CNN parts that neither punish nor reward what the annotators left open.

Training targets may carry, besides torchvision's ``boxes``, ``labels`` and ``masks``:

- ``ignore_boxes`` float [K, 4]: regions that are neither object nor background (crowds, unlabelled objects);
- ``complete`` bool: False where objects of some class may be visible without a label. Such an image teaches what its
  labelled objects look like, but not what background looks like.
"""

from __future__ import annotations

import math

import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import box_area

from streamseg.models.backbone import DETAIL

IGNORED = -1
COVERED = 0.6


def open_background(boxes: torch.Tensor, target: dict[str, torch.Tensor]) -> torch.Tensor:
    """Which of ``boxes`` [N, 4] may not be called background, bool [N]: mostly inside an ignored region, or all."""
    if not bool(target.get("complete", True)):
        return torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    regions = target.get("ignore_boxes")
    if regions is None or not len(regions):
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    top_left = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    overlap = (bottom_right - top_left).clamp(min=0).prod(dim=2)
    return (overlap / box_area(boxes).clamp(min=1e-6)[:, None] > COVERED).any(dim=1)


class PartialRegionProposalNetwork(RegionProposalNetwork):
    """torchvision's RPN, whose background anchors are ignored where the truth is open.

    It sees the levels of the pyramid only, and works in float32 from the head's answers on: in bfloat16, which autocast
    would hand on, coordinates above 512 are multiples of 4 pixels.
    """

    def forward(
        self,
        images: ImageList,
        features: dict[str, torch.Tensor],
        targets: list[dict[str, torch.Tensor]] | None = None,
    ) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        """As in torchvision: proposals [P, 4] per image, and the losses when training."""
        pyramid = {name: level for name, level in features.items() if name != DETAIL}
        return super().forward(images, pyramid, targets)

    def assign_targets_to_anchors(
        self, anchors: list[torch.Tensor], targets: list[dict[str, torch.Tensor]]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """As in torchvision: labels float [A] (1 object, 0 background, -1 ignored) and matched boxes [A, 4]."""
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        for label, boxes, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & open_background(boxes, target)] = IGNORED
        return labels, matched


class FullPrecisionHead(RPNHead):
    """torchvision's RPN head, answering in float32."""

    def forward(self, x: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """As in torchvision: objectness [B, A, H, W] and box deltas [B, 4A, H, W] per level."""
        objectness, deltas = super().forward(x)
        return [level.float() for level in objectness], [level.float() for level in deltas]


class FullPrecisionAnchors(AnchorGenerator):
    """torchvision's anchors, in float32 and on their cells whatever the features' precision and size.

    torchvision takes the size of the input over that of a level, rounded down, for the level's stride: 15, not 16,
    where the last row is half empty.
    """

    def forward(self, image_list: ImageList, feature_maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """As in torchvision: anchors [A, 4] per image."""
        device, size = feature_maps[0].device, image_list.tensors.shape[-2:]
        grids = [list(level.shape[-2:]) for level in feature_maps]
        strides = [
            [
                torch.tensor(2 ** math.ceil(math.log2(side / cells)), device=device)
                for side, cells in zip(size, grid, strict=True)
            ]
            for grid in grids
        ]
        self.set_cell_anchors(torch.float32, device)
        anchors = torch.cat(self.grid_anchors(grids, strides))
        return [anchors] * len(image_list.image_sizes)


class PartialRoIHeads(RoIHeads):
    """torchvision's RoI heads, whose background proposals are ignored where the truth is open."""

    def select_training_samples(self, proposals, targets):  # type: ignore[no-untyped-def]
        """As in torchvision, with open background left out of the sample."""
        self.check_targets(targets)
        truth_boxes = [target["boxes"].to(proposals[0].dtype) for target in targets]
        truth_labels = [target["labels"] for target in targets]
        proposals = self.add_gt_proposals(proposals, truth_boxes)
        matched, labels = self.assign_targets_to_proposals(proposals, truth_boxes, truth_labels)
        for label, boxes, target in zip(labels, proposals, targets, strict=True):
            label[(label == 0) & open_background(boxes, target)] = IGNORED
        nearest = []
        for image, chosen in enumerate(self.subsample(labels)):
            proposals[image] = proposals[image][chosen]
            labels[image] = labels[image][chosen]
            matched[image] = matched[image][chosen]
            boxes = truth_boxes[image] if len(truth_boxes[image]) else proposals[image].new_zeros((1, 4))
            nearest.append(boxes[matched[image]])
        regression = self.box_coder.encode(nearest, proposals)
        return proposals, matched, labels, regression
