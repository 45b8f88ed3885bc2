"""The obvious loop: what one writes first, with OpenCV and torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import MultiScaleRoIAlign

from streamseg.benchmark.machine import device_peak, peak_resident
from streamseg.benchmark.peers import drawn
from streamseg.benchmark.timing import Stopwatch, Timing
from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.models.pooling import RowPool
from streamseg.models.torchvision_zoo import transforms
from streamseg.segmenter import PRECISIONS, choose_device
from streamseg.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Drawable:
    """What torchvision's network found in a picture, as its drawing functions take it.

    Attributes:
        masks: bool [N, H, W].
        boxes: float32 [N, 4], xyxy, pixels; None of regions.
        words: One label per mask.
    """

    masks: torch.Tensor
    boxes: torch.Tensor | None
    words: list[str]


class ObviousLoop:
    """Reads a frame, runs torchvision's own forward in float32 on it alone, draws, and writes; then the next.

    The weights are the pipeline's, the parts torchvision's: norms are not folded, regions are pooled by its RoIAlign.
    On a GPU the network and the masks are there, too.

    Args:
        settings: Model, device, input size and score threshold.
        folder: Where its video is written.

    Raises:
        UserError: The model or the device is not to be had.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.device = choose_device(settings.device)
        model = load_model(settings.model, settings.weights, settings.class_names or None, str(self.device))
        if settings.input_size is not None:
            short, long = model.input_size
            model.network.resize_input(settings.input_size, round(long * settings.input_size / short))
        self._finish = torch.cuda.synchronize if self.device.type == "cuda" else lambda: None
        self._kind = model.kind
        self._names = model.class_names
        self._threshold = settings.score_threshold
        self._folder = folder
        network: Any = model.network.to(self.device)
        if self._kind == "instances":
            self._network = network.rcnn
            for module in network.modules():
                if isinstance(module, RowPool):  # adds methods to torchvision's and no state
                    module.__class__ = MultiScaleRoIAlign
        else:
            self._network = network.network
            self._transforms = transforms(model.name)
            self._transforms.resize_size = [network.input_size[0]]

    def run(self, clip: Path, frames: int) -> Timing:
        """Process the first frames of a clip.

        Raises:
            UserError: OpenCV cannot read so many frames, or cannot write videos.
        """
        watch = Stopwatch(self._finish)
        capture = cv2.VideoCapture(str(clip))
        writer = cv2.VideoWriter()
        for number in range(frames):
            with watch.lap():
                found, frame = capture.read()
                if not found:
                    raise UserError(f"{clip}: OpenCV reads only {number} frames of it; leave the loop out with --parts")
                if not writer.isOpened():
                    self._open(writer, capture.get(cv2.CAP_PROP_FPS), frame)
                image = torch.from_numpy(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).permute(2, 0, 1).to(self.device)
                seen = self.find(image)
                picture = drawn(image, seen.masks, seen.boxes, seen.words)
                writer.write(cv2.cvtColor(picture.permute(1, 2, 0).cpu().numpy(), cv2.COLOR_RGB2BGR))
        capture.release()
        writer.release()
        return watch.stop()

    def forward(self, clip: Path, batches: int, batch_size: int, number_format: str) -> Timing:
        """The forward alone, as fast as torchvision has it: batches of frames that are on the device, under autocast.

        Of objects it ends with their masks in their boxes; nothing is pasted.
        """
        capture = cv2.VideoCapture(str(clip))
        frames = [capture.read()[1] for _ in range(batch_size)]
        capture.release()
        images = [torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1).to(self.device) for frame in frames]
        kind = PRECISIONS[number_format]
        forward = self._masks_in_boxes if self._kind == "instances" else self._logits
        autocast = torch.autocast(self.device.type, kind, enabled=kind != torch.float32)
        with torch.inference_mode(), autocast:
            forward(images)
            watch = Stopwatch(self._finish)
            for _ in range(batches):
                with watch.lap(batch_size):
                    forward(images)
            return watch.stop()

    def _open(self, writer: cv2.VideoWriter, rate: float, frame: np.ndarray) -> None:
        path, code = str(self._folder / "loop.mp4"), cv2.VideoWriter.fourcc(*"mp4v")
        if not writer.open(path, code, rate or 30.0, (frame.shape[1], frame.shape[0])):
            raise UserError("this OpenCV cannot write MP4; leave the loop out with --parts")

    def memory(self) -> dict[str, float | None]:
        """The most that the process and its device have held, GB."""
        return {"process_gb": peak_resident(), "device_gb": device_peak(self.device)}

    @torch.inference_mode()
    def find(self, image: torch.Tensor) -> Drawable:
        """What is in a picture, uint8 [3, H, W] RGB on the loop's device."""
        return self._objects(image) if self._kind == "instances" else self._regions(image)

    def _objects(self, image: torch.Tensor) -> Drawable:
        answer = self._network(self._given([image]))[0]
        keep = answer["scores"] > self._threshold
        words = [
            f"{self._names[label - 1]} {100 * score:.0f}%"
            for label, score in zip(answer["labels"][keep].tolist(), answer["scores"][keep].tolist(), strict=True)
        ]
        return Drawable(answer["masks"][keep, 0] > 0.5, answer["boxes"][keep], words)

    def _given(self, images: list[torch.Tensor]) -> list[torch.Tensor]:
        takes_bytes = getattr(self._network.transform, "takes_bytes", False)
        return images if takes_bytes else [image / 255 for image in images]

    def _masks_in_boxes(self, images: list[torch.Tensor]) -> Any:
        """``GeneralizedRCNN.forward`` up to its pasting."""
        network = self._network
        batch, _ = network.transform(self._given(images))
        features = network.backbone(batch.tensors)
        proposals, _ = network.rpn(batch, features)
        return network.roi_heads(features, proposals, batch.image_sizes)

    def _logits(self, images: list[torch.Tensor]) -> torch.Tensor:
        return self._network(torch.stack([self._transforms(image) for image in images]))["out"]

    def _regions(self, image: torch.Tensor) -> Drawable:
        logits = self._logits([image])
        labels = F.interpolate(logits, image.shape[-2:], mode="bilinear", align_corners=False)[0].argmax(0)
        shown = labels.unique()
        shown = shown[shown > 0]
        return Drawable(labels == shown[:, None, None], None, [self._names[label - 1] for label in shown.tolist()])
