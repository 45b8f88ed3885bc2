"""The track stage of a live source: the picture never waits for a model that cannot keep up."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from streamseg.pipeline.channel import Channel
from streamseg.pipeline.following import Follower
from streamseg.pipeline.intake import Intake, Ticket
from streamseg.pipeline.stages import Segmented, Stage, closing_may_fail
from streamseg.pipeline.statistics import StreamStatistics
from streamseg.result import Found
from streamseg.sources import Source

CALM = 5.0
"""Seconds for which the model must have seen every frame until frames wait for it again."""

FEW = 3
"""Frames that may be passed over within ``CALM`` seconds while frames still wait: networks deliver in bursts."""


class Arrivals:
    """What comes in for a live source: frames, of which only the newest waits, and what was found in earlier ones.

    Args:
        capacity: Most results that wait.
        statistics: Where frames that newer ones replaced are counted as dropped, and those given up by ``drop``.
    """

    def __init__(self, capacity: int, statistics: StreamStatistics) -> None:
        self._capacity = capacity
        self._statistics = statistics
        self._results: deque[Segmented] = deque()
        self._newest: Ticket | None = None
        self._changed = threading.Condition()
        self._frames_ended = False
        self._told = False
        self._results_ended = False
        self._left = False

    def offer(self, ticket: Ticket) -> bool:
        """Hand over a frame, never waiting; False where no more are wanted."""
        with self._changed:
            self._statistics.dropped += self._newest is not None
            self._newest = ticket
            self._changed.notify_all()
            return not self._left

    def end(self) -> None:
        """There are no more frames; one that waits can still be taken."""
        with self._changed:
            self._frames_ended = True
            self._changed.notify_all()

    def put(self, item: Segmented) -> bool:
        """Hand over a result, waiting for room; False where the taker has left."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or len(self._results) < self._capacity)
            if not self._left:
                self._results.append(item)
                self._changed.notify_all()
            return not self._left

    def close(self) -> None:
        """There are no more results; those that wait can still be taken."""
        with self._changed:
            self._results_ended = True
            self._changed.notify_all()

    def leave(self) -> None:
        """The taker takes no more."""
        with self._changed:
            self._left = True
            self._results.clear()
            self._changed.notify_all()

    def drop(self) -> None:
        """Count a frame that was taken and cannot be used."""
        with self._changed:
            self._statistics.dropped += 1

    def __iter__(self) -> Iterator[Segmented | Ticket | None]:
        """Results, else frames, else None, once, when there will be no more frames; until the results end."""
        while True:
            with self._changed:
                self._changed.wait_for(self._ready)
                if self._results:
                    event: Segmented | Ticket | None = self._results.popleft()
                    self._changed.notify_all()
                elif self._results_ended:
                    return
                else:
                    event, self._newest = self._newest, None
                    self._told = event is None
            yield event

    def _ready(self) -> bool:
        no_more_frames = self._frames_ended and not self._told
        return bool(self._results or self._newest is not None or no_more_frames or self._results_ended)


def read(source: Source, stream: int, arrivals: Arrivals, intake: Intake, stage: Stage) -> None:
    """Hand over the frames of a live source as they come; they are waited for, not worked for."""
    try:
        with stage.reported(), closing_may_fail(intake):
            for frame in source:
                if not arrivals.offer(Ticket(stream, frame, time.monotonic())):
                    break
    finally:
        arrivals.end()
        source.close()


