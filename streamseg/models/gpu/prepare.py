"""From the bytes of pictures to a network's input, on the device and in fixed shapes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from streamseg.planes import Picture, Planes


class ToRGB:
    """Turns packed pictures of one kind and size into RGB.

    Args:
        like: A picture of the kind and size.
        device: Where the bytes are.
    """

    def __init__(self, like: Picture, device: torch.device) -> None:
        self._height, self._width = like.shape[:2]
        self._matrix: torch.Tensor | None = None
        if isinstance(like, Planes):
            self._matrix = torch.from_numpy(like.to_rgb_matrix()).float().to(device)

    def __call__(self, packed: torch.Tensor) -> torch.Tensor:
        """Maps uint8 [B, bytes] to whole numbers from 0 to 255, float32 [B, 3, H, W]."""
        images, height, width = len(packed), self._height, self._width
        if self._matrix is None:
            return packed.view(images, height, width, 3).permute(0, 3, 1, 2).float()
        y = packed[:, : height * width].reshape(images, 1, height, width).float()
        half = packed[:, height * width :].reshape(images, 2, -(-height // 2), -(-width // 2)).float()
        chroma = F.interpolate(half, (height, width), mode="bilinear", align_corners=False)
        by_y, by_u, by_v, origin = self._matrix.view(3, 4, 1, 1).unbind(1)
        rgb = y * by_y + chroma[:, :1] * by_u + chroma[:, 1:] * by_v + origin
        return rgb.round_().clamp_(0, 255)


class Prepare:
    """What a detector's transform makes of RGB pictures of one size: resized, normalised and padded.

    Args:
        transform: torchvision's, or one whose ``takes_bytes`` says that it averages pixels when it scales down.
        outer: Height and width of the pictures.
        device: Where they are.

    Attributes:
        inner: Height and width of the pictures in the network's input, without padding.
    """

    def __init__(self, transform: GeneralizedRCNNTransform, outer: tuple[int, int], device: torch.device) -> None:
        scale = min(transform.min_size[-1] / min(outer), transform.max_size / max(outer))
        self._averaged = bool(getattr(transform, "takes_bytes", False))
        rounded = round if self._averaged else math.floor
        height, width = (max(1, rounded(side * scale)) for side in outer)
        self.inner = (height, width)
        self._padding = [-side % transform.size_divisible for side in (width, height)]
        mean, deviation = torch.tensor(transform.image_mean), torch.tensor(transform.image_std)
        self._mean, self._deviation = (255 * values.view(3, 1, 1).to(device) for values in (mean, deviation))

    def __call__(self, rgb: torch.Tensor) -> torch.Tensor:
        """Maps float32 [B, 3, H, W], 0 to 255, to float32 [B, 3, h, w], channels last."""
        resized = F.interpolate(rgb, self.inner, mode="bilinear", align_corners=False, antialias=self._averaged)
        normal = resized.sub_(self._mean).div_(self._deviation)
        padded = F.pad(normal, (0, self._padding[0], 0, self._padding[1]))
        return padded.contiguous(memory_format=torch.channels_last)
