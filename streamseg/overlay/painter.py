"""Draws the objects or regions of a frame on a copy of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.masks import Patch
from streamseg.overlay import regions as region_ops
from streamseg.overlay.canvas import Canvas
from streamseg.overlay.palette import SHADE, Colour, colour_of
from streamseg.overlay.text import Layout, Lettering
from streamseg.planes import Picture
from streamseg.regions import Regions
from streamseg.result import Found

_WIDEST = 3.0  # widths of an object that its plate may take


@dataclass(frozen=True, slots=True)
class Painter:
    """Paints masks, outlines, boxes, labels, and trails if there are any; ``painter.paint`` is a ``Paint``.

    Attributes:
        mask_opacity: How much of the colour lies over an object, 0 (none) to 1 (nothing shows through); objects of
            which only boxes are known get none.
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

    def paint(self, frame: Frame, found: Found) -> Picture:
        """Draw ``found`` on a copy of the frame's pixels.

        Returns:
            Of the kind of ``frame.pixels``: planes, or uint8 [H, W, 3] RGB; new arrays, whatever the options.
        """
        canvas = Canvas(frame.pixels)
        line = line_for(frame.height)
        if isinstance(found, Regions):
            self._paint_regions(canvas, found, line)
        else:
            self._paint_instances(canvas, found, line)
        return canvas.picture

    def _paint_regions(self, canvas: Canvas, regions: Regions, line: int) -> None:
        region_ops.tint(canvas, regions, self.mask_opacity)
        if self.show_outlines:
            region_ops.outline(canvas, regions, line)
        region_ops.write(canvas, regions, self.show_labels, self.show_scores)

    def _paint_instances(self, canvas: Canvas, instances: Instances, line: int) -> None:
        """Masks, outlines and boxes, then trails and plates.

        Large objects come first, so that small ones in front of them stay visible; plates come last. Beyond the
        boxes (and the one cell around them that the torchvision rule adds), only the width of a line, trails and plates
        are touched.
        """
        order, colours = ranked(instances)
        opacity = self.mask_opacity if instances.has_masks else 0.0  # a full box would hide what is behind the object
        shapes = opacity > 0 or self.show_outlines
        patches = instances.patches(canvas.height, canvas.width) if shapes else [None] * len(instances)
        for index in order:
            self._paint_shape(canvas, patches[index], instances.boxes[index], colours[index], line, opacity)
        self._finish(canvas, instances, order, colours)

    def _finish(self, canvas: Canvas, instances: Instances, order: list[int], colours: list[Colour]) -> None:
        """The trails of the objects, then their plates."""
        if instances.trails is not None:
            for index in order:
                canvas.trail(instances.trails[index], colours[index], line_for(canvas.height) + 1)
        lettering, layout = Lettering.for_height(canvas.height), Layout(canvas.height, canvas.width)
        for index in order:
            text = self._text(instances, index, lettering)
            if text:
                corner = layout.place(instances.boxes[index], lettering.plate(text))
                lettering.write(canvas, text, corner, colours[index])

    def _paint_shape(
        self, canvas: Canvas, patch: Patch | None, box: np.ndarray, colour: Colour, line: int, opacity: float
    ) -> None:
        if patch is not None and patch.pixels.size:
            canvas.tint(patch.x, patch.y, patch.inside, colour, opacity)
            if self.show_outlines:
                canvas.outline(patch.x, patch.y, patch.inside, colour, line)
        if self.show_boxes:
            height, width = canvas.height, canvas.width
            x0, y0, x1, y1 = np.round(np.clip(box, -height - width, 2 * (height + width))).tolist()
            corners = int(x0), int(y0), int(x1) - 1, int(y1) - 1
            canvas.rectangle(*corners, SHADE, line + 2)
            canvas.rectangle(*corners, colour, line)

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


def line_for(height: int) -> int:
    """Width of lines that suit a frame of this height, both in pixels."""
    return max(1, round(height / 540))


def ranked(instances: Instances) -> tuple[list[int], list[Colour]]:
    """The order in which objects are painted, large ones first, and the colour of each object."""
    boxes = instances.boxes
    order = np.argsort(-(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), kind="stable").tolist()
    identified = zip(instances.ids.tolist(), instances.labels.tolist(), strict=True)
    return order, [colour_of(identity, label) for identity, label in identified]
