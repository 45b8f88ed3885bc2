"""Where the objects of one source stood a little while ago."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from streamseg.instances import Instances
from streamseg.result import Found


class Trails:
    """Gives objects that have an identity their ``Instances.trails``: the middle of the lower side of their boxes.

    Places are those in the picture: where the camera moves, so do trails.

    Args:
        seconds: How long a place is remembered; 0 for no trails.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._places: dict[int, deque[tuple[float, float, float]]] = {}  # x, y and time by identity
        self._now = -np.inf

    def add(self, found: Found, now: float) -> Found:
        """What was found in the next frame, shown at ``now`` (seconds), with trails that end there."""
        if self._seconds <= 0 or not isinstance(found, Instances):
            return found
        if now < self._now:
            self._places.clear()  # a stream that begins again
        self._now = now
        for identity, (left, _, right, bottom) in zip(found.ids.tolist(), found.boxes.tolist(), strict=True):
            if identity > 0:
                self._places.setdefault(identity, deque()).append(((left + right) / 2, bottom, now))
        for identity, places in list(self._places.items()):
            while places and places[0][2] <= now - self._seconds:
                places.popleft()
            if not places:
                del self._places[identity]
        return replace(found, trails=self._of(found.ids.tolist()))

    def _of(self, ids: list[int]) -> np.ndarray:
        rows = [self._places.get(identity, ()) if identity > 0 else () for identity in ids]
        longest = max(map(len, rows), default=0)
        trails = np.full((len(rows), longest, 3), np.nan, np.float32)
        for trail, places in zip(trails, rows, strict=True):
            if places:
                known = np.array(places)
                known[:, 2] = 1 - (self._now - known[:, 2]) / self._seconds
                trail[longest - len(places) :] = known
        return trails
