"""Where the frames of all sources wait for the segmenter, and batches form."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamseg.frame import Frame

LIVE_PATIENCE = 0.005
"""Seconds that a live frame is held back, at most, for others to share its batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A frame on its way through the pipeline.

    Attributes:
        stream: Position of its source.
        frame: The frame.
        born: When the source gave it, on the clock of ``time.monotonic``.
        after: The frames that follow it and are not for the model; of recorded sources only.
    """

    stream: int
    frame: Frame
    born: float
    after: tuple[Ticket, ...] = ()


@dataclass(slots=True)
class _Lane:
    live: bool
    open: bool = True
    reported: bool = False
    passed_over: int = 0
    waiting: deque[Ticket] = field(default_factory=deque)

    @property
    def frames(self) -> int:
        """How many frames wait."""
        return sum(1 + len(ticket.after) for ticket in self.waiting)


class Intake:
    """Bounded queues, one per source, read as batches.

    A recorded source waits while its queue is full. A live source never waits: its queue holds the newest frame, and
    the one that it replaces is passed over.

    Args:
        live: For each source, whether it is live.
        capacity: So many frames wait of a recorded source, 1 or more; the last ticket may bring some more.
    """

    def __init__(self, live: Sequence[bool], capacity: int) -> None:
        self._lanes = [_Lane(each) for each in live]
        self._capacity = capacity
        self._turn = 0
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, ticket: Ticket) -> bool:
        """Hand over a frame; False where no more of this source are wanted."""
        lane = self._lanes[ticket.stream]
        with self._changed:
            if lane.live and lane.waiting:
                lane.passed_over += 1
                lane.waiting.clear()
            self._changed.wait_for(lambda: self._stopped or not lane.open or lane.frames < self._capacity)
            wanted = lane.open and not self._stopped
            if wanted:
                lane.waiting.append(ticket)
                self._changed.notify_all()
            return wanted

    def end(self, stream: int) -> None:
        """The source has no more frames; those that wait can still be taken."""
        with self._changed:
            self._lanes[stream].open = False
            self._changed.notify_all()

    def stop(self) -> None:
        """Drop what waits, and let nobody wait any longer."""
        with self._changed:
            self._stopped = True
            for lane in self._lanes:
                lane.waiting.clear()
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopped

    def passed_over(self, stream: int) -> int:
        """Frames of a live source that were replaced before their turn."""
        return self._lanes[stream].passed_over

    def take(self, size: int) -> tuple[list[Ticket], list[int]] | None:
        """The next batch, and the sources that have ended since the last one.

        Recorded sources fill the batch. A batch that holds a live frame, or that only live sources could still fill,
        goes after ``LIVE_PATIENCE`` at the latest, and at once when no other source could add to it.

        Args:
            size: Most frames of the batch, 1 or more.

        Returns:
            Frames in the order of each source (none where a source only ended), and positions of sources whose last
            frame is in this batch or an earlier one; None when all have ended or ``stop`` was called.
        """
        batch: list[Ticket] = []
        ended: list[int] = []
        deadline: float | None = None
        with self._changed:
            while len(batch) < size and not self._stopped:
                ticket = self._next()
                ended += self._newly_ended()
                if ticket is not None:
                    batch.append(ticket)
                    continue
                if not self._may_fill(batch):
                    break
                timeout = None
                if (batch or ended) and self._hurried(batch):
                    deadline = deadline or time.monotonic() + LIVE_PATIENCE
                    timeout = deadline - time.monotonic()
                    if timeout <= 0:
                        break
                self._changed.wait(timeout)
            if self._stopped:
                return None
            self._changed.notify_all()
        return (batch, ended) if batch or ended else None

    def _next(self) -> Ticket | None:
        """One frame of the sources in turn."""
        for step in range(len(self._lanes)):
            lane = self._lanes[(self._turn + step) % len(self._lanes)]
            if lane.waiting:
                self._turn = (self._turn + step + 1) % len(self._lanes)
                ticket = lane.waiting.popleft()
                self._changed.notify_all()
                return ticket
        return None

    def _newly_ended(self) -> list[int]:
        ended = []
        for stream, lane in enumerate(self._lanes):
            if not lane.open and not lane.waiting and not lane.reported:
                lane.reported = True
                ended.append(stream)
        return ended

    def _may_fill(self, batch: list[Ticket]) -> bool:
        """Whether an open source could still add to the batch; a live one adds a single frame."""
        present = {ticket.stream for ticket in batch}
        return any(lane.open and not (lane.live and stream in present) for stream, lane in enumerate(self._lanes))

    def _hurried(self, batch: list[Ticket]) -> bool:
        """Whether the batch must not wait for its filling."""
        recorded_open = any(lane.open and not lane.live for lane in self._lanes)
        return not recorded_open or any(self._lanes[ticket.stream].live for ticket in batch)
