"""Live sources: the picture waits for a model that keeps up, and never for one that does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.pipeline.channel import Channel
from streamseg.pipeline.following import Follower
from streamseg.pipeline.intake import Intake, Ticket
from streamseg.pipeline.live import CALM, FEW, Arrivals, LiveFollower
from streamseg.pipeline.stages import Segmented, Stage
from streamseg.pipeline.statistics import Statistics
from streamseg.planes import Picture
from streamseg.regions import Regions

PATIENT = 20.0
RATE = 10
PIXELS = np.zeros((2, 2, 3), np.uint8)
UNTOLD = Stage("track camera 0", Statistics([]), lambda name, error: None)


class Tracker:
    """One object, found in frame ``scores``; carried, its left side tells when."""

    def __init__(self) -> None:
        self.updates: list[float] = []
        self.last = Instances.empty()

    def update(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Instances:
        self.updates.append(seconds)
        self.last = instances
        return instances

    def carry(self, seconds: float, size: tuple[int, int]) -> Instances:
        return self.last.with_ids(np.array([round(seconds * RATE)]))


def found_in(index: int) -> Instances:
    return Instances(
        np.array([[0, 0, 2, 2]], np.float32),
        np.array([index], np.float32),
        np.zeros(1, np.int64),
        np.ones((1, 28, 28), np.float32),
        np.zeros(1, np.int64),
        ("thing",),
    )


class Scripted(Arrivals):
    """What comes in, told beforehand."""

    def __init__(self, statistics: Statistics, events: Callable[[], Iterator[Segmented | Ticket | None]]) -> None:
        super().__init__(100, statistics.streams[0])
        self._events = events

    def __iter__(self) -> Iterator[Segmented | Ticket | None]:
        yield from self._events()


class Bench:
    """The track stage of a live source alone, in one thread; frames come at ``RATE`` per second."""

    def __init__(self, **options: int) -> None:
        self.intake = Intake([True], capacity=1)
        self.statistics = Statistics([StreamInfo("camera 0", 2, 2, Fraction(1, RATE), live=True)])
        self.tracker = Tracker()
        self.options = {"stride": 1, "limit": None, **options}
        self.outbox: Channel[Segmented] = Channel(10_000)
        self.errors: list[Exception] = []
        self.seen: list[Ticket] = []  # by the model, whose results are still to come

    def frame(self, index: int, late: float = 0.0) -> Ticket:
        return Ticket(0, Frame(PIXELS, index, index, Fraction(1, RATE), "camera 0"), index / RATE + late)

    def take(self) -> None:
        """The model begins with the newest frame."""
        batch = self.intake.take(1)
        assert batch is not None
        self.seen += batch[0]

    def result(self) -> Segmented:
        """The model has finished the oldest frame that it has begun with."""
        ticket = self.seen.pop(0)
        return ticket, found_in(ticket.frame.index)

    def shown(self, events: Callable[[], Iterator[Segmented | Ticket | None]]) -> list[tuple[int, int, bool]]:
        """For each frame shown: its index, that of the frame in which its object was found, whether it was carried."""
        stage = Stage("track camera 0", self.statistics, lambda name, error: self.errors.append(error))
        inbox = Scripted(self.statistics, events)
        follower = Follower(self.tracker, stage)
        LiveFollower(
            follower, 0, **self.options, intake=self.intake, inbox=inbox, outbox=self.outbox, stage=stage
        ).run()
        assert not self.errors, self.errors
        shown = []
        for ticket, found in self.outbox:
            carried = found.ids.tolist() == [ticket.frame.index] and ticket.frame.index > 0
            shown.append((ticket.frame.index, int(found.scores[0]), carried))
        return shown


def test_frames_wait_for_a_model_that_keeps_up():
    bench = Bench()

    def events():
        for index in range(20):
            yield bench.frame(index)
            bench.take()
            assert index == 0 or bench.intake.passed_over(0) == 0
            yield bench.result()

    assert bench.shown(events) == [(index, index, False) for index in range(20)]
    assert bench.statistics.streams[0].dropped == 0


def slow(bench: Bench, frames: int, every: int = 4, start: int = 0) -> Iterator[Segmented | Ticket]:
    """A model that takes as long as ``every`` frames; each result comes just before a frame."""
    for index in range(start, start + frames):
        if bench.seen and index > bench.seen[0].frame.index + every:
            yield bench.result()
        yield bench.frame(index)
        if not bench.seen:
            bench.take()


def test_no_frame_waits_for_a_model_that_is_behind():
    bench = Bench()
    when: list[tuple[int, int]] = []

    def events():
        for event in slow(bench, 60):
            yield event
            if isinstance(event, Ticket) and event.frame.index > 20:
                when.append((event.frame.index, len(bench.outbox._items)))

    shown = bench.shown(events)
    dropped = bench.statistics.streams[0].dropped
    assert [index for index, _, _ in shown] == [0, *range(4, 60)] and dropped == 3  # before the first result
    assert all(frames == index + 1 - dropped for index, frames in when), "each is shown when it comes"
    behind = shown[20:]
    assert all(carried for _, _, carried in behind)
    assert all(4 < index - found <= 10 for index, found, _ in behind)
    assert bench.tracker.updates == sorted(bench.tracker.updates)


def test_a_late_result_moves_what_is_carried_from_then_on():
    bench = Bench()
    shown = bench.shown(lambda: slow(bench, 60))
    founds = [found for _, found, _ in shown]
    assert founds == sorted(founds) and len(set(founds[20:])) >= 5


def test_a_few_frames_that_come_at_once_change_nothing():
    bench = Bench()

    def events():
        index = 0
        for burst in (1, 1, 3, 1, 1, 4, 1):
            for _ in range(burst):
                yield bench.frame(index)
                if not bench.seen:
                    bench.take()
                index += 1
            while bench.seen:
                yield bench.result()
                if bench.intake._lanes[0].waiting:
                    bench.take()

    shown = bench.shown(events)
    assert [index for index, _, _ in shown] == list(range(12))
    # Only those in the middle of a burst were passed over.
    assert [index for index, _, carried in shown if carried] == [3, 8, 9]


def test_frames_wait_again_when_the_model_has_kept_up_for_a_while():
    bench = Bench()
    calm = round(CALM * RATE)

    def events():
        yield from slow(bench, 40)
        for index in range(40, 40 + 2 * calm):
            while bench.seen:
                yield bench.result()
                if bench.intake._lanes[0].waiting:
                    bench.take()
            yield bench.frame(index)
            if not bench.seen:
                bench.take()
        yield bench.result()

    shown = {index: carried for index, _, carried in bench.shown(events)}
    assert all(shown[index] for index in range(20, 40 + calm - 2))
    assert not any(shown[index] for index in range(40 + calm, 40 + 2 * calm))


def test_more_than_a_few_are_too_many():
    bench = Bench()

    def events():
        yield bench.frame(0)
        bench.take()
        yield bench.result()
        yield bench.frame(1)
        bench.take()
        for index in range(2, 2 + FEW + 1):
            yield bench.frame(index)
        assert len(bench.outbox._items) == 1  # one waits for the model, the others may yet be few
        yield bench.frame(3 + FEW)
        assert len(bench.outbox._items) == 4 + FEW

    bench.shown(events)


def test_only_so_many_frames_are_shown():
    bench = Bench(limit=9)
    assert [index for index, _, _ in bench.shown(lambda: slow(bench, 60))] == [0, *range(4, 12)]
    assert not bench.intake.put(bench.frame(99)), "nothing more is wanted"


def test_the_limit_holds_when_many_frames_stop_waiting_at_once():
    bench = Bench(limit=4)

    def events():
        yield bench.frame(0)
        bench.take()
        yield bench.result()
        for index in range(1, 5 + FEW):
            yield bench.frame(index)
            if index == 1:
                bench.take()

    assert [index for index, _, _ in bench.shown(events)] == [0, 1, 2, 3]


def test_with_a_stride_the_model_gets_no_more_than_its_share():
    bench = Bench(stride=3)

    def events():
        for index in range(12):
            yield bench.frame(index)
            if index % 3 == 0:
                bench.take()
            elif index % 3 == 2:
                yield bench.result()

    shown = bench.shown(events)
    assert [index for index, _, _ in shown] == [0, *range(3, 12)]  # 1 and 2 come before the first result
    assert [found for _, found, _ in shown] == [0, 3, 3, 3, 6, 6, 6, 9, 9, 9]
    assert [index for index, _, carried in shown if not carried] == [0, 3, 6, 9]


def test_regions_stay_until_the_next_ones():
    names = ("road",)
    follower = Follower(Tracker(), UNTOLD)
    first, small = (Frame(np.zeros((*size, 3), np.uint8), 0, 0, Fraction(1, RATE)) for size in ((2, 2), (1, 2)))
    assert follower.carry(first) is None
    regions = follower.update(first, Regions(np.ones((2, 2), np.uint8), names))
    assert follower.carry(first) is regions
    other = follower.carry(small)
    assert isinstance(other, Regions) and other.labels.tolist() == [[0, 0]] and other.class_names == names


def test_without_a_tracker_objects_stay_as_they_were_found():
    follower, frame = Follower(None, UNTOLD), Frame(PIXELS, 0, 0, Fraction(1, RATE))
    found = follower.update(frame, found_in(3))
    assert follower.carry(frame) is found


class TestArrivals:
    @pytest.fixture
    def statistics(self) -> Statistics:
        return Statistics([StreamInfo("camera 0", 2, 2, Fraction(1, RATE), live=True)])

    @pytest.fixture
    def arrivals(self, statistics: Statistics) -> Arrivals:
        return Arrivals(1, statistics.streams[0])

    def test_results_come_first_then_the_newest_frame_then_the_end(self, arrivals, statistics):
        tickets = [Bench().frame(index) for index in range(3)]
        for ticket in tickets:
            assert arrivals.offer(ticket)
        arrivals.put((tickets[0], found_in(0)))
        arrivals.end()
        events = iter(arrivals)
        assert next(events)[0] is tickets[0]
        assert next(events) is tickets[2]
        assert next(events) is None
        assert statistics.streams[0].dropped == 2
        arrivals.close()
        assert list(events) == []

    def test_a_result_waits_for_room_and_leaving_frees_it(self, arrivals):
        answers: list[bool] = []
        arrivals.put((Bench().frame(0), found_in(0)))
        giver = threading.Thread(
            target=lambda: answers.append(arrivals.put((Bench().frame(1), found_in(1)))), daemon=True
        )
        giver.start()
        time.sleep(0.05)
        assert not answers
        arrivals.leave()
        giver.join(PATIENT)
        assert answers == [False]
        assert not arrivals.offer(Bench().frame(2))
