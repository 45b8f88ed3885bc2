"""What comes out of the pipeline for one frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.planes import Picture, as_rgb
from streamseg.regions import Regions

Found = Instances | Regions
"""What a model finds in a frame: objects, or the class of every pixel."""

Paint = Callable[[Frame, Found], Picture]
"""Draws what was found on a copy of the frame's pixels, of the frame's own kind."""


@dataclass(slots=True, eq=False)
class Result:
    """A frame and what was found in it.

    Attributes:
        frame: The frame as decoded.
        found: What the model found, of the model's kind.
    """

    frame: Frame
    found: Found
    _paint: Paint = field(repr=False)
    _picture: Picture | None = field(default=None, repr=False)
    _image: np.ndarray | None = field(default=None, repr=False)

    @property
    def instances(self) -> Instances:
        """The objects, with their identities; none of them where the model finds regions."""
        return self.found if isinstance(self.found, Instances) else Instances.empty(self.found.class_names)

    @property
    def regions(self) -> Regions | None:
        """The class of every pixel; None where the model finds objects."""
        return self.found if isinstance(self.found, Regions) else None

    def annotated(self) -> np.ndarray:
        """The frame with every object or region outlined and labelled, uint8 [H, W, 3] RGB.

        Painted on the first call and kept; the frame itself is not touched. Treat it as read-only.
        """
        if self._image is None:
            self._image = as_rgb(self.painted())
        return self._image

    def painted(self) -> Picture:
        """The same as pixels of the frame's own kind, which an encoder takes without a conversion."""
        if self._picture is None:
            self._picture = self._paint(self.frame, self.found)
        return self._picture
