"""Rows of MOTChallenge and MOTS, read back."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.regions import Regions
from streamseg.result import Result
from streamseg.sinks import MotSink, MotsSink, Sink

SIZE = 48, 64
INFO = StreamInfo("a.mp4", SIZE[1], SIZE[0], Fraction(1, 30))
NAMES = ("person", "vehicle", "car", "class 14", "object", "pedestrian")


def objects(boxes, ids=None, scores=None, labels=None, pasting="aligned") -> Instances:
    count = len(boxes)
    return Instances(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array([0.5] * count if scores is None else scores, np.float32),
        labels=np.array([0] * count if labels is None else labels, np.int64),
        masks=np.ones((count, 28, 28), np.float32),
        ids=np.array(range(1, count + 1) if ids is None else ids, np.int64),
        class_names=NAMES,
        pasting=pasting,
    )


def result_of(found, index=0) -> Result:
    frame = Frame(np.zeros((*SIZE, 3), np.uint8), index, index, Fraction(1, 30), "a.mp4")
    return Result(frame, found, lambda frame, found: frame.image)


def written(sink, *results) -> str:
    assert isinstance(sink, Sink)
    sink.open(INFO)
    for result in results:
        sink.write(result)
    assert sink.close() == [f"wrote {sink._staged.path}"]
    return sink._staged.path.read_text()


def test_mot_rows_are_as_the_benchmark_reads_them(tmp_path):
    first = objects([[4.126, 8, 20.5, 30.98], [0, 0, 5, 5]], ids=[7, 0], scores=[0.98768, 0.9])
    labels = [0, 1, 2, 3, 4, 5]
    every = objects([[0, 0, 10, 10]] * 6, labels=labels)
    text = written(MotSink(tmp_path / "out.txt"), result_of(first), result_of(every, 2))
    rows = text.splitlines()
    assert rows[0] == "1,7,4.13,8.00,16.37,22.98,0.9877,1,-1,-1"
    assert [row.split(",")[0] for row in rows[1:]] == ["3"] * 6
    # Ours, then ours by place, MOTChallenge's, one by number, none, and another word for ours.
    assert [row.split(",")[7] for row in rows[1:]] == ["1", "102", "3", "14", "-1", "1"]
    assert os.listdir(tmp_path) == ["out.txt"]


@settings(max_examples=25, deadline=None)
@given(
    boxes=st.lists(st.tuples(*[st.floats(-20, 80, width=32)] * 2, *[st.floats(0, 70, width=32)] * 2), max_size=6),
    seed=st.integers(0, 9),
)
def test_mots_masks_do_not_overlap_and_the_better_object_keeps_the_pixel(tmp_path_factory, boxes, seed):
    random = np.random.default_rng(seed)
    corners = [[x, y, x + width, y + height] for x, y, width, height in boxes]
    scores = random.permutation(len(boxes)) / 10 + 0.1
    found = objects(corners, scores=scores, labels=random.integers(0, 3, len(boxes)))
    found.masks[:] = random.random(found.masks.shape) > 0.3
    path = tmp_path_factory.mktemp("mots") / "out.txt"
    rows = [row.split(" ") for row in written(MotsSink(path), result_of(found, 4)).splitlines()]
    full = found.to_masks(*SIZE)
    left, expected = np.ones(SIZE, bool), {}
    for index in np.argsort(-scores):
        if (full[index] & left).any():
            expected[index + 1] = full[index] & left
        left &= ~full[index]
    assert {int(row[1]) for row in rows} == set(expected)
    for frame, identity, number, height, width, counts in rows:
        mask = coco.decode({"size": [int(height), int(width)], "counts": counts}).astype(bool)
        assert np.array_equal(mask, expected[int(identity)])
        name = NAMES[found.labels[int(identity) - 1]]
        assert (frame, number) == ("5", {"person": "2", "vehicle": "102", "car": "1"}[name])


@pytest.mark.parametrize(
    ("sink", "found", "message"),
    [
        (MotSink, Regions(np.zeros(SIZE, np.uint8), ("road",)), "finds regions, not objects"),
        (MotsSink, Regions(np.zeros(SIZE, np.uint8), ("road",)), "finds regions, not objects"),
        (MotsSink, objects([[0, 0, 5, 5]], pasting="box"), "need masks, but only boxes are known"),
    ],
)
def test_what_has_no_place_in_such_a_file_is_one_line(tmp_path, sink, found, message):
    out = sink(tmp_path / "out.txt")
    out.open(INFO)
    with pytest.raises(UserError, match=message):
        out.write(result_of(found))
    out.close(ok=False)


def test_frames_without_objects_are_no_rows(tmp_path):
    assert written(MotsSink(tmp_path / "out.txt"), result_of(objects([], pasting="box"))) == ""
