"""Draws the objects or regions of a frame on a copy of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.overlay import regions as region_ops
from streamseg.overlay.palette import SHADE, Colour, colour_of
from streamseg.overlay.text import Layout, Lettering
from streamseg.regions import Regions
from streamseg.result import Found

_WIDEST = 3.0  # widths of an object that its plate may take


@dataclass(frozen=True, slots=True)
class Painter:
    """Paints masks, outlines, boxes and labels; ``painter.paint`` is a ``streamseg.result.Paint``.

    Attributes:
        mask_opacity: How much of the colour lies over an object, 0 (none) to 1 (nothing shows through).
        show_outlines: Draw the border of each mask.
        show_boxes: Draw each box.
        show_labels: Write the class name.
        show_ids: Write the identity, where there is one.
        show_scores: Write the score, in per cent; of a region, how much of the frame it covers.

    Raises:
        ValueError: ``mask_opacity`` is not between 0 and 1.
    """

    mask_opacity: float = 0.45
    show_outlines: bool = True
    show_boxes: bool = False
    show_labels: bool = True
    show_ids: bool = True
    show_scores: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.mask_opacity <= 1:
            raise ValueError(f"mask_opacity is between 0 and 1, not {self.mask_opacity}")

    def paint(self, frame: Frame, found: Found) -> np.ndarray:
        """Draw ``found`` on a copy of ``frame``.

        Returns:
            uint8 [H, W, 3], RGB, C-contiguous; a new array, whatever the options.
        """
        image = frame.image.copy()
        line = max(1, round(frame.height / 540))
        if isinstance(found, Regions):
            self._paint_regions(image, found, line)
        else:
            self._paint_instances(image, found, line)
        return image

    def _paint_regions(self, image: np.ndarray, regions: Regions, line: int) -> None:
        region_ops.tint(image, regions, self.mask_opacity)
        if self.show_outlines:
            region_ops.outline(image, regions, line)
        region_ops.write(image, regions, self.show_labels, self.show_scores)

    def _paint_instances(self, image: np.ndarray, instances: Instances, line: int) -> None:
        """Masks, outlines and boxes, then the plates.

        Large objects come first, so that small ones in front of them stay visible; plates come last. Beyond the
        boxes (and the one cell around them that the torchvision rule adds), only the width of a line and the plates
        are touched.
        """
        height, width = image.shape[:2]
        boxes = instances.boxes
        order = np.argsort(-(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), kind="stable")
        colours = [colour_of(int(i), int(label)) for i, label in zip(instances.ids, instances.labels, strict=True)]
        for index in order:
            self._paint_shape(image, instances, int(index), colours[index], line)
        lettering, layout = Lettering.for_height(height), Layout(height, width)
        for index in order:
            text = self._text(instances, int(index), lettering)
            if text:
                corner = layout.place(boxes[index], lettering.plate(text))
                lettering.write(image, text, corner, colours[index])

    def _paint_shape(self, image: np.ndarray, instances: Instances, index: int, colour: Colour, line: int) -> None:
        height, width = image.shape[:2]
        if self.mask_opacity > 0 or self.show_outlines:
            patch = instances.pixels(index, height, width)
            if patch.pixels.any():
                inside = np.ascontiguousarray(patch.pixels).view(np.uint8)
                _tint(image[patch.slices], inside, colour, self.mask_opacity)
                if self.show_outlines:
                    _outline(image, inside, (patch.x, patch.y), colour, line)
        if self.show_boxes:
            x0, y0, x1, y1 = np.round(np.clip(instances.boxes[index], -height - width, 2 * (height + width))).tolist()
            corners = (int(x0), int(y0)), (int(x1) - 1, int(y1) - 1)
            cv2.rectangle(image, *corners, SHADE, line + 2)
            cv2.rectangle(image, *corners, colour, line)

    def _text(self, instances: Instances, index: int, lettering: Lettering) -> str:
        """What the plate of an object says, for example ``person #3 98%``.

        A plate much wider than its object hides others, so beside small objects the score goes first, then the class.
        """
        label, identity = int(instances.labels[index]), int(instances.ids[index])
        name = instances.class_names[label] if label < len(instances.class_names) else f"class {label}"
        words = []
        if self.show_ids and identity > 0:
            words.append(f"#{identity}")
        if self.show_labels:
            words.insert(0, name)
        if self.show_scores:
            words.append(f"{100 * float(instances.scores[index]):.0f}%")
        room = _WIDEST * float(instances.boxes[index, 2] - instances.boxes[index, 0])
        if self.show_scores and len(words) > 1 and lettering.plate(" ".join(words))[0] > room:
            words.pop()
        if self.show_labels and len(words) > 1 and lettering.plate(" ".join(words))[0] > room:
            words.pop(0)
        return " ".join(words)


def _tint(region: np.ndarray, inside: np.ndarray, colour: Colour, opacity: float) -> None:
    """Mix ``colour`` into ``region`` (uint8 [h, w, 3], changed in place) where ``inside`` (uint8 [h, w]) is not 0."""
    if opacity <= 0:
        return
    levels = np.arange(256)[:, None] * (1 - opacity) + np.array(colour) * opacity
    # A table of 256 mixtures per channel costs one look-up a value, and no arithmetic on the pixels.
    mixed = cv2.LUT(region, np.rint(levels).astype(np.uint8)[None])
    cv2.copyTo(mixed, inside, region)


def _outline(image: np.ndarray, inside: np.ndarray, corner: tuple[int, int], colour: Colour, line: int) -> None:
    borders, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=corner)
    cv2.drawContours(image, borders, -1, SHADE, line + 2, cv2.LINE_AA)
    cv2.drawContours(image, borders, -1, colour, line, cv2.LINE_AA)
