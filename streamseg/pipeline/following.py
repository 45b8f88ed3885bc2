"""The track stage: identities for what the model found, and a place for it in the frames that the model did not see."""

from __future__ import annotations

import numpy as np

from streamseg.frame import Frame
from streamseg.instances import Instances
from streamseg.pipeline.channel import Channel
from streamseg.pipeline.intake import Ticket
from streamseg.pipeline.stages import Segmented, Stage
from streamseg.regions import Regions
from streamseg.result import Found
from streamseg.tracking import Tracker
from streamseg.tracking.between import between


class Follower:
    """A tracker for whatever the model of one source finds; regions, and everything without a tracker, stay as found.

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
        size = frame.height, frame.width
        if isinstance(self.last, Regions) and self.last.labels.shape != size:
            return Regions(np.zeros(size, np.uint8), self.last.class_names)
        return self.last


def follow(follower: Follower, inbox: Channel[Segmented], outbox: Channel[Segmented], stage: Stage) -> None:
    """Follow the objects of a recorded source.

    Frames that the model did not see wait for the next one that it did, and lie between the two; those after the last
    one are carried on.
    """
    try:
        with stage.reported():
            before: Ticket | None = None
            for ticket, found in inbox:
                if not all(outbox.put(each) for each in _passed(follower, before, ticket, found, stage)):
                    return
                before = ticket
            for rest in before.after if before is not None else ():
                carried = follower.carry(rest.frame)
                assert carried is not None  # there has been an update
                outbox.put((rest, carried))
    finally:
        inbox.leave()
        outbox.close()


def _passed(follower: Follower, before: Ticket | None, ticket: Ticket, found: Found, stage: Stage) -> list[Segmented]:
    """The frames after ``before`` up to that of ``ticket``, in which ``found`` was found, with what is in them."""
    waiting = before.after if before is not None else ()
    first, carried = follower.last, [follower.carry(each.frame) for each in waiting]
    last = follower.update(ticket.frame, found)
    passed: list[Segmented] = []
    for each, there in zip(waiting, carried, strict=True):
        assert before is not None and there is not None  # nothing waits before the first update
        if isinstance(first, Instances) and isinstance(last, Instances) and isinstance(there, Instances):
            with stage.work():
                there = between(first, last, _share(before.frame, each.frame, ticket.frame), there)
        passed.append((each, there))
    return [*passed, (ticket, last)]


def _share(first: Frame, middle: Frame, last: Frame) -> float:
    """How much of the time from ``first`` to ``last`` is over at ``middle``, 0 to 1."""
    whole = last.seconds - first.seconds
    return min(1.0, max(0.0, (middle.seconds - first.seconds) / whole)) if whole > 0 else 0.0
