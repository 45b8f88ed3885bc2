"""The track stage: identities for what the model found, and a place for it in the frames that the model did not see."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.pipeline.channel import Channel
from streamseg.pipeline.intake import Ticket
from streamseg.pipeline.marks import Marker
from streamseg.pipeline.stages import Segmented, Stage
from streamseg.planes import planes_of
from streamseg.regions import Regions
from streamseg.result import Found
from streamseg.tracking import Tracker
from streamseg.tracking.between import between, onward
from streamseg.tracking.hindsight import Hindsight
from streamseg.tracking.state import to_bytes

_MOST_BYTES = 24 << 20  # of frames that wait to be bettered, per source; what they leave in the heap comes on top


class Follower:
    """A tracker for whatever the model of a live source finds; regions, and all without a tracker, stay as found.

    Args:
        tracker: Follows the objects; None for no identities.
        stage: Where the tracker's work is counted.

    Attributes:
        last: What the last update made of what was found; None before the first.
    """

    def __init__(self, tracker: Tracker | None, stage: Stage) -> None:
        self._tracker = tracker
        self._stage = stage
        self.last: Found | None = None

    def update(self, frame: Frame, found: Found) -> Found:
        """Give the objects of the next frame that the model saw their identities."""
        if self._tracker is not None and isinstance(found, Instances):
            with self._stage.work():
                found = self._tracker.update(found, frame.seconds, (frame.height, frame.width), frame.pixels)
        self.last = found
        return found

    def carry(self, frame: Frame) -> Found | None:
        """What is in a frame that the model did not see, going on from the last update; None before the first."""
        if self._tracker is not None and isinstance(self.last, Instances):
            with self._stage.work():
                return self._tracker.carry(frame.seconds, (frame.height, frame.width))
        return _fitting(self.last, frame) if isinstance(self.last, Regions) else self.last


def follow(
    tracker: Tracker | None,
    delay: float,
    inbox: Channel[Segmented],
    outbox: Channel[Segmented],
    stage: Stage,
    marker: Marker | None = None,
) -> None:
    """Follow the objects of a recorded source.

    Results wait for up to ``delay`` seconds of the source's time to be bettered by what follows, as far as the memory
    for their frames goes. Frames that the model did not see lie between the two around them that it did; those after
    the last one are carried on. ``marker`` is shown each frame before the tracker is.
    """
    try:
        with stage.reported():
            gaps = _Gaps(stage)
            seen = _marked(inbox, marker, tracker)
            done = _followed(tracker, delay, seen, stage) if tracker is not None else seen
            for ticket, found in done:
                if not all(outbox.put(each) for each in gaps.closed(ticket, found)):
                    return
            for rest in gaps.rest():
                outbox.put(rest)
    finally:
        inbox.leave()
        outbox.close()


def _marked(inbox: Channel[Segmented], marker: Marker | None, tracker: Tracker | None) -> Iterator[Segmented]:
    """The frames that the model saw, with marks made between them of what the tracker knows."""
    for ticket, found in inbox:
        if marker is not None:
            marker.before(ticket.frame, lambda: b"" if tracker is None else to_bytes(tracker.state()))
        yield ticket, found
    if marker is not None:
        marker.end()


def _followed(tracker: Tracker, delay: float, inbox: Iterator[Segmented], stage: Stage) -> Iterator[Segmented]:
    """The frames that the model saw, when all is known of them; regions stay as found."""
    hindsight: Hindsight[Ticket] | None = None
    for ticket, found in inbox:
        if not isinstance(found, Instances):
            yield ticket, found
            continue
        frame = ticket.frame
        if hindsight is None:
            hindsight = Hindsight(tracker, delay)
        most = max(1, _MOST_BYTES // (_bytes(frame) * (1 + len(ticket.after))))
        hindsight.most = min(hindsight.most, most)  # pictures of a folder differ in size
        with stage.work():
            done = hindsight.update(ticket, found, frame.seconds, (frame.height, frame.width), frame.pixels)
        yield from done
    if hindsight is not None:
        with stage.work():
            done = hindsight.finish()
        yield from done


class _Gaps:
    """Frames that the model did not see, from what was found in those that it did."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._earlier: Segmented | None = None  # the last but one that it saw
        self._last: Segmented | None = None

    def closed(self, ticket: Ticket, found: Found) -> list[Segmented]:
        """The frames since the last one that the model saw, and the next one that it saw, with what is in them."""
        passed: list[Segmented] = []
        for each, carried in self.rest():
            assert self._last is not None  # nothing waits before the first
            before, there = self._last
            if isinstance(there, Instances) and isinstance(found, Instances) and isinstance(carried, Instances):
                with self._stage.work():
                    share = _share(before.frame, each.frame, ticket.frame)
                    carried = between(there, found, share, carried)
            passed.append((each, carried))
        self._earlier, self._last = self._last, (ticket, found)
        return [*passed, (ticket, found)]

    def rest(self) -> list[Segmented]:
        """The frames after the last one that the model saw, with what is in them if things go on as they did."""
        if self._last is None:
            return []
        ticket, found = self._last
        return [(each, self._onward(each.frame, ticket.frame, found)) for each in ticket.after]

    def _onward(self, frame: Frame, last: Frame, found: Found) -> Found:
        before, there = self._earlier or (None, None)
        if isinstance(found, Regions):
            return _fitting(found, frame)
        if before is None or not isinstance(there, Instances):
            return found
        since = last.seconds - before.frame.seconds
        ratio = (frame.seconds - last.seconds) / since if since > 0 else 0.0
        with self._stage.work():
            return onward(there, found, max(ratio, 0.0), (frame.height, frame.width))


def _fitting(regions: Regions, frame: Frame) -> Regions:
    """Regions for a frame of another size: none."""
    size = frame.height, frame.width
    return regions if regions.labels.shape == size else Regions(np.zeros(size, np.uint8), regions.class_names)


def _bytes(frame: Frame) -> int:
    """Memory that a frame's pixels take."""
    bounds = [
        np.lib.array_utils.byte_bounds(part) for part in planes_of(frame.pixels)
    ]  # not nbytes: a frame may be one pixel, repeated
    return sum(high - low for low, high in bounds)


def _share(first: Frame, middle: Frame, last: Frame) -> float:
    """How much of the time from ``first`` to ``last`` is over at ``middle``, 0 to 1."""
    whole = last.seconds - first.seconds
    return min(1.0, max(0.0, (middle.seconds - first.seconds) / whole)) if whole > 0 else 0.0
