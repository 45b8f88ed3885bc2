from __future__ import annotations

import threading
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np

from streamseg.frame import Frame
from streamseg.pipeline.intake import Intake, Ticket

PATIENT = 10.0
PIXEL = np.zeros((1, 1, 3), np.uint8)


def ticket(stream: int, index: int) -> Ticket:
    return Ticket(stream, Frame(PIXEL, index, index, Fraction(1, 10), str(stream)), time.monotonic())


def taken(intake: Intake, size: int) -> list[tuple[int, int]]:
    batch = intake.take(size)
    assert batch is not None
    return [(each.stream, each.frame.index) for each in batch[0]]


def test_a_live_source_keeps_its_newest_frame_and_counts_those_passed_over():
    intake = Intake([True], capacity=4)
    for index in range(5):
        assert intake.put(ticket(0, index))
    assert taken(intake, 4) == [(0, 4)]
    assert intake.passed_over(0) == 4


def test_recorded_sources_fill_the_batch_in_turn():
    intake = Intake([False, False], capacity=4)
    for index in range(3):
        intake.put(ticket(0, index))
    intake.put(ticket(1, 0))
    assert taken(intake, 4) == [(0, 0), (1, 0), (0, 1), (0, 2)]


def test_a_recorded_batch_waits_until_it_is_full():
    intake = Intake([False], capacity=4)
    intake.put(ticket(0, 0))
    batches: list[list[tuple[int, int]]] = []
    taker = threading.Thread(target=lambda: batches.append(taken(intake, 2)), daemon=True)
    taker.start()
    taker.join(0.05)
    assert not batches
    intake.put(ticket(0, 1))
    taker.join(PATIENT)
    assert batches == [[(0, 0), (0, 1)]]


def test_the_last_batch_need_not_be_full():
    intake = Intake([False], capacity=4)
    intake.put(ticket(0, 0))
    intake.end(0)
    batch = intake.take(4)
    assert batch is not None and len(batch[0]) == 1 and batch[1] == [0]
    assert intake.take(4) is None


def test_a_live_frame_does_not_wait_for_other_sources():
    for others in ([True], [False], [True, False]):  # all silent
        intake = Intake([True, *others], capacity=4)
        intake.put(ticket(0, 0))
        assert taken(intake, 8) == [(0, 0)]


def test_a_recorded_rest_does_not_wait_for_a_silent_camera():
    intake = Intake([False, True], capacity=4)
    intake.put(ticket(0, 0))
    intake.end(0)
    assert taken(intake, 8) == [(0, 0)]


def test_a_source_that_ends_is_reported_once_while_others_go_on():
    intake = Intake([True, True], capacity=4)
    intake.end(0)
    assert intake.take(2) == ([], [0])
    intake.put(ticket(1, 0))
    assert taken(intake, 2) == [(1, 0)]
    intake.end(1)
    assert intake.take(2) == ([], [1])
    assert intake.take(2) is None


def test_frames_that_follow_a_ticket_count_as_waiting_too():
    intake = Intake([False], capacity=3)
    intake.put(replace(ticket(0, 0), after=(ticket(0, 1),)))
    assert intake.put(replace(ticket(0, 2), after=(ticket(0, 3),)))  # two wait, so there is room
    third = threading.Thread(target=lambda: intake.put(ticket(0, 4)), daemon=True)
    third.start()
    third.join(0.05)
    assert third.is_alive()
    assert taken(intake, 1) == [(0, 0)]
    third.join(PATIENT)
    assert not third.is_alive()


def test_stopping_frees_whoever_waits():
    intake = Intake([False], capacity=1)
    intake.put(ticket(0, 0))
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.append(intake.put(ticket(0, 1))), daemon=True)
    giver.start()
    intake.stop()
    giver.join(PATIENT)
    assert answers == [False]
    assert intake.take(1) is None
