"""Mask R-CNN inference in tensors of fixed shapes: nothing on its way asks the host how many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from streamseg.models.backbone import DETAIL
from streamseg.models.gpu.suppression import suppress
from streamseg.models.model import DetectOptions
from streamseg.models.proposals import Proposer

CANDIDATES = 2048
"""Most boxes of one image that compete in the last suppression; a crowd of 100 objects has about as many."""

MIN_BOX_SIDE = 1e-2
NOTHING = -1.0  # the score of an empty place
SCORE, LABEL, MASK = 4, 5, 6
"""Where they begin in the row of a place; its box comes first."""

Pool = Callable[[dict[str, torch.Tensor], list[torch.Tensor], list[tuple[int, int]]], torch.Tensor]
"""From feature maps, boxes [N, 4] per image and image sizes to [sum of N, C, size, size]."""


class FixedDetections(NamedTuple):
    """What is in B images, best first, in M places each.

    Attributes:
        found: float32 [B, M, 6 + S * S]: box (xyxy, pixels of the image), score, label, then the mask's probabilities;
            a score below 0 where the place is empty.
        complete: bool [B]; False where more boxes competed than fit, so that some of the last may be missing.
    """

    found: torch.Tensor
    complete: torch.Tensor


class FixedDetector:
    """The same answers as ``MaskRCNNDetector``, up to rounding, for images of one size.

    Every step keeps the most boxes there can be and marks those that are none, so that a CUDA graph can hold the whole
    way and the host waits for nothing but the result. Constants are made here and in the first call; later calls only
    compute.

    Args:
        rcnn: With RPN, box head and mask head.
        box_pool: Cuts regions for the box head.
        mask_pool: Cuts regions for the mask head.
        inner: Height and width of the images as the network sees them, without padding.
        outer: Height and width of the images themselves.
        options: What is wanted.
    """

    def __init__(
        self,
        rcnn: GeneralizedRCNN,
        box_pool: Pool,
        mask_pool: Pool,
        inner: tuple[int, int],
        outer: tuple[int, int],
        options: DetectOptions,
    ) -> None:
        self._rcnn = rcnn
        self._box_pool, self._mask_pool = box_pool, mask_pool
        self._anchors = Proposer(rcnn.rpn).anchors
        self._inner = inner
        self._options = options
        device = next(rcnn.parameters()).device
        classes = rcnn.roi_heads.box_predictor.cls_score.out_features - 1
        self._wanted = torch.zeros(classes, dtype=torch.bool, device=device)
        self._wanted[list(range(classes) if options.labels is None else options.labels)] = True
        height, width = (torch.tensor(float(to)) / float(of) for to, of in zip(outer, inner, strict=True))
        self._enlarge = torch.stack([width, height, width, height]).to(device)

    def __call__(self, batch: torch.Tensor) -> FixedDetections:
        """What is in the images of ``batch``, float [B, 3, h, w], normalised and padded."""
        features = self._rcnn.backbone(batch)
        proposals, valid = self._propose(batch, [level for name, level in features.items() if name != DETAIL])
        boxes, scores, labels, complete = self._select(features, proposals, valid)
        masks = self._masks(features, boxes, labels)
        places = [boxes * self._enlarge, scores[..., None], labels[..., None].float(), masks]
        return FixedDetections(torch.cat(places, -1), complete)

    def _propose(self, batch: torch.Tensor, levels: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Proposals float32 [B, P, 4] in pixels of the network's input, best first, and which are any: bool [B, P]."""
        rpn, images = self._rcnn.rpn, len(batch)
        objectness, deltas = rpn.head(levels)
        around = self._anchors(batch, levels)
        most = min(rpn.pre_nms_top_n(), max(len(anchors) for anchors in around))
        boxes, scores = [], []
        for ranking, moves, anchors in zip(objectness, deltas, around, strict=True):
            ranking = ranking.permute(0, 2, 3, 1).reshape(images, -1).float()
            top, index = ranking.topk(min(most, len(anchors)), dim=1)
            moves = moves.permute(0, 2, 3, 1).reshape(images, -1, 4)
            moves = moves.gather(1, index[..., None].expand(-1, -1, 4)).float()
            room = most - index.shape[1]
            boxes.append(F.pad(_decoded(rpn.box_coder, moves, anchors[index]), (0, 0, 0, room)))
            scores.append(F.pad(top.sigmoid(), (0, room), value=NOTHING))
        boxes_by_level, scores_by_level = self._clipped(torch.cat(boxes)), torch.cat(scores)
        sides = boxes_by_level[..., 2:] - boxes_by_level[..., :2]
        alive = (sides >= rpn.min_size).all(-1) & (scores_by_level >= max(rpn.score_thresh, 0.0))
        one_group = torch.zeros_like(alive, dtype=torch.int32)
        keep = suppress(boxes_by_level, one_group, alive, rpn.nms_thresh)
        # From levels first to images first.
        kept = torch.where(keep, scores_by_level, NOTHING).view(-1, images, most).transpose(0, 1).flatten(1)
        best, index = kept.topk(min(rpn.post_nms_top_n(), kept.shape[1]), dim=1)
        by_image = boxes_by_level.view(-1, images, most, 4).transpose(0, 1).flatten(1, 2)
        return by_image.gather(1, index[..., None].expand(-1, -1, 4)), best >= 0

    def _select(
        self, features: dict[str, torch.Tensor], proposals: torch.Tensor, valid: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Boxes [B, M, 4] in pixels of the network's input, scores [B, M], labels [B, M], and which are complete."""
        heads, options = self._rcnn.roi_heads, self._options
        images, count = valid.shape
        pooled = self._box_pool(features, list(proposals.unbind()), [self._inner] * images)
        logits, moves = (output.float() for output in heads.box_predictor(heads.box_head(pooled)))
        scores = logits.softmax(-1).view(images, count, -1)[..., 1:]
        classes = scores.shape[-1]
        good = (scores > options.score_threshold) & self._wanted & valid[..., None]
        scores = torch.where(good, scores, NOTHING).flatten(1)
        top, index = scores.topk(min(CANDIDATES, scores.shape[1]), dim=1)
        proposal, label = index // classes, index % classes
        rows = (proposal * (classes + 1) + label + 1)[..., None].expand(-1, -1, 4)
        moves = moves.view(images, -1, 4).gather(1, rows)
        around = proposals.gather(1, proposal[..., None].expand(-1, -1, 4))
        boxes = self._clipped(_decoded(heads.box_coder, moves, around))
        alive = (top >= 0) & (boxes[..., 2:] - boxes[..., :2] >= MIN_BOX_SIDE).all(-1)
        keep = suppress(boxes, label, alive, heads.nms_thresh)
        best, place = torch.where(keep, top, NOTHING).topk(min(options.max_detections, top.shape[1]), dim=1)
        complete = (good.flatten(1).sum(1) <= CANDIDATES) | (keep.sum(1) >= options.max_detections)
        return boxes.gather(1, place[..., None].expand(-1, -1, 4)), best, label.gather(1, place), complete

    def _masks(self, features: dict[str, torch.Tensor], boxes: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mask probabilities of the boxes, float32 [B, M, S * S]."""
        heads, images = self._rcnn.roi_heads, len(boxes)
        pooled = self._mask_pool(features, list(boxes.unbind()), [self._inner] * images)
        logits = heads.mask_predictor(heads.mask_head(pooled))
        rows = torch.arange(len(logits), device=logits.device)
        return logits[rows, labels.flatten() + 1].float().sigmoid().view(images, labels.shape[1], -1)

    def _clipped(self, boxes: torch.Tensor) -> torch.Tensor:
        height, width = self._inner
        x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
        return torch.stack([x, y], -1).flatten(-2)


def _decoded(coder: BoxCoder, moves: torch.Tensor, around: torch.Tensor) -> torch.Tensor:
    """``coder.decode_single`` for one box a row, [..., 4], without the constants that it sends to the device."""
    sides = around[..., 2:] - around[..., :2]
    middle = around[..., :2] + 0.5 * sides
    by_x, by_y, by_width, by_height = coder.weights
    middle = torch.stack([moves[..., 0] / by_x, moves[..., 1] / by_y], -1) * sides + middle
    grown = torch.stack([moves[..., 2] / by_width, moves[..., 3] / by_height], -1)
    half = 0.5 * (grown.clamp(max=coder.bbox_xform_clip).exp() * sides)
    return torch.cat([middle - half, middle + half], -1)
