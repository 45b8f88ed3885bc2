"""Marks: where one can go on, what is kept of them, and that damage is passed over."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamseg.frame import Frame
from streamseg.pipeline.marks import EVERY, Mark, Marker, check_sum, latest_certain, read_marks, start_for
from streamseg.planes import Planes
from streamseg.sinks.markfile import MarkFile
from streamseg.sinks.markfile import read_marks as read_file

RATE = Fraction(1, 30)


def mark(index: int, **other) -> Mark:
    return Mark(index, index, RATE, 7, {"stride": 1}, b"state" * 99, **other)


def frame(index: int, pts: int | None = None, value: int = 0) -> Frame:
    return Frame(np.full((4, 6, 3), value, np.uint8), index, index if pts is None else pts, RATE, "clip")


def test_a_mark_comes_back_as_it_was():
    assert Mark.from_bytes(mark(60).to_bytes()) == mark(60)
    assert mark(60).seconds == 2.0


@given(st.integers(0, 400), st.binary(min_size=1, max_size=30))
def test_damage_is_a_value_error(at, damage):
    data = mark(60).to_bytes()
    changed = data[:at] + damage + data[at + len(damage) :]
    with contextlib.suppress(ValueError):
        assert isinstance(Mark.from_bytes(changed), Mark)
    marks, _ = read_marks([mark(0).to_bytes(), changed])
    assert marks[0] == mark(0) or len(marks) == 1


def test_marks_are_made_every_two_seconds_of_the_source_and_not_while_time_runs_back():
    kept: list[bytes] = []
    marker = Marker(kept.append, {"stride": 1})
    for index in range(200):
        marker.before(frame(index), lambda: b"")
    for index in range(200, 260):
        marker.before(frame(index, index - 100), lambda: b"")  # the clock began anew
    marker.before(frame(260, 300), lambda: b"")
    marks, ended = read_marks(kept)
    assert [mark.index for mark in marks] == [0, 60, 120, 180, 260]
    assert not ended and float(60 * RATE) == EVERY
    marker.end()
    assert read_marks(kept)[1]


@pytest.mark.parametrize(
    ("first", "seconds", "frames", "begin"),
    [
        (250, 1.35, 2, 180),
        (250, 0.35, 2, 180),
        (241, 0.35, 2, 180),
        (180, 0.35, 0, 120),
        (59, 0.35, 2, None),
        (250, 8.1, 2, None),
        (250, 4.0, 2, 120),
        (250, 0.35, 240, 0),
    ],
)
def test_where_to_begin(first, seconds, frames, begin):
    found = start_for([mark(index) for index in range(0, 300, 60)], first, seconds, frames)
    assert (found.index if found else None) == begin


def test_what_was_told_in_haste_is_told_again():
    marks = [mark(index) for index in range(0, 300, 60)]
    assert latest_certain(marks, 1.35, 2) == 180
    assert latest_certain(marks, 0.0, 2) == 180
    assert latest_certain(marks[:1], 1.35, 2) == 0


def test_a_picture_is_recognised():
    planes = [Planes(*(np.full(shape, value, np.uint8) for shape in ((4, 6), (2, 3), (2, 3)))) for value in (1, 1, 2)]
    sums = [check_sum(Frame(each, 0, 0, RATE)) for each in planes]
    assert sums[0] == sums[1] != sums[2]
    assert check_sum(frame(0, value=3)) == check_sum(frame(9, value=3)) != check_sum(frame(0, value=4))


def test_a_file_of_marks_outlives_a_crash_and_stays_small(tmp_path, monkeypatch):
    path = tmp_path / ".out.jsonl.part.marks"
    marks = MarkFile(path)
    for number in range(5):
        marks.add(bytes([number]) * 100)
    path.write_bytes(path.read_bytes()[:-30])  # the last one is half written
    assert read_file(path) == [bytes([number]) * 100 for number in range(4)]
    monkeypatch.setattr("streamseg.sinks.markfile._MOST", 5_000)
    for number in range(100):
        marks.add(bytes([number]) * 100)
    kept = read_file(path)
    assert path.stat().st_size < 10_000 and kept[-1] == bytes([99]) * 100 and len(kept) >= 40
    marks.discard()
    assert read_file(path) == [] and not path.exists()
