"""What comes out of the pipeline for one frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streamseg.frame import Frame
from streamseg.instances import Instances

Paint = Callable[[Frame, Instances], np.ndarray]


@dataclass(slots=True, eq=False)
class Result:
    """A frame and the objects in it.

    Attributes:
        frame: The frame as decoded.
        instances: The objects, with their identities.
    """

    frame: Frame
    instances: Instances
    _paint: Paint = field(repr=False)
    _picture: np.ndarray | None = field(default=None, repr=False)

    def annotated(self) -> np.ndarray:
        """The frame with every object outlined and labelled, uint8 [H, W, 3] RGB.

        Painted on the first call and kept; the frame itself is not touched. Treat it as read-only.
        """
        if self._picture is None:
            self._picture = self._paint(self.frame, self.instances)
        return self._picture
