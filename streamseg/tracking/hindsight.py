"""Results that may wait a little are told with what became known meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from streamseg.instances import Instances
from streamseg.planes import Picture
from streamseg.tracking import Tracker
from streamseg.tracking.between import mixed, together
from streamseg.tracking.motion import boxes_of, coordinates_of, moved
from streamseg.tracking.observation import Observation
from streamseg.tracking.overlap import Shapes, covered

Key = TypeVar("Key", bound=Hashable)

_NEAR = 3.0  # standard deviations of the steadying's weights beyond which sightings have nothing to say

_HIDDEN = 0.3  # share of a mask inside another from which it is taken to lie behind


@dataclass(slots=True, eq=False)
class _Entry:
    """A frame that waits, or one that has left and is still of use.

    Attributes:
        seconds: When it is shown; never before those that came before it.
        seen: What the tracker made of it.
        size: Height and width of the frame, pixels.
        places: float64 [N, 4], centres and logarithms of widths and heights of the detections.
    """

    seconds: float
    seen: Observation
    size: tuple[int, int]
    places: np.ndarray


class Hindsight(Generic[Key]):
    """A tracker whose results leave a little later than they come, and better.

    - What was seen of a track before it was believed gets its identity and label.
    - Where an object was missed for less than the delay, it is put between its neighbours; a mask only where nothing
      else that was found hides it.
    - Boxes without masks are steadied: each becomes what a line through the track's neighbouring boxes (by weighted
      least squares, with the camera's motion taken out) says it is. Masks fit the picture where they were found.

    Besides what the tracker knew, a result depends only on frames that are earlier by the delay at most, or by three
    times ``steady`` for boxes without masks: whoever goes on from the tracker's state has the same results from there
    on. Where times are in disorder, those frames count as late as the latest before them.

    Args:
        tracker: Follows the objects.
        delay: How long a result waits for later ones, seconds of the source's time; 0 for not at all.
        steady: Standard deviation of the weights of neighbouring boxes in time, seconds.
        most: Most frames that wait, whatever the delay; may be changed at any time.
    """

    def __init__(self, tracker: Tracker, delay: float, steady: float = 0.1, most: int = 10_000) -> None:
        self._tracker = tracker
        self._delay = delay
        self._steady = steady
        self.most = most
        self._now = -np.inf
        self._waiting: deque[_Entry] = deque()
        self._keys: deque[Key] = deque()  # of those that wait, not of those that have left: they may be heavy
        self._past: deque[_Entry] = deque()  # emitted, but near enough to steady those that wait
        self._last: dict[int, tuple[_Entry, int]] = {}  # where each track was last seen in a frame that has left

    def update(
        self, key: Key, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> list[tuple[Key, Instances]]:
        """Take in the next frame.

        Args:
            key: What to call it.
            instances: What was detected in it.
            seconds: When it is shown; frames come in order. Time that runs back by more than the delay is that of
                another clock, which begins anew.
            size: Height and width of the frame, pixels.
            picture: The frame's pixels, if there are any.

        Returns:
            The frames that are done, in order, with what ``Tracker.update`` would have returned had it known.
        """
        done = self._start_anew() if seconds < self._now - self._delay else []
        seen = self._tracker.observe(instances, seconds, size, picture)
        self._now = max(seconds, self._now)
        self._keys.append(key)
        self._waiting.append(_Entry(self._now, seen, size, coordinates_of(seen.instances.boxes)))
        if seen.named:
            self._tell(seen)
        while self._waiting and self._is_due():
            done.append(self._leave())
        return done

    def finish(self) -> list[tuple[Key, Instances]]:
        """The frames that still wait; there are no more to come."""
        return [self._leave() for _ in range(len(self._waiting))]

    def _start_anew(self) -> list[tuple[Key, Instances]]:
        done = self.finish()
        self._now = -np.inf
        self._past.clear()
        self._last.clear()
        return done

    def _is_due(self) -> bool:
        waited = self._now - self._waiting[0].seconds
        return waited >= self._delay - 1e-6 or len(self._waiting) > self.most

    def _tell(self, news: Observation) -> None:
        """Give tracks their identities, and the labels that go with them, in all frames that wait."""
        labels = dict(zip(news.tracks.tolist(), news.instances.labels.tolist(), strict=True))
        named = np.array(list(news.named))
        for entry in list(self._waiting)[:-1]:
            seen = entry.seen
            for row in np.flatnonzero(np.isin(seen.tracks, named)).tolist():
                track = int(seen.tracks[row])
                if news.named[track] not in seen.instances.ids:  # an identity that has come back
                    seen.instances.ids[row], seen.instances.labels[row] = news.named[track], labels[track]

    def _leave(self) -> tuple[Key, Instances]:
        """Finish the first frame that waits."""
        entry = self._waiting.popleft()
        seen = entry.seen
        found = seen.instances
        if self._delay > 0 and not found.has_masks:
            found = replace(found, boxes=self._steadied(entry))
        found = found[(found.ids > 0) | seen.shown]
        filled = _visible(self._filled(entry), found)
        self._past.append(entry)
        while self._past and self._past[0].seconds < entry.seconds - _NEAR * self._steady:
            self._past.popleft()
        self._last = {track: last for track, last in self._last.items() if self._reaches(last[0], entry)}
        for row, (track, identity) in enumerate(zip(seen.tracks.tolist(), seen.instances.ids.tolist(), strict=True)):
            if identity > 0:
                self._last[track] = (entry, row)
        return self._keys.popleft(), together([found, *filled])

    def _reaches(self, first: _Entry, second: _Entry) -> bool:
        return second.seconds - first.seconds <= self._delay + 1e-6

    def _filled(self, entry: _Entry) -> list[Instances]:
        """Those who were seen shortly before and after a frame, but not in it."""
        filled = []
        for track in sorted(self._last.keys() - set(entry.seen.tracks.tolist())):
            before, row = self._last[track]
            for after in self._waiting:
                if not self._reaches(before, after):
                    break
                there = np.flatnonzero(after.seen.tracks == track)
                if len(there):
                    whole = after.seconds - before.seconds
                    share = (entry.seconds - before.seconds) / whole if whole > 0 else 0.0
                    filled.append(mixed(before.seen.instances[[row]], after.seen.instances[there], share))
                    break
        return filled

    def _steadied(self, entry: _Entry) -> np.ndarray:
        """Boxes of the detections on tracks as their neighbours in time have them too, float32 [N, 4]."""
        boxes = entry.seen.instances.boxes.copy()
        rows = np.flatnonzero(entry.seen.tracks > 0)
        times, tracks, places = self._neighbours(entry)
        weights = np.exp(-0.5 * (times / self._steady) ** 2) * (entry.seen.tracks[rows, None] == tracks)
        total, first, second = weights.sum(1), weights @ times, weights @ times**2
        spread = total * second - first**2
        lined = spread > 1e-9  # else there is nothing to draw a line through
        level, slope = weights @ places, (weights * times) @ places
        divisor = np.where(lined, spread, 1.0)[:, None]
        steadied = (second[:, None] * level - first[:, None] * slope) / divisor
        rows, steadied = rows[lined], boxes_of(steadied[lined])
        # What the frame cuts off does not move like the rest.
        edge = np.array(entry.size[::-1] * 2) - 1
        free = (boxes[rows] > 1) & (boxes[rows] < edge)
        boxes[rows] = np.where(free, steadied, boxes[rows])
        return boxes

    def _neighbours(self, entry: _Entry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sightings near a frame in time: seconds from it [K], tracks [K], places [K, 4] as its camera has them."""
        near = _NEAR * self._steady + 1e-6
        sightings = [(0.0, entry.seen.tracks, entry.places)]
        motion = np.eye(3)
        for one, after in zip(reversed(self._past), [entry, *reversed(self._past)], strict=False):
            motion = motion @ np.vstack([after.seen.camera, [0, 0, 1]])
            if entry.seconds - one.seconds > near:
                break
            sightings.append((one.seconds - entry.seconds, one.seen.tracks, moved(one.places, motion[:2])))
        motion = np.eye(3)
        for one in self._waiting:
            motion = motion @ np.linalg.inv(np.vstack([one.seen.camera, [0, 0, 1]]))
            if one.seconds - entry.seconds > near:
                break
            sightings.append((one.seconds - entry.seconds, one.seen.tracks, moved(one.places, motion[:2])))
        times = np.concatenate([np.full(len(tracks), time) for time, tracks, _ in sightings])
        return (times, *(np.concatenate([sighting[i] for sighting in sightings]) for i in (1, 2)))  # type: ignore[return-value]


def _visible(filled: list[Instances], found: Instances) -> list[Instances]:
    """Those whose masks do not lie behind what was found: a mask shows what is seen. Boxes are of whole objects."""
    if not filled or not len(found) or not found.has_masks:
        return filled
    both = together([found, *filled])
    rivals = np.zeros((len(both), len(both)), bool)
    rivals[len(found) :, : len(found)] = True
    hidden = covered(Shapes.of(both.boxes, both.masks > 0.5), rivals, _HIDDEN)[len(found) :]
    return [one for one, lost in zip(filled, hidden.tolist(), strict=True) if not lost]
