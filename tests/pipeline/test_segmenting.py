"""Several workers in the segment stage: at once, and yet in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest

from streamseg.errors import StreamsegError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.pipeline.channel import Channel
from streamseg.pipeline.intake import Intake, Ticket
from streamseg.pipeline.segmenting import Segmenting
from streamseg.pipeline.stages import Segmented, Stage
from streamseg.pipeline.statistics import Statistics

PATIENT = 20.0


class Find:
    """Each call waits until it is let through; the number of a call is the value of its first picture."""

    def __init__(self, calls: int) -> None:
        self.begun = [threading.Event() for _ in range(calls)]
        self.let = [threading.Event() for _ in range(calls)]
        self.bad: set[int] = set()

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Instances]:
        call = int(pictures[0][0, 0, 0])
        self.begun[call].set()
        assert self.let[call].wait(PATIENT)
        if call in self.bad:
            raise RuntimeError("out of memory")
        return [Instances.empty() for _ in pictures]


class Run:
    """The segment stage alone, in threads, on a source of so many frames."""

    def __init__(self, frames: int, workers: int, live: bool = False, queue_length: int = 100) -> None:
        self.find = Find(frames)
        self.intake = Intake([live], capacity=frames)
        self.statistics = Statistics([StreamInfo("a", 2, 2, Fraction(1, 10), live=live)])
        self.outbox: Channel[Segmented] = Channel(queue_length)
        self.errors: list[Exception] = []
        segmenting = Segmenting(self.intake, 1, self.find, [self.outbox], workers)
        stage = Stage("segment", self.statistics, self._fail)
        self.threads = [threading.Thread(target=segmenting.work, args=(stage,), daemon=True) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def _fail(self, stage: str, error: Exception) -> None:
        self.errors.append(error)
        self.intake.stop()

    def give(self, *indices: int) -> None:
        for index in indices:
            frame = Frame(np.full((2, 2, 3), index, np.uint8), index, index, Fraction(1, 10), "a")
            self.intake.put(Ticket(0, frame, time.monotonic()))

    def begun(self) -> set[int]:
        return {call for call, event in enumerate(self.find.begun) if event.is_set()}

    def handed_on(self) -> list[int]:
        return [ticket.frame.index for ticket, _ in self.outbox]

    def join(self) -> None:
        for thread in self.threads:
            thread.join(PATIENT)
            assert not thread.is_alive(), "the stage hangs"


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_results_are_handed_on_in_order_whoever_is_first():
    run = Run(4, workers=2)
    run.give(0, 1, 2, 3)
    run.intake.end(0)
    wait_until(lambda: run.begun() == {0, 1})
    run.find.let[1].set()
    wait_until(lambda: run.begun() == {0, 1, 2})  # the second worker is not kept waiting by the first
    run.find.let[2].set()
    time.sleep(0.05)
    assert run.begun() == {0, 1, 2}, "finished batches must not pile up"
    run.find.let[3].set()
    run.find.let[0].set()
    assert run.handed_on() == [0, 1, 2, 3]
    run.join()


def test_a_live_frame_is_taken_only_when_a_worker_is_free():
    run = Run(9, workers=2, live=True)
    for index in (0, 1):
        run.give(index)
        wait_until(lambda: len(run.begun()) == index + 1)  # noqa: B023
    run.give(2, 3, 4)
    run.find.let[0].set()
    wait_until(lambda: run.begun() == {0, 1, 4})
    run.intake.end(0)
    for let in run.find.let:
        let.set()
    assert run.handed_on() == [0, 1, 4]
    run.join()


def test_a_result_does_not_wait_for_the_next_frame():
    run = Run(9, workers=3, live=True)
    run.find.let[0].set()
    run.give(0)
    assert run.outbox.get(PATIENT)[0].frame.index == 0
    run.intake.end(0)
    run.join()


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_what_was_found_before_an_error_is_handed_on_and_nothing_after_it(bad):
    run = Run(9, workers=3)
    run.find.bad.add(bad)
    run.give(*range(9))
    wait_until(lambda: run.begun() == {0, 1, 2})
    for call in (2, 1, 0):
        run.find.let[call].set()
        if call == bad:
            wait_until(lambda: bool(run.errors))
    for let in run.find.let:
        let.set()
    assert run.handed_on() == list(range(bad))
    run.join()
    assert len(run.errors) == 1 and not isinstance(run.errors[0], StreamsegError)


def test_stopping_lets_nobody_wait():
    run = Run(9, workers=3)
    run.give(0, 1, 2, 3)
    wait_until(lambda: run.begun() == {0, 1, 2})
    run.intake.stop()
    for let in run.find.let:
        let.set()
    assert run.handed_on() == [0, 1, 2]
    run.join()


def test_work_is_added_up_over_the_workers():
    run = Run(2, workers=2)
    run.give(0, 1)
    run.intake.end(0)
    wait_until(lambda: run.begun() == {0, 1})
    begin = time.monotonic()
    time.sleep(0.05)
    waited = time.monotonic() - begin
    for let in run.find.let:
        let.set()
    run.join()
    assert run.statistics.busy["segment"] >= 2 * waited
