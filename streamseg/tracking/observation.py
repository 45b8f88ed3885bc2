"""What a tracker makes of one frame, before anybody asks which of it is worth showing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamseg.instances import Instances


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """N detections of one frame with the tracks that they continue.

    A track has its number from its first detection on. Its identity comes when it is believed; what was seen of it
    before can then still be given that identity by whoever has kept the observations.

    Attributes:
        instances: Detections, in the order in which they were found; ``ids`` as known at the time, 0 for none.
        tracks: int64 [N], number of each one's track, from 1; 0 for none. No number appears twice.
        shown: bool [N], which of them are worth showing by what is known at the time.
        camera: float64 [2, 3], takes places of the frame before to where the camera's motion has put them, pixels.
        named: Identities given in this frame, by number of the track.
    """

    instances: Instances
    tracks: np.ndarray
    shown: np.ndarray
    camera: np.ndarray = field(default_factory=lambda: np.eye(2, 3))
    named: dict[int, int] = field(default_factory=dict)
