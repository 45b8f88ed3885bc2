from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from pycocotools import mask as coco

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.regions import Regions
from streamseg.result import Result
from streamseg.sinks import RecordsSink, Sink
from streamseg.sinks.records import record

INFO = StreamInfo("a.mp4", 64, 48, Fraction(1, 30))


def result_of(index, source="a.mp4", count=1):
    found = Instances(
        boxes=np.tile(np.array([[4.123456, 8, 20.5, 30.98765]], np.float32), (count, 1)),
        scores=np.full(count, 0.987654, np.float32),
        labels=np.ones(count, np.int64),
        masks=np.ones((count, 28, 28), np.float32),
        ids=np.arange(1, count + 1),
        class_names=("person", "véhicule"),
    )
    frame = Frame(np.zeros((48, 64, 3), np.uint8), index, index, Fraction(1, 30), source)
    return Result(frame, found, lambda frame, instances: frame.image)


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_line_is_as_promised(tmp_path):
    path = tmp_path / "out.jsonl"
    sink = RecordsSink(path)
    assert isinstance(sink, Sink)
    sink.open(INFO)
    for index in range(3):
        sink.write(result_of(index, count=index))
    assert not path.exists()
    assert sink.close() == [f"wrote {path}"]
    assert os.listdir(tmp_path) == ["out.jsonl"]
    found = lines(path)
    assert [list(line) for line in found] == [["frame", "pts", "instances"]] * 3
    assert [(line["frame"], line["pts"], len(line["instances"])) for line in found] == [
        (0, 0.0, 0),
        (1, 0.033333, 1),
        (2, 0.066667, 2),
    ]
    thing = found[1]["instances"][0]
    mask = thing.pop("mask")
    assert thing == {"id": 1, "label": "véhicule", "score": 0.9877, "box": [4.12, 8.0, 20.5, 30.99]}
    assert np.array_equal(coco.decode(mask).astype(bool), result_of(1).instances.to_masks(48, 64)[0])


@pytest.mark.parametrize("with_source", [False, True])
def test_regions_come_class_by_class_beside_no_objects(with_source):
    labels = np.zeros((48, 64), np.uint8)
    labels[24:, :32], labels[40:, 60:] = 3, 1
    frame = Frame(np.zeros((48, 64, 3), np.uint8), 7, 7, Fraction(1, 30), "a.mp4")
    line = record(Result(frame, Regions(labels, ("road", "car", "tree")), None), with_source=with_source)
    assert list(line) == ["frame", "pts", *["source"] * with_source, "instances", "regions"]
    assert line["instances"] == []
    assert [(each["label"], each["share"]) for each in line["regions"]] == [("road", 0.0104), ("tree", 0.25)]
    for each, label in zip(line["regions"], (1, 3), strict=True):
        assert set(each) == {"label", "share", "mask"}
        assert np.array_equal(coco.decode(each["mask"]), labels == label)


def test_several_streams_share_one_file(tmp_path):
    sink = RecordsSink(tmp_path / "out.jsonl", several_sources=True)
    names = ["a.mp4", "b.mp4"]
    for _ in names:
        sink.open(INFO)
    threads = [
        threading.Thread(target=lambda name=name: [sink.write(result_of(k, name, 2)) for k in range(40)])
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()
    found = lines(tmp_path / "out.jsonl")
    assert list(found[0]) == ["frame", "pts", "source", "instances"]
    for name in names:
        assert [line["frame"] for line in found if line["source"] == name] == list(range(40))


@pytest.mark.parametrize("ok", [True, False])
def test_after_a_failure_an_older_file_stays(tmp_path, ok):
    path = tmp_path / "out.jsonl"
    path.write_text("older\n")
    with pytest.raises(UserError, match="exists already"):
        RecordsSink(path)
    sink = RecordsSink(path, overwrite=True)
    sink.open(INFO)
    sink.write(result_of(0))
    notes = sink.close(ok)
    assert (path.read_text() == "older\n") is not ok
    assert len(lines(path if ok else tmp_path / "out.partial.jsonl")) == 1
    assert len(notes) == 1


def test_objects_of_which_only_boxes_are_known_have_no_mask():
    result = result_of(0)
    result.found = replace(result.instances, masks=np.ones((1, 1, 1), np.float32), pasting="box")
    assert [list(entry) for entry in record(result)["instances"]] == [["id", "label", "score", "box"]]


def test_a_failure_before_the_first_line_leaves_nothing(tmp_path):
    sink = RecordsSink(tmp_path / "out.jsonl")
    sink.open(INFO)
    assert sink.close(ok=False) == []
    assert os.listdir(tmp_path) == []


def test_lines_are_there_as_soon_as_they_are_written(tmp_path):
    sink = RecordsSink(tmp_path / "out.jsonl")
    sink.open(INFO)
    sink.write(result_of(0))
    assert len(lines(tmp_path / ".out.jsonl.part")) == 1
    sink.close()


WRITER = """
    import sys, time
    import numpy as np
    from fractions import Fraction
    from streamseg.frame import Frame, StreamInfo
    from streamseg.instances import Instances
    from streamseg.result import Result
    from streamseg.sinks import RecordsSink, StopRequested
    sink = RecordsSink("-")
    sink.open(StreamInfo("x", 8, 8, Fraction(1)))
    try:
        for k in range(int(sys.argv[1])):
            frame = Frame(np.zeros((8, 8, 3), np.uint8), k, k, Fraction(1))
            sink.write(Result(frame, Instances.empty(), None))
    except StopRequested:
        print("stopped", file=sys.stderr)
    sink.close()
"""


def test_standard_output_gets_lines():
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(WRITER), "3"], capture_output=True, text=True)
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1, 2]
    assert done.stderr == ""


def test_a_reader_that_hangs_up_ends_the_run_quietly():
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b"stopped\n"
    child.stderr.close()
    assert child.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path):
    sink = RecordsSink(tmp_path / "out.jsonl")
    (tmp_path / ".out.jsonl.part").symlink_to("/dev/full")
    sink.open(INFO)
    with pytest.raises(UserError, match=r"out.jsonl: cannot be written \(No space left") as error:
        sink.write(result_of(0))
    assert "\n" not in str(error.value)
    assert sink.close(ok=False) == []
    assert not (tmp_path / "out.jsonl").exists()
