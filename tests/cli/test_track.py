"""``streamseg track`` end to end: the same tracker and outputs as in the main job, on files."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2  # isort: skip  # before av
import av
import numpy as np
import pytest
from pycocotools import mask as coco

from streamseg.cli import main
from streamseg.masks import Patch, encode

ROOT = Path(__file__).parents[2]
INFO = "[Sequence]\nname=walk\nframeRate=10\nseqLength=20\nimWidth=64\nimHeight=48\n"


def walkers(scores=(0.99, 0.98)) -> list[str]:
    """Two objects that walk to the right, one high and one low in the picture, for 20 frames."""
    rows = []
    for frame in range(1, 21):
        rows.append(f"{frame},-1,{2 * frame},2,16,16,{scores[0]},1,-1,-1")
        rows.append(f"{frame},-1,{2 + frame},30,16,16,{scores[1]},14,-1,-1")
    return rows


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working directory, with ``walk/det.txt`` and its ``seqinfo.ini``."""
    monkeypatch.chdir(tmp_path)
    Path("walk").mkdir()
    Path("walk/det.txt").write_text("\n".join(walkers()))
    Path("walk/seqinfo.ini").write_text(INFO)
    return tmp_path


def write_video(path: Path, count: int = 20, size: tuple[int, int] = (64, 48)) -> Path:
    """Noise, the same in all frames, at 10 frames per second."""
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def records_of(rows: list[str], pts=lambda frame: (frame - 1) / 10, masks: bool = True) -> list[dict]:
    """The same detections as our own records."""
    lines: dict[int, list] = {}
    for row in rows:
        frame, _, left, top, width, height, score, number = (float(word) for word in row.split(",")[:8])
        entry = {"id": 0, "label": "person" if number == 1 else "cyclist", "score": score}
        entry["box"] = [left, top, left + width, top + height]
        if masks:
            inside = np.zeros((int(height), int(width)), bool)
            inside[:, : int(width) // 2] = True
            entry["mask"] = encode(Patch(inside, int(left), int(top)), 48, 64)
        lines.setdefault(int(frame), []).append(entry)
    return [{"frame": frame - 1, "pts": pts(frame), "instances": found} for frame, found in sorted(lines.items())]


def run(line: str, capsys) -> str:
    """Run it; returns what it said."""
    status = main(["track", *line.split(), "--quiet"])
    out, err = capsys.readouterr()
    assert status == 0, err
    assert out == ""
    return err


BELIEVED = 5
"""Frames from here on (counting from 1) in which a tracker, however careful, knows both of them."""


def said_of(row: str) -> tuple[float, ...]:
    """Everything in a row but the identity."""
    frame, _, *rest = map(float, row.split(","))
    return frame, *rest


def ids_by_class(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in text.splitlines():
        cells = row.split(",")
        found.setdefault(cells[7], set()).add(cells[1])
    return found


def test_rows_become_rows_with_identities(here, capsys):
    said = run("--detections walk/det.txt --output res.txt", capsys)
    rows = Path("res.txt").read_text().splitlines()
    assert "20 frames" in said and "wrote" in said
    assert set(map(said_of, rows)) <= set(map(said_of, walkers()))
    assert {one for one in map(said_of, walkers()) if one[0] >= BELIEVED} <= set(map(said_of, rows))
    found = ids_by_class(Path("res.txt").read_text())
    assert sorted(found) == ["1", "14"] and all(len(ids) == 1 for ids in found.values())
    assert sorted(os.listdir()) == ["res.txt", "walk"]


def test_it_is_the_pipelines_tracker_on_the_same_detections(here, capsys):
    from streamseg.detections.rows import RowDetections
    from streamseg.tracking import make_tracker

    run("--detections walk/det.txt --output res.txt --track-delay 0", capsys)
    tracker, found = make_tracker(), RowDetections(Path("walk/det.txt"))
    expected = set()
    for number in range(20):
        shown = tracker.update(found.at(number), number / 10, (48, 64))
        expected |= {(number + 1, int(identity)) for identity in shown.ids if identity}
    rows = [row.split(",") for row in Path("res.txt").read_text().splitlines()]
    assert {(int(row[0]), int(row[1])) for row in rows} == expected and expected


def test_a_rate_and_a_size_can_be_given(here, capsys):
    Path("walk/seqinfo.ini").unlink()
    run("--detections walk/det.txt --fps 29.97 --size 64x48 --output res.jsonl --tracks table.csv", capsys)
    lines = [json.loads(line) for line in Path("res.jsonl").read_text().splitlines()]
    assert lines[19]["pts"] == round(19 / 29.97, 6)
    assert all("mask" not in thing for line in lines for thing in line["instances"])
    with open("table.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["label"] for row in table} == {"person", "class 14"} and len(table) == 2
    for row in table:
        frames, step = int(row["frames"]), 2 if row["label"] == "person" else 1
        assert 20 - BELIEVED < frames <= 20 and float(row["path"]) == step * (frames - 1)


@pytest.mark.parametrize("masks", [True, False])
def test_records_become_records_with_the_same_masks_and_times(here, capsys, masks):
    lines = records_of(walkers(), lambda frame: round(0.013 + 0.11 * frame, 6), masks)
    Path("in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    run("--detections in.jsonl --output out.jsonl", capsys)
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["pts"]) for line in found] == [(line["frame"], line["pts"]) for line in lines]
    for before, after in list(zip(lines, found, strict=True))[BELIEVED:]:
        things = {tuple(thing["box"]): thing for thing in after["instances"]}
        for thing in before["instances"]:
            mine = things[tuple(thing["box"])]
            assert mine["id"] > 0 and mine["label"] == thing["label"]
            if masks:
                assert coco.iou([mine["mask"]], [thing["mask"]], [0])[0, 0] > 0.95
            else:
                assert "mask" not in mine


def test_masks_become_mots_rows(here, capsys):
    Path("in.jsonl").write_text("\n".join(map(json.dumps, records_of(walkers()))))
    run("--detections in.jsonl --output out.txt --records-format mots", capsys)
    rows = [row.split(" ") for row in Path("out.txt").read_text().splitlines()]
    assert len(rows) > 2 * (20 - BELIEVED) and {row[2] for row in rows} == {"2", "101"}  # cyclist comes first by name
    for row in rows:
        assert coco.decode({"size": [int(row[3]), int(row[4])], "counts": row[5]}).sum() == 128


def test_a_folder_of_sequences_becomes_a_folder_of_results(here, capsys):
    for name in ("run", "fly"):
        (here / "more" / name / "det").mkdir(parents=True)
        (here / "more" / name / "det" / "det.txt").write_text("\n".join(walkers()) if name == "run" else "")
        (here / "more" / name / "seqinfo.ini").write_text(INFO.replace("walk", name))
    run("--detections . --output res/ --tracks tables/", capsys)
    assert sorted(os.listdir("res")) == ["fly.txt", "run.txt", "walk.txt"]
    assert sorted(os.listdir("tables")) == ["fly.csv", "run.csv", "walk.csv"]
    assert Path("res/run.txt").read_text() == Path("res/walk.txt").read_text() != ""
    assert Path("res/fly.txt").read_text() == ""


def test_with_a_video_the_result_is_drawn(here, capsys):
    write_video(here / "clip.mp4")
    run("--detections walk/det.txt --video clip.mp4 --output out.mp4 --records out.txt --trails 1", capsys)
    with av.open("out.mp4") as container:
        frames = list(container.decode(video=0))
    assert [round(float(frame.pts * frame.time_base), 2) for frame in frames] == [number / 10 for number in range(20)]
    with av.open("clip.mp4") as container:
        original = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(frames[10].to_ndarray(format="rgb24").astype(int) - original).max() > 60
    assert len(Path("out.txt").read_text().splitlines()) > 2 * (20 - BELIEVED)


def test_images_can_be_the_video(here, capsys):
    Path("img1").mkdir()
    for number in range(1, 21):
        cv2.imwrite(f"img1/{number:06}.png", np.full((48, 64, 3), 90, np.uint8))
    run("--detections walk/det.txt --video img1 --output res.jsonl", capsys)
    assert json.loads(Path("res.jsonl").read_text().splitlines()[-1])["pts"] == 1.9


@pytest.mark.parametrize(
    ("flags", "any_"),
    [("", True), ("--score-threshold 0.1", True), ("--score-threshold 0.995", False), ("--config high.toml", False)],
)
def test_scores_are_the_trackers_own_business_unless_asked_for(here, capsys, flags, any_):
    Path("high.toml").write_text("score_threshold = 0.995")
    run(f"--detections walk/det.txt --output res.txt {flags}", capsys)
    assert bool(Path("res.txt").read_text()) == any_


@pytest.mark.parametrize(
    ("flags", "believed"),
    [("", {"1"}), ("--track-neutral-score auto", {"1"}), ("--track-neutral-score 0.6", {"1", "14"})],
)
def test_what_is_believed_depends_on_the_neutral_score(here, capsys, flags, believed):
    Path("walk/det.txt").write_text("\n".join(walkers((0.99, 0.8))))
    run(f"--detections walk/det.txt --output res.txt {flags}", capsys)
    assert set(ids_by_class(Path("res.txt").read_text())) == believed


MISTAKES = {
    "": "the following arguments are required: --detections",
    "--detections none.txt --output a.txt": "none.txt: there is no such file",
    "--detections empty --output a/": "empty: no det.txt in this folder",
    "--detections walk/det.txt": "nothing to write; say where by --output",
    "--detections bare.txt --output a.txt": "how many frames per second? say so by --fps",
    "--detections bare.txt --fps 0 --output a.txt": "argument --fps: '0' must be a number above 0",
    "--detections bare.txt --size 9 --output a.txt": "argument --size: '9' must be width and height in pixels",
    "--detections wrong.txt --fps 9 --output a.txt": "wrong.txt, line 1: score 98 is not from 0 to 1",
    "--detections walk/det.txt --output none/a.txt": "none/a.txt: there is no folder none",
    "--detections walk/det.txt --output walk/det.txt --overwrite": "walk/det.txt: is the source itself",
    "--detections walk/det.txt --output wrong.txt": "wrong.txt: exists already; give another name or --overwrite",
    "--detections walk/det.txt --output a.mp4": "no picture to draw on without --video; end it in .txt or .jsonl",
    "--detections walk/det.txt --output a.csv": "no picture to draw on without --video",
    "--detections walk/det.txt --video clip.mp4 --output a.csv": "a.csv: not a name for a video",
    "--detections walk/det.txt --video small.mp4 --output a.txt": "frames of 64x48 pixels, but small.mp4 has 32x32",
    "--detections walk/det.txt --video none.mp4 --output a.txt": "none.mp4: there is no such file",
    "--detections walk/det.txt --video clip.mp4 --fps 9 --output a.txt": "the video tells its own times",
    "--detections walk/det.txt --output a.txt --records b.txt": "are both for records; give one of them",
    "--detections walk/det.txt --output a.txt --tracks a.txt": "--tracks a.txt: is the records too",
    "--detections walk/det.txt --output a.txt --records-format mots": "walk/det.txt: has no masks for MOTS rows",
    "--detections walk/det.txt --output a.txt --stride 2": "unknown flag --stride; did you mean --size?",
    "--detections walk/det.txt --output a.txt --score-threshold 2": "--score-threshold 2.0: must be 0 to 1",
    "--detections walk/det.txt --output a.txt --track-neutral-score 0.5": "0.5: must be auto, or 0.51 to 0.99",
    "--detections two --output a.txt": "--output a.txt: 2 sequences need a folder; add a slash",
    "--detections two --output a/ --tracks a.csv": "--tracks a.csv: 2 sequences need a folder",
    "--detections two --output a/ --video clip.mp4": "--video belongs to one file of detections; two has 2",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(line, here, capsys):
    write_video(here / "clip.mp4", 2)
    write_video(here / "small.mp4", 2, (32, 32))
    Path("empty").mkdir()
    Path("bare.txt").write_text("1,-1,0,0,5,5,0.5")
    Path("wrong.txt").write_text("1,-1,0,0,5,5,98")
    for name in ("a", "b"):
        (here / "two" / name).mkdir(parents=True)
        (here / "two" / name / "det.txt").touch()
        (here / "two" / name / "seqinfo.ini").write_text(INFO.replace("walk", name))
    before = {path: path.is_file() and path.read_bytes() for path in here.rglob("*")}
    assert main(["track", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("streamseg: ") and MISTAKES[line] in err
    after = {path: path.is_file() and path.read_bytes() for path in here.rglob("*")}
    assert {path: kept for path, kept in after.items() if path.name != "a" or path in before} == before


def test_help_imports_nothing_heavy():
    code = (
        "import sys, streamseg.cli as cli\n"
        "try: cli.main(['track', '--help'])\n"
        "except SystemExit: pass\n"
        "print({'torch', 'torchvision', 'av', 'cv2', 'numpy', 'scipy', 'rich'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "--detections FILE" in done.stdout and "--track-masks" in done.stdout
    assert done.stderr.strip() == "set()"


def test_following_needs_no_network(here):
    code = (
        "import sys, streamseg.cli as cli\n"
        "assert cli.main(['track', '--detections', 'walk', '--output', 'res.txt', '--quiet']) == 0\n"
        "print({'torch', 'torchvision', 'av'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.skipif(not (ROOT.parent / "shared" / "tracking").is_dir(), reason="needs ../shared/tracking")
def test_shared_detections_are_followed_whole(tmp_path, capsys):
    folder = ROOT.parent / "shared" / "tracking" / "development" / "tud"
    run(f"--detections {folder} --output {tmp_path}/", capsys)
    rows = (tmp_path / "TUD-Campus.txt").read_text().splitlines()
    taken = {tuple(row.split(",")[:2]) for row in rows}
    assert len(taken) == len(rows) > 200
