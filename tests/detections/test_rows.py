"""Rows of MOTChallenge, right and wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.detections.rows import RowDetections
from streamseg.errors import UserError


def test_frames_come_in_any_order_and_count_from_one(rows):
    found = RowDetections(rows("3,-1,10,20,30,40,0.25", "", "1,7,0.5,1,2,3,1,3,-1", "3,-1,1,1,1,1,0.5,-1,-1,-1"))
    assert found.numbers.tolist() == [0, 1, 2] and found.extent == (40, 60)
    assert found.class_names == ("object", "car")
    assert [len(found.at(number)) for number in range(5)] == [1, 0, 2, 0, 0]
    assert {(found.at(number).masks.shape[1], found.at(number).pasting) for number in range(5)} == {(1, "box")}
    first, last = found.at(0), found.at(2)
    assert (first.names, first.boxes.tolist(), first.scores.tolist()) == (["car"], [[0.5, 1, 2.5, 4]], [1])
    assert (last.names, last.boxes.tolist()) == (["object"] * 2, [[10, 20, 40, 60], [1, 1, 2, 2]])
    assert not last.has_masks and (last.masks == 1).all() and (last.ids == 0).all()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("1 -1 0 0 5 5", ["object"]),
        ("1,-1,0,0,5,5", ["object"]),
        ("1,-1,0,0,5,5,0.5", ["object"]),
        ("1,-1,0,0,5,5,0.5,1", ["person"]),
        ("1,-1,0,0,5,5,0.5,14,-1,-1", ["class 14"]),
        ("1,-1,0,0,5,5,0.5,-1,-1,-1", ["object"]),
        ("1,-1,0,0,5,5,0.5,3.5,2,0", ["object"]),  # a place in the world
        ("\ufeff1,-1,0,0,5,5,0.5,3,0.7", ["car"]),
        (" 1 , -1 ,0 ,0,5,5, 5e-1, 4", ["bicycle"]),
        ("1,-1,0,0,0,5", []),
    ],
)
def test_columns_may_be_missing(rows, line, names):
    found = RowDetections(rows(line))
    assert found.at(0).names == names
    assert found.notes == ([] if names else [f"{found.path}: 1 box without area is left out"])


def test_a_file_without_rows_is_a_video_without_objects(rows):
    assert len(RowDetections(rows()).numbers) == 0
    assert len(RowDetections(rows(), 9).numbers) == 9


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("frame,id,left,top,width,height", "'frame' is no number; a row is frame,id,left"),
        ("1 1 1 48 64 WSV:2d;1O10000O10000O1O100O100O1O1", "'WSV:2d;1O10000O10000' is no number"),
        ("1,-1,0,0,5", "5 columns; a row is frame,id,left"),
        ("1,-1,,0,5,5", "'' is no number"),
        ("0,-1,0,0,5,5", "frame 0 is not a whole number from 1 to 8"),
        ("1.5,-1,0,0,5,5", "frame 1.5 is not a whole number"),
        ("9,-1,0,0,5,5", "frame 9 is not a whole number from 1 to 8"),
        ("nan,-1,0,0,5,5", "frame nan is not a whole number"),
        ("1,-1,nan,0,5,5", "the box nan, 0, 5, 5 lies in no picture"),
        ("1,-1,0,0,1e300,5", "lies in no picture"),
        ("1,-1,0,0,-5,5", "width -5 or height 5 is negative"),
        ("1,-1,0,0,5,5,37.5", "score 37.5 is not from 0 to 1; divide percentages by 100, turn logits"),
        ("1,-1,0,0,5,5,-1", "score -1 is not from 0 to 1"),
        ("1,-1,0,0,5,5,nan", "score nan is not from 0 to 1"),
        ("1,-1,0,0,5,5,0.5,0", "class 0 is not a whole number from 1"),
        ("1,-1,0,0,5,5,0.5,2.5", "class 2.5 is not a whole number from 1"),
        ("1,-1,0,0,5,5,0.5,inf", "class inf is not a whole number from 1"),
    ],
)
def test_a_wrong_row_is_one_line_that_names_it(rows, line, message):
    path = rows("1,-1,0,0,5,5", "", line)
    with pytest.raises(UserError) as error:
        RowDetections(path, 8)
    assert str(error.value).startswith(f"{path}, line 3: ") and message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_text_is_one_line(tmp_path):
    (tmp_path / "det.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match="it is no text file"):
        RowDetections(tmp_path / "det.txt")
    with pytest.raises(UserError, match=r"cannot read .*: No such file"):
        RowDetections(tmp_path / "none.txt")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(allow_nan=True).map(str) | st.integers(-2, 9).map(str) | st.text(max_size=4), max_size=11),
        max_size=5,
    )
)
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("fuzz") / "det.txt"
    path.write_text("\n".join(",".join(row) for row in table), encoding="utf-8", errors="replace")
    try:
        found = RowDetections(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    for number in found.numbers[:20].tolist():
        objects = found.at(number)
        assert np.isfinite(objects.boxes).all() and len(objects.names) == len(objects)
