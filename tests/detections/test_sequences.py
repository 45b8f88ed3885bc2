"""What is known of the video that detections are of."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streamseg.detections.sequences import read_sequences
from streamseg.errors import UserError

ROW = "2,-1,10,20,30.5,40,0.5"
INFO = "[Sequence]\nname=MOT 02/x\nframeRate=25\nseqLength=4\nimWidth=640\nimHeight=480\n"


def test_seqinfo_tells_what_flags_do_not(rows, tmp_path):
    path = rows(ROW, name="a/det/det.txt")
    (tmp_path / "a" / "seqinfo.ini").write_text(INFO)
    (one,) = read_sequences(path)
    assert (one.name, one.rate, one.width, one.height, one.sized) == ("MOT 02-x", 25, 640, 480, True)
    assert len(one.detections.numbers) == 4
    (one,) = read_sequences(path, Fraction(10), (99, 88))
    assert (one.rate, one.width, one.height) == (10, 99, 88)


def test_without_a_size_it_is_what_the_boxes_reach(rows):
    (one,) = read_sequences(rows(ROW), Fraction(10))
    assert (one.width, one.height, one.sized, len(one.detections.numbers)) == (41, 60, False, 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x/det.txt", "x"), ("x/det/det.txt", "x"), ("x/found.txt", "found"), ("x.1/det.txt", "x.1")],
)
def test_names_come_from_the_place(rows, name, expected):
    assert read_sequences(rows(ROW, name=name), Fraction(10))[0].name == expected


def test_a_rate_is_needed_unless_times_are_known(rows, records, record):
    path = rows(ROW)
    with pytest.raises(UserError, match=r"how many frames per second\? say so by --fps"):
        read_sequences(path)
    assert read_sequences(path, timed=True)[0].rate is None
    assert read_sequences(records(record(0)))[0].rate is None
    with pytest.raises(UserError, match="how many frames per second"):
        read_sequences(records('{"frame": 0, "instances": []}'))


def test_masks_tell_the_size(records, record):
    (one,) = read_sequences(records(record(0, [("car", 0.9, (4, 6, 20, 30))], masks=True)))
    assert (one.width, one.height, one.sized) == (64, 48, True)


def test_a_folder_holds_a_sequence_for_each_det_txt(rows, tmp_path):
    for name in ("b/det.txt", "deep/er/a/det/det.txt", "c/other.txt"):
        rows(ROW, name=name)
    assert [one.name for one in read_sequences(tmp_path, Fraction(10))] == ["b", "a"]
    rows(ROW, name="elsewhere/B/det.txt")
    with pytest.raises(UserError, match="are both called"):
        read_sequences(tmp_path, Fraction(10))


def test_nothing_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no det\.txt in this folder"):
        read_sequences(tmp_path)
    with pytest.raises(UserError, match="there is no such file"):
        read_sequences(tmp_path / "none.txt")
