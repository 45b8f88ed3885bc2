"""The segment stage: as many batches at once as there are workers, handed on in the order in which they were taken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from streamseg.pipeline.intake import Intake, Ticket
from streamseg.pipeline.stages import Segmented, Stage
from streamseg.planes import Picture
from streamseg.result import Found


class Outbox(Protocol):
    """Where results of one source go: a channel, or what comes in for a live source."""

    def put(self, item: Segmented) -> bool:
        """Hand over a result, waiting for room; False where the taker has left."""
        ...

    def close(self) -> None:
        """There are no more."""
        ...


Segment = Callable[[Sequence[Picture]], Sequence[Found]]
"""Pictures of any sizes in, the objects or regions of each out; called by several threads at once."""

_AHEAD = 1  # batches that may lie finished while an earlier one is still at work


class Segmenting:
    """What the workers of the segment stage share.

    Args:
        intake: Where frames come from.
        size: Most frames of a batch.
        find: Finds what is in them.
        outboxes: Where results go, one per source; closed when the source's last result is in, or the last worker ends.
        workers: How many threads call ``work``.
    """

    def __init__(self, intake: Intake, size: int, find: Segment, outboxes: Sequence[Outbox], workers: int) -> None:
        self._intake = intake
        self._size = size
        self._find = find
        self._outboxes = outboxes
        self._open = set(range(len(outboxes)))
        self._at_work = workers
        self._most = workers + _AHEAD
        self._turn = threading.Lock()  # held while a batch is taken: batches are numbered in the order of the frames
        self._changed = threading.Condition()
        self._taken = 0
        self._handed = 0
        self._handing = False
        self._over = False
        self._done: dict[int, tuple[list[Segmented], list[int]]] = {}

    def work(self, stage: Stage) -> None:
        """Segment batches until there are no more; the body of each worker's thread."""
        try:
            with stage.reported():
                while (taken := self._take()) is not None:
                    number, batch, ended = taken
                    found: Sequence[Found] = []
                    if batch:
                        with stage.work():
                            found = self._find([ticket.frame.pixels for ticket in batch])
                    for ticket in batch:
                        stage.statistics.segmented(ticket.stream)
                    self._hand_on(number, list(zip(batch, found, strict=True)), ended)
        finally:
            self._leave()

    def _take(self) -> tuple[int, list[Ticket], list[int]] | None:
        """The next batch, its number, and the sources that ended with it; None when there is no more."""
        with self._turn:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._taken - self._handed < self._most)
                if self._over:
                    return None
            taken = self._intake.take(self._size)
            if taken is None:
                return None
            number, self._taken = self._taken, self._taken + 1
            return number, *taken

    def _hand_on(self, number: int, results: list[Segmented], ended: list[int]) -> None:
        """Pass on every result whose turn it is; one worker does so at a time, and the others work on meanwhile."""
        with self._changed:
            self._done[number] = results, ended
            if self._handing:
                return
            self._handing = True
        while True:
            with self._changed:
                self._changed.notify_all()
                turn = self._done.pop(self._handed, None)
                if turn is None:
                    self._handing = False
                    return
            for ticket, found in turn[0]:
                self._outboxes[ticket.stream].put((ticket, found))
            for stream in turn[1]:
                self._close(stream)
            self._handed += 1

    def _close(self, stream: int) -> None:
        self._open.discard(stream)
        self._outboxes[stream].close()

    def _leave(self) -> None:
        """A worker ends: by an error, or since there is no more to take. The last one closes what is still open."""
        with self._changed:
            self._over = True
            self._at_work -= 1
            last = self._at_work == 0
            self._changed.notify_all()
        if last:
            for stream in sorted(self._open):
                self._close(stream)
