"""The losses of one training step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList

from streamseg.models.street import StreetMaskRCNN
from streamseg.training.batches import Batch

SEMANTIC_STRIDE = 4


def compute_losses(network: GeneralizedRCNN, batch: Batch, device: torch.device) -> dict[str, torch.Tensor]:
    """The losses of Mask R-CNN (torchvision's five) and of the semantic head where there is one, scalars by name.

    The pictures are seen at the size that they have; the network's own resizing is left out.

    Args:
        network: Of :func:`streamseg.training.networks.build_network`, in training mode.
        batch: On the CPU.
        device: Where the network is.
    """
    images = network.transform.normalize(batch.images.to(device) / 255).contiguous(memory_format=torch.channels_last)
    targets = [{name: value.to(device) for name, value in target.items()} for target in batch.targets]
    sizes = [tuple(image.shape[-2:]) for image in images]

    features = network.backbone(images)
    proposals, rpn_losses = network.rpn(ImageList(images, sizes), features, targets)
    _, head_losses = network.roi_heads(features, proposals, sizes, targets)
    losses = {**rpn_losses, **head_losses}
    if not any(len(target["boxes"]) for target in targets):
        # Where nothing is to be found and nothing is certain to be background, torchvision's means are of no samples.
        losses = {name: loss.nan_to_num(nan=0.0) for name, loss in losses.items()}
    if isinstance(network, StreetMaskRCNN):
        logits = network.semantic(features["0"]).float()
        losses["loss_semantic"] = semantic_loss(logits, batch.pixels.to(device), batch.labelled.to(device))
    return {name: loss.float() for name, loss in losses.items()}


def semantic_loss(logits: torch.Tensor, pixels: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
    """Cross-entropy per pixel, in which "background" means "none of the labelled classes".

    Args:
        logits: [B, classes + 1, h, w], at a stride of 8 pixels.
        pixels: int64 [B, H, W], labels; -1 where not known.
        labelled: bool [B, classes + 1]; where a class was not looked for, its pixels lie in the background.
    """
    start = SEMANTIC_STRIDE // 2
    truth = pixels[:, start::SEMANTIC_STRIDE, start::SEMANTIC_STRIDE]
    logits = F.interpolate(logits, truth.shape[-2:], mode="bilinear")
    scores = logits.log_softmax(1)
    open_classes = ~labelled
    open_classes[:, 0] = True
    background = scores.masked_fill(~open_classes[:, :, None, None], -torch.inf).logsumexp(1, keepdim=True)
    known = (truth >= 0).sum().clamp(min=1)
    return F.nll_loss(torch.cat([background, scores[:, 1:]], 1), truth, ignore_index=-1, reduction="sum") / known
