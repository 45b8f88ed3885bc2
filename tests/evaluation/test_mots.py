"""MOTS files: what is read, what is refused, and the same figures as TrackEval's own KITTI MOTS benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from streamseg.errors import UserError
from streamseg.evaluation.mots import is_mots_row, read_mots
from streamseg.evaluation.pair import read_result, read_truth
from streamseg.evaluation.sequences import evaluate_folder, evaluate_sequence

HEIGHT, WIDTH = 60, 90


def runs(pixels: np.ndarray) -> str:
    return coco.encode(np.asfortranarray(pixels, np.uint8))["counts"].decode()


def row(
    frame: int, identity: int, kind: int, box: tuple[int, int, int, int], size: tuple[int, int] | None = None
) -> str:
    """A filled box xyxy."""
    height, width = size or (HEIGHT, WIDTH)
    pixels = np.zeros((height, width), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 1
    return f"{frame} {identity} {kind} {height} {width} {runs(pixels)}"


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path


def test_rows_are_read_as_pycocotools_reads_them(tmp_path):
    pixels = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.3
    pixels[:7] = pixels[:, :4] = pixels[50:] = False
    rows = (f"1 2003 2 {HEIGHT} {WIDTH} {runs(pixels)}", row(1, 1001, 1, (0, 0, 9, 5)), row(3, 10000, 10, (2, 2, 8, 8)))
    clip = read_mots(write(tmp_path / "a.txt", *rows, row(3, 10001, 10, (6, 2, 10, 8))))
    assert (clip.labels, clip.exhaustive, sorted(clip.frames)) == (("car", "person"), False, [0])
    person = clip.at(0, "person")
    assert np.array_equal(coco.decode(person.masks[0]), pixels)
    assert (person.ids, person.boxes) == ([2004], [[4, 7, WIDTH, 50]])
    (region,) = clip.mask_regions[2]
    assert coco.area(region) == 8 * 6


def test_which_format_a_text_file_has(tmp_path):
    assert is_mots_row(row(0, 1, 1, (0, 0, 9, 5)))
    for line in ("1,1,0,0,9,9,1", "1 1 0 0 9 9", "1 1 0 0 9 9 1 -1 -1 -1", ""):
        assert not is_mots_row(line)
    mots, boxes = write(tmp_path / "a.txt", row(1, 1, 1, (0, 0, 9, 5))), write(tmp_path / "b.txt", "1 1 0 0 9 5")
    assert [read(file).mots for read in (read_truth, read_result) for file in (mots, boxes)] == [True, False] * 2


GOOD = row(1, 4, 1, (0, 0, 9, 5))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 1 60 90", "line 2: 5 columns; a MOTS row is"),
        ("1 2 1 60 90 ab cd", "line 2: 7 columns"),
        ("1 2 x 60 90 ab", "line 2: one of 1 2 x 60 90 is no whole number"),
        ("1 2.5 1 60 90 ab", "line 2: one of 1 2.5 1 60 90 is no whole number"),
        ("-1 2 1 60 90 ab", "line 2: one of -1 2 1 60 90 is too small"),
        ("1 2 1 0 90 ab", "line 2: one of 1 2 1 0 90 is too small"),
        (f"1 {10**20} 1 60 90 ab", "line 2: one of .* too large"),
        ("1 2 1 60 90 ab", "line 2: a mask: its .*run lengths are broken"),
        (row(1, 2, 1, (0, 0, 9, 5)).replace(" 60 ", " 61 "), "line 2: a mask: its run lengths are broken"),
        (GOOD, "line 2: id 4 appears twice in frame 1"),
        (row(1, 4, 2, (20, 0, 29, 5)), "line 2: id 4 appears twice in frame 1"),
    ],
)
def test_faults_are_named(tmp_path, line, message):
    with pytest.raises(UserError, match=message) as raised:
        read_mots(write(tmp_path / "a.txt", GOOD, line))
    assert "\n" not in str(raised.value)


def test_frames_count_from_0_or_from_1(tmp_path):
    """KITTI's truth may begin with an empty frame 0, MOTSChallenge has none of that number."""
    later = write(tmp_path / "gt.txt", *(row(frame, 1, 1, (0, 0, 9, 5)) for frame in (1, 2)))
    first = write(tmp_path / "a.txt", *(row(frame, 1, 1, (0, 0, 9, 5)) for frame in (0, 1, 2)))
    scores = evaluate_sequence(later, first).overall("mask")
    assert (scores.matched, scores.misses, scores.false_positives) == (2, 0, 1)
    boxes = write(tmp_path / "boxes.txt", *(f"{frame},1,0,0,9,5,1" for frame in (1, 2, 3)))
    for truth, found in ((later, 2), (first, 3)):
        scores = evaluate_sequence(truth, boxes).overall("box")
        assert (scores.matched, scores.false_positives) == (found, 3 - found)
    write(tmp_path / "seqinfo.ini", "[Sequence]", "seqLength=3")
    assert evaluate_sequence(first, boxes).frames == 3
    write(tmp_path / "seqinfo.ini", "[Sequence]", "seqLength=2")
    with pytest.raises(UserError, match=r"boxes\.txt has frame 2 \(from 0\), which .*gt\.txt lacks"):
        evaluate_sequence(later, boxes)


