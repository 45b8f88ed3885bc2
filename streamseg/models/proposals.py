"""Proposals of a region proposal network, decoding only the anchors that can win."""

from __future__ import annotations

import torch
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import batched_nms, clip_boxes_to_image


class Proposer:
    """Runs torchvision's RPN on the levels of a pyramid.

    The same proposals as ``RegionProposalNetwork.forward``, which decodes every anchor before it picks the best of each
    level: on the finest level alone 20,000 for some hundred that are kept. Coordinates are float32 whatever the
    features are; in bfloat16, which autocast would hand on, those above 512 are multiples of 4 pixels.

    Args:
        rpn: In evaluation mode.
    """

    def __init__(self, rpn: RegionProposalNetwork) -> None:
        self.rpn = rpn
        self._last: tuple[object, list[torch.Tensor]] = (None, [])

    def __call__(self, batch: ImageList, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        """Boxes float32 [P, 4] of each image, xyxy in pixels of the network's input, best first."""
        rpn, images = self.rpn, len(batch.image_sizes)
        objectness, deltas = rpn.head(levels)
        anchors, offsets, scores, origin = [], [], [], []
        for number, around in enumerate(self.anchors(batch.tensors, levels)):
            ranking = objectness[number].permute(0, 2, 3, 1).reshape(images, -1).float()
            top, index = ranking.topk(min(rpn.pre_nms_top_n(), ranking.shape[1]), dim=1)
            moves = deltas[number].permute(0, 2, 3, 1).reshape(images, -1, 4)
            offsets.append(moves.gather(1, index[..., None].expand(-1, -1, 4)))
            anchors.append(around[index])
            scores.append(top)
            origin.append(torch.full_like(index, number))
        boxes = rpn.box_coder.decode_single(
            torch.cat(offsets, 1).float().view(-1, 4), torch.cat(anchors, 1).view(-1, 4)
        ).view(images, -1, 4)
        found = zip(boxes, torch.cat(scores, 1).sigmoid(), torch.cat(origin, 1), batch.image_sizes, strict=True)
        return [self._survivors(*of_image) for of_image in found]

    def _survivors(
        self, boxes: torch.Tensor, scores: torch.Tensor, origin: torch.Tensor, size: tuple[int, int]
    ) -> torch.Tensor:
        boxes = clip_boxes_to_image(boxes, size)
        sides = boxes[:, 2:] - boxes[:, :2]
        keep = (sides >= self.rpn.min_size).all(1) & (scores >= self.rpn.score_thresh)
        boxes, scores, origin = boxes[keep], scores[keep], origin[keep]
        return boxes[batched_nms(boxes, scores, origin, self.rpn.nms_thresh)[: self.rpn.post_nms_top_n()]]

    def anchors(self, batch: torch.Tensor, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        """The anchors of each level, float32 [A, 4]; kept, because one frame follows another of its size."""
        key = (batch.shape[-2:], levels[0].device)
        known, kept = self._last  # read once: another thread may be at a frame of another size
        if known != key:
            full = [level.new_empty((1, 1, *level.shape[-2:]), dtype=torch.float32) for level in levels]
            one = ImageList(batch[:1], [(int(batch.shape[-2]), int(batch.shape[-1]))])
            kinds = self.rpn.anchor_generator.num_anchors_per_location()
            counts = [level[0, 0].numel() * kind for level, kind in zip(full, kinds, strict=True)]
            kept = list(self.rpn.anchor_generator(one, full)[0].split(counts))
            self._last = (key, kept)
        return kept
