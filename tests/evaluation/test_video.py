"""Records of a video against its truth: which classes meet, what average precision says, and files that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.evaluation.video import evaluate_video
from streamseg.masks import Patch, encode

SAMPLE = Path(__file__).parents[2] / "samples" / "street.truth.jsonl"


def thing(identity: int, left: int, label: str = "person", height: int = 40, **keys: Any) -> dict[str, Any]:
    """A filled box, 20 wide, in a frame 300 wide and 100 high."""
    mask = encode(Patch(np.ones((height, 20), bool), left, 10), 100, 300)
    return {"id": identity, "label": label, "box": [left, 10, left + 20, 10 + height], "mask": mask, **keys}


def write(path: Path, *frames: list[dict[str, Any]]) -> Path:
    lines = (json.dumps({"frame": index, "pts": index / 10, "instances": found}) for index, found in enumerate(frames))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_half_found(tmp_path):
    truth = write(tmp_path / "truth.jsonl", *[[thing(1, 50), thing(2, 150), thing(3, 250, "cycle")]] * 4)
    found = write(tmp_path / "found.jsonl", *[[thing(5, 50, score=0.9), thing(0, 250, "cycle", score=0.8)]] * 4)
    report = evaluate_video(truth, found)
    assert (report.frames, report.by, report.left_out) == (4, "mask", ())
    for kind in (report.mask, report.box):
        assert list(kind) == ["all", "cycle", "person"]
        # One of two persons; COCO's 101 recalls from 0 to 1 include 0.5.
        assert (kind["person"].ap50, kind["cycle"].ap50) == pytest.approx((51 / 101, 1))
        assert kind["all"].ap == pytest.approx((51 / 101 + 1) / 2)
    assert (report.tracks["person"].matched, report.tracks["person"].misses) == (4, 4)
    # Found, but not followed.
    assert (report.tracks["cycle"].matched, report.overall.matched) == (0, 4)


def test_what_is_low_is_forgiven_in_everything(tmp_path):
    truth = write(tmp_path / "truth.jsonl", *[[thing(1, 50), thing(2, 150, height=12)]] * 3)
    several = [thing(5, 50, score=0.5), thing(6, 150, height=14, score=0.9), thing(7, 250, height=8, score=0.95)]
    strict = evaluate_video(truth, write(tmp_path / "found.jsonl", *[several] * 3))
    assert strict.mask["person"].ap50 < 0.7 and strict.overall.mota < 0.7
    for found in (several, several[:1]):
        report = evaluate_video(truth, write(tmp_path / "found.jsonl", *[found] * 3), min_height=16)
        assert (report.mask["person"].ap, report.box["person"].ap) == pytest.approx((1, 1))
        assert (report.overall.mota, report.overall.idf1, report.overall.hota) == pytest.approx((1, 1, 1))
    tall = [*several, thing(8, 250, score=0.99)]
    report = evaluate_video(truth, write(tmp_path / "found.jsonl", *[tall] * 3), min_height=16)
    assert report.mask["person"].ap == pytest.approx(0.5) and report.overall.false_positives == 3


def test_the_shipped_sample_against_itself(tmp_path):
    part = rows(tmp_path / "part.jsonl", *SAMPLE.read_text().splitlines()[::4])
    report = evaluate_video(part, part)
    assert report.frames == 75 and set(report.tracks) == {"person", "vehicle", "cycle"}
    for name, mask in report.mask.items():
        assert mask.ap == pytest.approx(1) and report.box[name].ap == pytest.approx(1)
        assert min(mask.small, mask.medium, mask.large) == pytest.approx(1)
    overall = report.overall
    assert (overall.switches, overall.misses, overall.false_positives) == (0, 0, 0)
    assert (overall.idf1, overall.mota, overall.hota) == pytest.approx((1, 1, 1))


def test_boxes_where_a_file_has_no_masks(tmp_path):
    truth = write(tmp_path / "truth.jsonl", [thing(1, 50)])
    bare = {key: value for key, value in thing(1, 50).items() if key != "mask"}
    found = write(tmp_path / "found.jsonl", [bare])
    report = evaluate_video(truth, found)
    assert (report.by, report.mask, report.box["person"].ap) == ("box", {}, pytest.approx(1))
    with pytest.raises(UserError, match=r"found\.jsonl: has no masks.*--by box"):
        evaluate_video(truth, found, "mask")


def rows(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_trackers_file_has_the_classes_of_the_truth(tmp_path):
    found = rows(tmp_path / "found.txt", "1,7,50,10,20,40,0.9", "2,7,50,10,20,40,0.9")
    truth = write(tmp_path / "truth.jsonl", *[[thing(1, 50)]] * 2)
    assert evaluate_video(truth, found).tracks["person"].hota == pytest.approx(1)
    several = write(tmp_path / "several.jsonl", *[[thing(1, 50), thing(1, 150, "cycle")]] * 2)
    report = evaluate_video(several, found)
    assert (list(report.tracks), report.overall.matched, report.overall.misses) == (["all classes"], 2, 2)


def test_records_against_mot_truth(tmp_path):
    truth = rows(tmp_path / "gt.txt", "1,1,50,10,20,40,1,1,1", "3,1,60,10,20,40,1,1,1")
    frames = [[thing(4, 50), thing(5, 200, "vehicle")], [], [thing(4, 60)]]
    report = evaluate_video(truth, write(tmp_path / "found.jsonl", *frames))
    assert (report.left_out, report.by, list(report.tracks)) == (("vehicle",), "box", ["person"])
    assert (report.overall.mota, report.overall.idf1) == (1, 1)
    with pytest.raises(UserError, match=r"none of its classes \(vehicle\) is in .*about person"):
        evaluate_video(truth, write(tmp_path / "found.jsonl", [thing(5, 200, "vehicle")]))


def test_nothing_found_and_nothing_there(tmp_path):
    empty, some = write(tmp_path / "a.jsonl", [], []), write(tmp_path / "b.jsonl", [thing(1, 50)], [])
    for truth, found in ((empty, some), (some, empty), (empty, empty)):
        report = evaluate_video(truth, found)
        assert report.overall.matched == 0 and report.overall.hota == 0
    there = rows(tmp_path / "there.txt", "1,1,50,10,20,40,1,1,1")
    assert evaluate_video(there, empty).overall.misses == 1
    nothing = rows(tmp_path / "gt.txt")
    assert evaluate_video(some, nothing).overall.misses == 1
    with pytest.raises(UserError, match=r"gt\.txt: is empty"):
        evaluate_video(nothing, some)
    rows(tmp_path / "seqinfo.ini", "[Sequence]", "seqLength=2")
    assert evaluate_video(nothing, some).overall.false_positives == 1


@pytest.mark.parametrize("height", [-1, float("nan"), float("inf")])
def test_a_height_that_makes_no_sense(tmp_path, height):
    some = write(tmp_path / "b.jsonl", [thing(1, 50)], [])
    with pytest.raises(UserError, match=r"--min-height .*: must be 0 or more pixels"):
        evaluate_video(some, some, min_height=height)


def bad_mask(size: list[int], counts: Any) -> str:
    entry = {"id": 1, "label": "a", "box": [0, 0, 4, 5], "mask": {"size": size, "counts": counts}}
    return json.dumps({"frame": 0, "instances": [entry]})


BAD = {
    "nonsense": "line 1: not a record of streamseg",
    "[1]": "line 1: not a record of streamseg",
    '{"frame": 0}': "line 1: not a record of streamseg",
    '{"frame": 0, "instances": [{"id": 1, "label": "person"}]}': "line 1: not a record",
    '{"frame": 0, "instances": [1]}': "line 1: not a record",
    '{"frame": 0, "instances": []}\n{"frame": 0, "instances": []}': "line 2: frame 0 appears twice",
    '{"frame": 9, "instances": []}': r"has frame 9 \(from 0\), which .*truth.jsonl lacks",
    '{"frame": 0, "instances": [{"label": "a", "box": [0, 0, -4, 5]}]}': r"line 1: \[0.0, 0.0, -4.0, 5.0\] is no box",
    '{"frame": 0, "instances": [{"label": "a", "box": [0, 0, NaN, 5]}]}': "line 1: .* is no box",
    bad_mask([100, 300], "zz"): "line 1: a mask: its .*run lengths are broken",
    bad_mask([100, 300], "5"): "line 1: a mask: its run lengths are broken: they do not add up",
    bad_mask([1], "zz"): "line 1: not a record",
    bad_mask([9, 9], [81]): "line 1: a mask is no compressed run lengths",
    '{"frame": 1e999, "instances": []}': "line 1: not a record",
    '{"frame": 0, "instances": [{"id": 99999999999999999999, "label": "a"}]}': "line 1: identity 9* is too large",
    "[" * 100_000: "line 1: not a record",
    '{"frame": 0, "instances": [{"label": "a", "box": [0, 0, 4, 5], "score": NaN}]}': "line 1: score nan is not",
    "": "is empty; give",
    '{"frame": 0, "instances": [], "regions": []}': "holds regions of classes, not objects",
}


@pytest.mark.parametrize("text", BAD)
def test_files_that_cannot_be_compared(tmp_path, text):
    truth = write(tmp_path / "truth.jsonl", [thing(1, 50)])
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(UserError, match=BAD[text]) as raised:
        evaluate_video(truth, tmp_path / "bad.jsonl")
    assert "\n" not in str(raised.value)


def test_an_identity_in_two_places_and_a_missing_file_are_refused(tmp_path):
    twice = write(tmp_path / "a.jsonl", [thing(1, 50), thing(1, 90)])
    with pytest.raises(UserError, match=r"a\.jsonl, line 1: identity 1 appears twice"):
        evaluate_video(twice, twice)
    with pytest.raises(UserError, match=r"cannot read .*nowhere\.jsonl: No such file"):
        evaluate_video(tmp_path / "nowhere.jsonl", twice)
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="it is no text file"):
        evaluate_video(tmp_path / "b.jsonl", twice)
