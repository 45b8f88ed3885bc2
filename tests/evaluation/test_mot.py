"""MOTChallenge files: what is read, what is refused, and the same figures as TrackEval with its rules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.evaluation.mot import read_mot_results, read_mot_truth
from streamseg.evaluation.pair import read_truth
from streamseg.evaluation.tracking import evaluate_tracks
from streamseg.evaluation.video import evaluate_video

BENCHMARK = Path(__file__).parents[3] / "shared" / "tracking"


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path


def test_truth_with_its_classes_and_rules(tmp_path):
    rows = ("1,0,10,20,30,40,1,1,1", "1,5,50,20,30,40,1,3,1", "2,8,0,0,9,9,0,8,1", "2,-1,5,5,9,9,0,13,-1")
    clip = read_mot_truth(write(tmp_path / "gt.txt", *rows))
    assert (clip.labels, clip.length, clip.exhaustive) == (("car", "person"), None, False)
    assert (clip.at(0, "person").ids, clip.at(0, "person").boxes) == ([1], [[10, 20, 40, 60]])
    assert clip.at(0, "car").ids == [6]
    for label in clip.labels:
        distractor = clip.at(1, label)
        assert (distractor.counts, distractor.forgives) == ([False], [True])
    assert clip.regions == {1: [[5, 5, 14, 14]]}


def test_a_folder_with_seqinfo(tmp_path):
    write(tmp_path / "gt" / "gt.txt", "1,1,0,0,9,9,1,1,1")
    write(tmp_path / "seqinfo.ini", "[Sequence]", "name=100%", "seqLength=30")
    assert read_truth(tmp_path).length == 30
    write(tmp_path / "seqinfo.ini", "[Sequence]", "seqLength=many")
    with pytest.raises(UserError, match=r"seqinfo\.ini: seqLength .many. is not a whole number"):
        read_truth(tmp_path)


def test_rows_of_mot15_have_no_classes(tmp_path):
    clip = read_mot_truth(write(tmp_path / "gt.txt", "1,1,0,0,9,9,1,-7.5,3.2,0"))
    assert clip.labels == ("person",) and len(clip.at(0, "person")) == 1


def test_results(tmp_path):
    clip = read_mot_results(write(tmp_path / "a.txt", "3,0,1,2,3,4,0.5,-1,-1,-1", "", "3 -1 1 2 3 4"))
    found = clip.at(2, "")
    assert (found.ids, found.scores, found.boxes[0]) == ([1, 0], [0.5, 1.0], [1, 2, 4, 6])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,1,0,0,9", "line 2: 5 columns"),
        ("1,1,0,0,x,9,1", "line 2: could not convert"),
        ("1,1,0,0,nan,9,1", "line 2: a number is not finite"),
        ("1,1,1e308,0,1e308,9,1", "line 2: a number is not finite"),
        ("0,1,0,0,9,9,1", "line 2: frame 0 is not"),
        ("31,1,0,0,9,9,1", "line 2: frame 31 is not a whole number from 1 to 30"),
        ("1.5,1,0,0,9,9,1", "line 2: frame 1.5"),
        ("1,1.5,0,0,9,9,1", "line 2: id 1.5"),
        ("1,-2,0,0,9,9,1", "line 2: id -2"),
        ("1,99999999999999999999,0,0,9,9,1", r"line 2: id 1e\+20"),
        ("1,1,0,0,-9,9,1", "line 2: width -9"),
        ("1,4,0,0,9,9,1", "line 2: id 4 appears twice in frame 1"),
    ],
)
def test_faults_are_named(tmp_path, row, message):
    write(tmp_path / "seqinfo.ini", "[Sequence]", "seqLength=30")
    with pytest.raises(UserError, match=message):
        read_mot_truth(write(tmp_path / "gt.txt", "1,4,0,0,9,9,1", row))


def test_distractors_and_regions_forgive(tmp_path):
    truth = write(
        tmp_path / "gt.txt",
        "1,1,0,0,20,40,1,1,1",
        "1,2,100,0,20,40,0,8,1",
        "1,-1,200,0,50,50,0,13,1",
        "1,4,300,0,9,9,0,11,1",
    )
    rows = ["1,1,0,0,20,40,0.9", "1,2,100,0,20,40,0.8", "1,3,205,5,20,40,0.7"]
    report = evaluate_video(truth, write(tmp_path / "a.txt", *rows))
    assert (report.overall.result, report.overall.matched, report.overall.mota) == (1, 1, 1)
    assert report.box["person"].ap == pytest.approx(1)
    worse = evaluate_video(truth, write(tmp_path / "b.txt", "1,5,300,0,9,9,0.95", *rows))
    assert worse.overall.false_positives == 1
    assert worse.box["person"].ap == pytest.approx(0.5)


def sequences() -> list[str]:
    return [
        "tud/TUD-Campus",
        "mot17-simulated/MOT17-13",
        "kitti-car/KITTI-0006-car",
        "kitti-cyclist/KITTI-0000-cyclist",
    ]


@pytest.mark.parametrize("name", sequences())
def test_equal_to_the_benchmark(tmp_path, name):
    """Every detection is taken for what the detector's ranking in its frame says: bad tracks, but tracks."""
    folder = BENCHMARK / "development" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    spec = importlib.util.spec_from_file_location("score", BENCHMARK / "score.py")
    assert spec is not None and spec.loader is not None
    score: Any = importlib.util.module_from_spec(spec)
    sys.modules["score"] = score  # its dataclasses look themselves up
    spec.loader.exec_module(score)
    rows = np.loadtxt(folder / "det.txt", delimiter=",", ndmin=2)[:, :7]
    rows[:, 1] = np.concatenate([np.arange(count) for count in np.unique(rows[:, 0], return_counts=True)[1]])
    lines = [",".join(f"{value:.10g}" for value in row) for row in rows.tolist()]
    found = write(tmp_path / "found.txt", *lines)
    theirs = score.numbers(score.score_sequence(score.read_sequence(folder), score.read_results(found)))
    truth = read_mot_truth(folder / "gt.txt")
    assert truth.labels is not None
    (ours,) = evaluate_tracks(truth, read_mot_results(found).relabelled(truth.labels[0]), "box").values()
    assert [100 * value for value in (ours.hota, ours.deta, ours.assa, ours.mota, ours.idf1)] == pytest.approx(
        [theirs[key] for key in ("HOTA", "DetA", "AssA", "MOTA", "IDF1")], abs=1e-9
    )
    counts = (ours.switches, ours.false_positives, ours.misses, ours.fragmentations)
    assert counts == tuple(theirs[key] for key in ("IDs", "FP", "FN", "Frag"))
