"""The table of tracks."""

from __future__ import annotations

import csv
import os
from fractions import Fraction

import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.regions import Regions
from streamseg.result import Result
from streamseg.sinks import Sink, TracksSink

INFO = StreamInfo("a.mp4", 64, 48, Fraction(1, 10))


def result_of(index, places, source="a.mp4") -> Result:
    """One frame with objects of 10 x 10 pixels: (id, left, score, label) each."""
    rows = np.array(places, float).reshape(-1, 4)
    corner = np.stack([rows[:, 1], np.full(len(rows), 4.0)], 1)
    found = Instances(
        boxes=np.concatenate([corner, corner + 10], 1).astype(np.float32),
        scores=rows[:, 2].astype(np.float32),
        labels=rows[:, 3].astype(np.int64),
        masks=np.ones((len(rows), 28, 28), np.float32),
        ids=rows[:, 0].astype(np.int64),
        class_names=("car", "véhicule"),
    )
    frame = Frame(np.zeros((48, 64, 3), np.uint8), index, index, Fraction(1, 10), source)
    return Result(frame, found, lambda frame, found: frame.image)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_sums_a_track_up(tmp_path):
    path = tmp_path / "tracks.csv"
    sink = TracksSink(path)
    assert isinstance(sink, Sink)
    sink.open(INFO)
    sink.write(result_of(0, [(2, 0, 0.4, 0), (0, 40, 0.9, 0)]))
    sink.write(result_of(1, [(2, 3, 0.3, 0), (1, 20, 0.5, 1)]))
    sink.write(result_of(5, [(2, -1, 0.8, 1)]))
    assert os.listdir(tmp_path) == [".tracks.csv.part"]
    assert sink.close() == [f"wrote {path}"] and sink.close() == []
    first, second = read(path)
    assert (first["id"], first["label"], first["frames"], first["first"], first["last"]) == (
        *("1", "véhicule", "1", "0.100", "0.100"),
    )
    assert (first["path"], first["score"]) == ("0.0", "0.5000")
    assert list(second.values()) == [
        *("2", "véhicule", "0.5000", "3", "0.000", "0.500", "7.0"),
        *("0.0", "4.0", "10.0", "14.0", "-1.0", "4.0", "9.0", "14.0"),
    ]
    assert os.listdir(tmp_path) == ["tracks.csv"]


def test_sources_have_rows_of_their_own(tmp_path):
    sink = TracksSink(tmp_path / "tracks.csv", several_sources=True)
    for name in ("b, c", "a"):
        sink.open(StreamInfo(name, 64, 48, Fraction(1, 10)))
    sink.write(result_of(0, [(1, 0, 0.5, 0)], "a"))
    sink.write(result_of(0, [(1, 9, 0.5, 0)], "b, c"))
    sink.close()
    assert [(row["source"], row["id"], row["first_left"]) for row in read(tmp_path / "tracks.csv")] == [
        ("b, c", "1", "9.0"),
        ("a", "1", "0.0"),
    ]


def test_nothing_followed_is_a_table_without_rows(tmp_path):
    sink = TracksSink(tmp_path / "tracks.csv")
    sink.open(INFO)
    frame = result_of(0, []).frame
    sink.write(Result(frame, Regions(np.zeros((48, 64), np.uint8), ("road",)), lambda frame, found: frame.image))
    sink.close()
    assert read(tmp_path / "tracks.csv") == []
    assert (tmp_path / "tracks.csv").read_text().startswith("id,label,score,frames,first,last,path,")


def test_after_a_failure_an_older_table_stays(tmp_path):
    path = tmp_path / "tracks.csv"
    path.write_text("older\n")
    with pytest.raises(UserError, match="exists already"):
        TracksSink(path)
    sink = TracksSink(path, overwrite=True)
    sink.open(INFO)
    sink.write(result_of(0, [(1, 0, 0.5, 0)]))
    assert sink.close(ok=False) == ["the run failed, so there is no tracks.csv"]
    assert sorted(os.listdir(tmp_path)) == [".tracks.csv.part", "tracks.csv"]
    assert path.read_text() == "older\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_and_leaves_what_the_table_is_made_of(tmp_path):
    sink = TracksSink(tmp_path / "tracks.csv")
    sink.open(INFO)
    (tmp_path / ".tracks.csv.part2").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"tracks\.csv: cannot be written .*; free some space and run again"):
        sink.close()
    assert os.listdir(tmp_path) == [".tracks.csv.part"]