def test_regions_forgive_masks_and_boxes(tmp_path):
    truth = write(tmp_path / "gt.txt", row(1, 1, 1, (0, 0, 20, 20)), row(1, 10000, 10, (40, 0, 60, 60)))
    # Of the three that are on nothing, one lies in the region by 11 of 20 columns.
    lefts = (0, 31, 29, 65)
    found = write(tmp_path / "a.txt", *(row(1, left, 1, (left, 0, left + 20, 20)) for left in lefts))
    report = evaluate_sequence(truth, found)
    assert list(report.tracks) == ["box", "mask"]
    for by in report.tracks:
        assert (report.overall(by).matched, report.overall(by).false_positives) == (1, 2)


def test_masks_of_another_size_and_masks_that_are_missing(tmp_path):
    truth = write(tmp_path / "gt.txt", row(1, 1, 1, (0, 0, 20, 20)))
    other = write(tmp_path / "a.txt", row(1, 1, 1, (0, 0, 20, 20), (50, 90)))
    with pytest.raises(UserError, match=r"a\.txt.*gt\.txt.*masks of different sizes, 90x50 and 90x60 in frame 0"):
        evaluate_sequence(truth, other)
    assert evaluate_sequence(truth, other, "box").overall("box").matched == 1
    with pytest.raises(UserError, match=r"b\.txt: has no masks to compare"):
        evaluate_sequence(truth, write(tmp_path / "b.txt", "1,1,0,0,20,20"), "mask")


def scene(seed: int, frames: int = 25) -> tuple[list[str], list[str]]:
    """Cars and persons that hide one another, a region, and a tracker that misses, strays, switches and invents."""
    rng = np.random.default_rng(seed)
    count = 7
    x, y, speed = rng.uniform(0, 70, count), rng.uniform(0, 45, count), rng.uniform(-2, 2, (count, 2))
    kinds, names = rng.integers(1, 3, count), np.arange(count)
    truth, result = [], []
    for frame in range(frames):
        x, y = x + speed[:, 0], y + speed[:, 1]
        if rng.random() < 0.6:
            names[rng.integers(count)] = rng.integers(10, 99)
        for rows, blur, shown in ((truth, 0.0, 1.0), (result, 1.5, 0.85)):
            places = np.zeros((HEIGHT, WIDTH), int)
            if rows is truth:
                places[:, 70:] = count + 1
            for one in np.flatnonzero(rng.random(count) < shown):
                left, top = (max(0, int(v + rng.normal(0, blur))) for v in (x[one], y[one]))
                places[top : top + 16, left : left + 12] = one + 1
            for one in np.unique(places[places > 0]):
                mask = runs(places == one)
                if one > count:
                    rows.append(f"{frame} 10000 10 {HEIGHT} {WIDTH} {mask}")
                    continue
                kind = kinds[one - 1]
                identity = 1000 * kind + (one if rows is truth else names[one - 1])
                if rows is truth or not any(line.startswith(f"{frame} {identity} ") for line in rows):
                    rows.append(f"{frame} {identity} {kind} {HEIGHT} {WIDTH} {mask}")
    return truth, result