class LiveFollower:
    """Shows each frame of a live source once, in order, with what is in it.

    As long as the model keeps up, each frame waits for what is found in it. Once more than ``FEW`` had to be passed
    over within ``CALM`` seconds, all are shown as they come, with what was last found carried on by its motion, and
    late results bring the tracker up to date. When the model has seen every frame for ``CALM`` seconds, frames wait for
    it again.

    Until the first result of all, which may take long, frames that the model passes over are dropped: nothing can be
    said of them.

    Args:
        follower: Follows the objects.
        stream: Position of the source.
        stride: Only every n-th frame is for the model.
        limit: Most frames to show; None for all.
        intake: Where frames wait for the model.
        inbox: What comes in.
        outbox: Where frames with what is in them go.
        stage: The stage that this is.
    """

    def __init__(
        self,
        follower: Follower,
        stream: int,
        stride: int,
        limit: int | None,
        intake: Intake,
        inbox: Arrivals,
        outbox: Channel[Segmented],
        stage: Stage,
    ) -> None:
        self._follower = follower
        self._stream = stream
        self._stride = stride
        self._left = limit
        self._intake = intake
        self._inbox = inbox
        self._outbox = outbox
        self._stage = stage
        self._waiting: deque[Ticket] = deque()  # to be shown, the first of them with what the model finds in it
        self._passed_over: deque[float] = deque()  # when frames were, in the last CALM seconds
        self._behind = False

    def run(self) -> None:
        """Show frames until there are no more."""
        try:
            with self._stage.reported():
                for event in self._inbox:
                    if event is None:
                        self._intake.end(self._stream)
                    elif isinstance(event, Ticket):
                        self._arrive(event)
                    else:
                        self._catch_up(*event)
                    if self._left == 0:
                        break
        finally:
            self._intake.end(self._stream)
            self._inbox.leave()
            self._outbox.close()

    def _arrive(self, ticket: Ticket) -> None:
        """A new frame: it waits for its result, or is shown at once."""
        seen = ticket.frame.index % self._stride == 0
        passed_over = seen and self._give(ticket)
        if self._follower.last is None:
            self._begin(ticket, seen, passed_over)
            return
        self._judge(ticket.born, passed_over)
        if self._behind:
            self._carry_while(lambda waiting: True)
        if self._waiting or (seen and not self._behind):
            self._waiting.append(ticket)
        else:
            self._carry(ticket)

    def _judge(self, now: float, passed_over: bool) -> None:
        """Whether the model is behind the source."""
        if passed_over:
            self._passed_over.append(now)
        while self._passed_over and self._passed_over[0] <= now - CALM:
            self._passed_over.popleft()
        self._behind = len(self._passed_over) > (0 if self._behind else FEW)

    def _give(self, ticket: Ticket) -> bool:
        """Hand a frame to the model; whether an earlier one was passed over for it."""
        before = self._intake.passed_over(self._stream)
        self._intake.put(ticket)
        return self._intake.passed_over(self._stream) > before

    def _begin(self, ticket: Ticket, seen: bool, passed_over: bool) -> None:
        """A frame from before the first result: nothing could be said of it without its own."""
        if passed_over:
            self._waiting.pop()
        if seen:
            self._waiting.append(ticket)
        if passed_over or not seen:
            self._inbox.drop()

    def _catch_up(self, ticket: Ticket, found: Found) -> None:
        """A result: it belongs to the frame that waits for it, or tells where things were a while ago."""
        self._carry_while(lambda waiting: waiting.frame.index < ticket.frame.index)
        now = self._follower.update(ticket.frame, found)
        if self._waiting and self._waiting[0] is ticket:
            self._show(self._waiting.popleft(), now)
        self._carry_while(lambda waiting: waiting.frame.index % self._stride > 0)

    def _carry_while(self, true: Callable[[Ticket], bool]) -> None:
        """Show the first of the frames that wait without results of their own."""
        while self._waiting and true(self._waiting[0]):
            self._carry(self._waiting.popleft())

    def _carry(self, ticket: Ticket) -> None:
        found = self._follower.carry(ticket.frame)
        assert found is not None  # there has been a result
        self._show(ticket, found)

    def _show(self, ticket: Ticket, found: Found) -> None:
        if self._left != 0:
            self._outbox.put((ticket, found))
            self._left = None if self._left is None else self._left - 1
