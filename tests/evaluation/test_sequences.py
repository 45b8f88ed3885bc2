"""Whole benchmarks: which files belong together, what is said of those that are missing, and the same as score.py."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.evaluation.sequences import evaluate_folder, evaluate_sequence
from streamseg.instances import Instances
from streamseg.tracking import make_tracker

BENCHMARK = Path(__file__).parents[3] / "shared" / "tracking"


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path


def truth(identity: int = 1, kind: int = 1, left: int = 50, frames: int = 4) -> list[str]:
    return [f"{frame},{identity},{left},10,20,40,1,{kind},1" for frame in range(1, frames + 1)]


@pytest.fixture
def benchmark(tmp_path):
    """Two data sets, three sequences, tracks of all: perfect, switched once, and of half the frames."""
    write(tmp_path / "truth" / "town" / "a" / "gt" / "gt.txt", *truth())
    write(tmp_path / "truth" / "town" / "b" / "gt.txt", *truth())
    write(tmp_path / "truth" / "road" / "c" / "gt.txt", *truth(kind=3))
    write(tmp_path / "truth" / "road" / "c" / "seqinfo.ini", "[Sequence]", "seqLength=10")
    rows = [line.rsplit(",", 2)[0] for line in truth(7)]
    write(tmp_path / "found" / "a.txt", *rows)
    write(tmp_path / "found" / "b.txt", *rows[:2], *(line.replace(",7,", ",8,") for line in rows[2:]))
    write(tmp_path / "found" / "c.txt", *rows[:2])
    return tmp_path


def test_a_benchmark_as_one(benchmark):
    report = evaluate_folder(benchmark / "truth", benchmark / "found")
    about = {one.name: (one.data_set, one.frames, one.missing) for one in report.sequences}
    assert about == {"a": ("town", 4, False), "b": ("town", 4, False), "c": ("road", 10, False)}
    assert [one.overall("box").mota for one in report.sequences] == [0.5, 1, 0.75]  # road/c comes first
    assert (report.kinds, report.data_sets) == (("box",), ("road", "town"))
    town = report.combined("box", "town")
    assert (town.switches, town.mota, town.idf1, town.assa) == (1, 7 / 8, 6 / 8, pytest.approx((4 + 2) / 8))
    whole = report.combined("box")
    assert (whole.truth, whole.matched, whole.switches) == (12, 10, 1)
    assert {name: scores.truth for name, scores in report.classes("box").items()} == {"car": 4, "person": 8}


def test_a_missing_file_counts_as_nothing_tracked(benchmark):
    (benchmark / "found" / "a.txt").unlink()
    report = evaluate_folder(benchmark / "truth", benchmark / "found")
    assert {one.name for one in report.sequences if one.missing} == {"a"}
    assert report.combined("box", "town").misses == 4


def test_records_are_tracks_too(benchmark):
    (benchmark / "found" / "a.txt").unlink()
    things = [{"id": 3, "label": label, "box": [50, 10, 70, 50]} for label in ("person", "dog")]
    lines = (json.dumps({"frame": index, "pts": index / 10, "instances": things}) for index in range(4))
    write(benchmark / "found" / "a.jsonl", *lines)
    report = evaluate_folder(benchmark / "truth", benchmark / "found")
    (a,) = (one for one in report.sequences if one.name == "a")
    assert (a.left_out, a.overall("box").mota, a.missing) == (("dog",), 1, False)


def test_a_folder_of_files_and_a_folder_of_one_sequence(benchmark):
    for name in "ab":
        (benchmark / "truth" / "town" / name).rename(benchmark / name)
    flat = write(benchmark / "flat" / "a.txt", *truth()).parent
    assert [one.name for one in evaluate_folder(flat, benchmark / "found").sequences] == ["a"]
    for sequence in (benchmark / "a", benchmark / "b"):
        report = evaluate_folder(sequence, benchmark / "found")
        assert [(one.name, one.data_set) for one in report.sequences] == [(sequence.name, benchmark.name)]
        assert evaluate_sequence(sequence, benchmark / "found" / "a.txt").overall("box").mota == 1


def test_links_to_sequences_are_followed(benchmark):
    (benchmark / "links").mkdir()
    (benchmark / "links" / "a").symlink_to(benchmark / "truth" / "town" / "a")
    assert [one.name for one in evaluate_folder(benchmark / "links", benchmark / "found").sequences] == ["a"]


def test_folders_that_do_not_fit(benchmark):
    (benchmark / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: holds no sequence"):
        evaluate_folder(benchmark / "empty", benchmark / "found")
    with pytest.raises(UserError, match=r"empty: has no tracks of .*truth; for example, c\.txt or c\.jsonl is missing"):
        evaluate_folder(benchmark / "truth", benchmark / "empty")
    write(benchmark / "found" / "b.txt", "1,1,0,0,9")
    with pytest.raises(UserError, match=r"b\.txt, line 1: 5 columns"):
        evaluate_folder(benchmark / "truth", benchmark / "found")
    write(benchmark / "truth" / "road" / "a" / "gt.txt", *truth())
    with pytest.raises(UserError, match="two sequences called a"):
        evaluate_folder(benchmark / "truth", benchmark / "found")
    with pytest.raises(UserError, match=r"cannot read .*nowhere: No such file"):
        evaluate_sequence(benchmark / "truth", benchmark / "nowhere")


def test_the_least_height_of_the_sequence_forgives(tmp_path):
    write(tmp_path / "seqinfo.ini", "[Sequence]", "minHeight=25")
    rows = truth(frames=1)
    found = ["1,1,50,10,20,40", "1,2,200,10,20,25", "1,3,300,10,20,26"]
    write(tmp_path / "gt.txt", *rows)
    scores = evaluate_sequence(tmp_path, write(tmp_path / "found.txt", *found)).overall("box")
    assert (scores.matched, scores.false_positives) == (1, 1)
    # Low truth is still to be found, unlike with --min-height.
    write(tmp_path / "gt.txt", *rows, "1,2,200,10,20,20,1,1,1")
    scores = evaluate_sequence(tmp_path, tmp_path / "found.txt").overall("box")
    assert (scores.truth, scores.matched, scores.false_positives) == (2, 2, 1)


def follow(folder: Path, target: Path) -> None:
    """Our tracker on the detections of a sequence."""
    detections = np.loadtxt(folder / "det.txt", delimiter=",", ndmin=2)
    facts = dict(line.split("=") for line in (folder / "seqinfo.ini").read_text().splitlines() if "=" in line)
    size, tracker = (int(facts["imHeight"]), int(facts["imWidth"])), make_tracker()
    rows = []
    for frame in range(1, int(facts["seqLength"]) + 1):
        one = detections[detections[:, 0] == frame]
        found = Instances(
            boxes=np.concatenate([one[:, 2:4], one[:, 2:4] + one[:, 4:6]], 1).astype(np.float32),
            scores=one[:, 6].astype(np.float32),
            labels=np.zeros(len(one), np.int64),
            masks=np.ones((len(one), 28, 28), np.float32),
            ids=np.zeros(len(one), np.int64),
            class_names=("object",),
        )
        shown = tracker.update(found, frame / float(facts["frameRate"]), size)
        for identity, (left, top, right, bottom) in zip(shown.ids.tolist(), shown.boxes.tolist(), strict=True):
            if identity:
                rows.append(f"{frame},{identity},{left:.3f},{top:.3f},{right - left:.3f},{bottom - top:.3f},1")
    write(target, *rows)


def test_equal_to_the_score_script_of_the_benchmark(tmp_path):
    if not BENCHMARK.is_dir():
        pytest.skip(f"{BENCHMARK} is not here")
    names = ("KITTI-0012-car", "KITTI-0004-pedestrian", "KITTI-0018-cyclist", "KITTI-0000-cyclist", "TUD-Campus")
    for folder in (BENCHMARK / "development").glob("*/*"):
        if folder.name in names:
            (tmp_path / "truth" / folder.parent.name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "truth" / folder.parent.name / folder.name).symlink_to(folder)
            follow(folder, tmp_path / "found" / f"{folder.name}.txt")
    (tmp_path / "found" / "KITTI-0004-pedestrian.txt").unlink()
    spec = importlib.util.spec_from_file_location("score", BENCHMARK / "score.py")
    assert spec is not None and spec.loader is not None
    score: Any = importlib.util.module_from_spec(spec)
    sys.modules["score"] = score  # its dataclasses look themselves up
    spec.loader.exec_module(score)
    theirs = score.score_directory(tmp_path / "found", tmp_path / "truth")

    report = evaluate_folder(tmp_path / "truth", tmp_path / "found")
    ours = {"sequences": {one.name: one.overall("box") for one in report.sequences}}
    ours["datasets"] = {data_set: report.combined("box", data_set) for data_set in report.data_sets}
    ours["combined"] = {"": report.combined("box")}
    theirs["combined"] = {"": theirs["combined"]}
    for part, several in ours.items():
        assert set(several) == set(theirs[part])
        for name, scores in several.items():
            expected = [theirs[part][name][key] for key in ("HOTA", "DetA", "AssA", "MOTA", "IDF1")]
            shares = (scores.hota, scores.deta, scores.assa, scores.mota, scores.idf1)
            assert [100 * share for share in shares] == pytest.approx(expected, abs=1e-9)
            counts = (scores.switches, scores.fragmentations, scores.false_positives, scores.misses, scores.truth)
            assert counts == tuple(theirs[part][name][key] for key in ("IDs", "Frag", "FP", "FN", "objects"))
    assert report.combined("box").switches > 0
