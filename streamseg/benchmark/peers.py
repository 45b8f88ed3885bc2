"""How others draw objects: torchvision, and supervision where it is installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from streamseg.instances import Instances


def drawn(picture: torch.Tensor, masks: torch.Tensor, boxes: torch.Tensor | None, words: Sequence[str]) -> torch.Tensor:
    """Objects, or without boxes regions, drawn by torchvision on uint8 [3, H, W]; masks are bool [N, H, W]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is nothing to draw
        picture = draw_segmentation_masks(picture, masks, alpha=0.5)
        return picture if boxes is None else draw_bounding_boxes(picture, boxes, list(words), width=2)


def torchvision_way(picture: np.ndarray, found: Instances) -> Callable[[], torch.Tensor]:
    """Pastes the masks of ``found`` into the whole picture, and draws them."""
    image = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
    boxes, masks = torch.from_numpy(found.boxes), torch.from_numpy(found.masks)[:, None]
    words = _words(found)

    def draw() -> torch.Tensor:
        pasted = paste_masks_in_image(masks, boxes, (image.shape[1], image.shape[2]))
        return drawn(image, pasted[:, 0] > 0.5, boxes, words)

    return draw


def supervision_way(picture: np.ndarray, found: Instances) -> Callable[[], np.ndarray] | None:
    """Draws ``found``, pasted before, with supervision's annotators; None where it is not installed."""
    try:
        import supervision
    except ImportError:
        return None
    detections = supervision.Detections(
        xyxy=found.boxes,
        mask=found.to_masks(*picture.shape[:2]),
        confidence=found.scores,
        class_id=found.labels,
    )
    fill, outline = supervision.MaskAnnotator(), supervision.PolygonAnnotator()
    label = supervision.LabelAnnotator()
    words = _words(found)

    def draw() -> np.ndarray:
        scene: Any = fill.annotate(picture.copy(), detections)
        scene = outline.annotate(scene, detections)
        return label.annotate(scene, detections, labels=words)

    return draw


def _words(found: Instances) -> list[str]:
    labelled = zip(found.names, found.ids, found.scores, strict=True)
    return [f"{name} #{identity} {100 * score:.0f}%" for name, identity, score in labelled]