def test_equal_to_trackevals_kitti_mots(tmp_path):
    from trackeval.datasets import KittiMOTS
    from trackeval.metrics import CLEAR, HOTA, Identity

    frames = 25
    for seed in range(3):
        truth, result = scene(seed, frames)
        if seed == 2:  # persons where there are none
            truth = [line for line in truth if line.split()[2] != "2"]
        write(tmp_path / "gt" / "label_02" / f"{seed:04}.txt", *truth)
        write(tmp_path / "trackers" / "ours" / "data" / f"{seed:04}.txt", *result)
    config: dict[str, Any] = {
        "GT_FOLDER": str(tmp_path / "gt"),
        "TRACKERS_FOLDER": str(tmp_path / "trackers"),
        "SEQ_INFO": {f"{seed:04}": frames for seed in range(3)},
        "PRINT_CONFIG": False,
    }
    dataset, quiet = KittiMOTS(config), {"PRINT_CONFIG": False}
    report = evaluate_folder(tmp_path / "gt" / "label_02", tmp_path / "trackers" / "ours" / "data")
    assert report.kinds == ("box", "mask")
    for kind, label in (("car", "car"), ("pedestrian", "person")):
        metrics = (HOTA(), CLEAR(dict(quiet)), Identity(dict(quiet)))
        results: list[dict[str, Any]] = [{} for _ in metrics]
        for sequence in report.sequences:
            raw = dataset.get_raw_seq_data("ours", sequence.name)
            data = dataset.get_preprocessed_seq_data(raw, kind)
            for metric, found in zip(metrics, results, strict=True):
                found[sequence.name] = metric.eval_sequence(data)
        hota, clear, identity = (metric.combine_sequences(one) for metric, one in zip(metrics, results, strict=True))
        ours = report.classes("mask")[label]
        assert (ours.hota, ours.deta, ours.assa, ours.mota, ours.motp, ours.idf1) == pytest.approx(
            (*(np.mean(hota[key]) for key in ("HOTA", "DetA", "AssA")), clear["MOTA"], clear["MOTP"], identity["IDF1"]),
            abs=1e-9,
        )
        counts = (ours.switches, ours.fragmentations, ours.matched, ours.misses, ours.false_positives)
        assert counts == tuple(clear[key] for key in ("IDSW", "Frag", "CLR_TP", "CLR_FN", "CLR_FP"))
        assert ours.switches > 3 and ours.matched > 100


def test_classes_that_mots_cannot_name_are_compared_as_one(tmp_path):
    """What streamseg writes of a class that MOTS lacks has a number of its own."""
    masks = [row(1, 1, 2, (left, 0, left + 20, 20)).split()[5] for left in (0, 40)]
    things = [
        {"id": 1, "label": label, "box": [left, 0, left + 20, 20], "mask": {"size": [HEIGHT, WIDTH], "counts": mask}}
        for label, left, mask in zip(("person", "vehicle"), (0, 40), masks, strict=True)
    ]
    truth = tmp_path / "truth.jsonl"
    truth.write_text(json.dumps({"frame": 0, "pts": 0.0, "instances": things}))
    named = write(tmp_path / "a.txt", row(1, 7, 2, (0, 0, 20, 20)))
    assert list(evaluate_sequence(truth, named).tracks["mask"]) == ["person", "vehicle"]
    unnamed = write(tmp_path / "b.txt", row(1, 7, 2, (0, 0, 20, 20)), row(1, 8, 102, (40, 0, 60, 20)))
    report = evaluate_sequence(truth, unnamed)
    assert (list(report.tracks["mask"]), report.overall("mask").mota) == (["all classes"], 1)
