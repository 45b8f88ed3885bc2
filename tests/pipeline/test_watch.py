"""A stage that hangs or dies is reported by name; a run that is to stop ends without one that does not come back."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from streamseg.errors import StageError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.pipeline import Outlet, Pipeline, core, watch
from streamseg.pipeline.statistics import Statistics
from streamseg.pipeline.watch import Watch
from streamseg.sinks import Ending

INFO = StreamInfo("clip", 8, 6, Fraction(1, 30))
PATIENT = 20.0


class Clip:
    """A recorded source of some frames, that may hang before one of them."""

    def __init__(self, count: int = 20, hangs_at: int | None = None, released: threading.Event | None = None) -> None:
        self.info = INFO
        self.losses: Counter[str] = Counter()
        self.notes: list[str] = []
        self._count, self._hangs_at, self._released = count, hangs_at, released

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._count):
            if index == self._hangs_at and self._released is not None:
                self._released.wait(PATIENT)
            yield Frame(np.zeros((6, 8, 3), np.uint8), index, index, INFO.time_base, "clip")

    def close(self) -> None:
        pass


class Shelf:
    """A sink that keeps what it gets, and may hang."""

    wants_picture = wants_masks = on_main_thread = False

    def __init__(self, hangs: threading.Event | None = None) -> None:
        self.indices: list[int] = []
        self.closed: tuple[bool, Ending] | None = None
        self._hangs = hangs

    def open(self, info: StreamInfo) -> None:
        pass

    def write(self, result) -> None:
        if self._hangs is not None and len(self.indices) == 3:
            self._hangs.wait(PATIENT)
        self.indices.append(result.frame.index)

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        self.closed = ok, ending
        return []


def nothing(pictures):
    return [Instances.empty(("person",)) for _ in pictures]


def pipeline(source=None, segment=nothing, sink=None, **more) -> Pipeline:
    outlets = [Outlet(sink or Shelf(), None, "write shelf")]
    return Pipeline([source or Clip()], segment, paint=lambda frame, found: frame.pixels, outlets=outlets, **more)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(watch.Watch.__init__, "__defaults__", (0.2,))
    monkeypatch.setattr(core, "_GIVING_UP", 0.4)


def hang(released: threading.Event):
    calls = []

    def segment(pictures):
        calls.append(1)
        if len(calls) == 2:
            released.wait(PATIENT)
        return nothing(pictures)

    return segment


STAGES = {
    "decode clip": lambda released: {"source": Clip(hangs_at=5, released=released)},
    "segment": lambda released: {"segment": hang(released)},
    "write shelf": lambda released: {"sink": Shelf(released)},
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_hangs_is_named_and_waited_for(stage, impatient, caplog):
    released = threading.Event()
    run = pipeline(**STAGES[stage](released))
    thread = threading.Thread(target=run.run)
    with caplog.at_level(logging.WARNING, "streamseg"):
        thread.start()
        deadline = time.monotonic() + PATIENT
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.01)
        released.set()
        thread.join(PATIENT)
    assert caplog.messages[0].startswith(f"{stage}: no answer for ")
    assert {message.split(":")[0] for message in caplog.messages} == {stage}
    assert run.statistics.frames == 20 and run.error is None


@pytest.mark.parametrize("stage", ["segment", "write shelf"])
def test_a_run_that_is_to_stop_ends_without_a_stage_that_does_not_come_back(stage, impatient, caplog):
    released, kept = threading.Event(), Shelf()
    about = STAGES[stage](released)
    run = pipeline(**about)
    run._outlets.append(Outlet(kept, None, "write kept"))
    errors: list[Exception] = []

    def body() -> None:
        try:
            run.run()
        except StageError as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    time.sleep(0.3)
    run.stop()
    thread.join(PATIENT)
    assert not thread.is_alive()
    assert kept.closed is not None and not kept.closed[0]
    [error] = errors
    assert error.stage == stage and "no answer for" in str(error)
    released.set()


def test_a_stage_that_ends_itself_is_a_failure():
    """``sys.exit`` in a thread would otherwise end it without a word, and the file would look whole."""

    def segment(pictures):
        sys.exit(3)

    kept = Shelf()
    with pytest.raises(StageError, match="segment: SystemExit"):
        pipeline(segment=segment, sink=kept).run()
    assert kept.closed is not None and not kept.closed[0]


def test_nothing_is_said_of_a_run_that_moves(impatient, caplog):
    def segment(pictures):
        time.sleep(0.02)
        return nothing(pictures)

    with caplog.at_level(logging.WARNING, "streamseg"):
        pipeline(source=Clip(60), segment=segment).run()
    assert caplog.messages == []


def test_who_waits_for_people_is_excused(caplog):
    statistics = Statistics([INFO])
    looking = Watch(statistics, {"show window"}, lambda: False, patience=0.1)
    with caplog.at_level(logging.WARNING, "streamseg"), statistics.working("show window"):
        looking.start()
        time.sleep(0.4)
    looking.stop()
    assert caplog.messages == []


def test_that_nobody_has_work_is_said_once_and_again_after_twice_the_time(caplog):
    looking = Watch(Statistics([INFO]), set(), lambda: True, patience=0.1)
    with caplog.at_level(logging.WARNING, "streamseg"):
        looking.start()
        time.sleep(0.6)
    looking.stop()
    assert 2 <= len(caplog.messages) <= 3
    assert all(message.startswith("no stage has had work for ") for message in caplog.messages)
