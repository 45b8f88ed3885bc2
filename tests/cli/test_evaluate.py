"""``streamseg evaluate`` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamseg.cli import main
from streamseg.masks import Patch, encode
from streamseg.models.checkpoint import write_checkpoint
from streamseg.models.street import StreetConfig, StreetMaskRCNN

SQUARE = {"segmentation": [[10, 10, 40, 10, 40, 40, 10, 40]], "bbox": [10, 10, 30, 30], "area": 900, "iscrowd": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with three labelled pictures and a small network that has learnt nothing."""
    monkeypatch.chdir(tmp_path)
    content = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 4, "name": "square"}, {"id": 6, "name": "[moon]"}],
    }
    for image in range(3):
        name = f"<{image}>.png"
        cv2.imwrite(name, np.random.default_rng(image).integers(0, 255, (64, 96, 3)).astype(np.uint8))
        content["images"].append({"id": image, "file_name": name, "width": 96, "height": 64})
        content["annotations"].append({"id": image, "image_id": image, "category_id": 4 + 2 * (image == 2), **SQUARE})
    Path("val.json").write_text(json.dumps(content))
    torch.manual_seed(0)
    config = StreetConfig(widths=(8, 8, 8, 8, 8), pyramid=8)
    network = StreetMaskRCNN(config, 2)
    # So sure of itself that there is something to count.
    torch.nn.init.constant_(network.rpn.head.cls_logits.bias, 3.0)
    torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight, std=0.5)
    about = {"architecture": "street", "config": config.to_dict(), "class_names": ["square", "ball"]}
    write_checkpoint(Path("net.safetensors"), network.state_dict(), about)
    return tmp_path


def evaluate(*words: str) -> int:
    return main(["evaluate", *words])


DATA = ("--data", "val.json", "--weights", "net.safetensors", "--device", "cpu", "--precision", "fp32")


def test_tables_predictions_and_page(folder, capsys):
    before = set(os.listdir())
    assert evaluate(*DATA, "--predictions", "found.json", "--report", "page.html", "--confusion") == 0
    out, err = capsys.readouterr()
    for words in (
        "Average precision (COCO)",
        "square",
        "[moon]",
        "nothing there",
        "background",
        "3 pictures",
        "cpu fp32",
    ):
        assert words in out
    assert "the model does not know [moon]" in err
    assert set(os.listdir()) - before == {"found.json", "page.html"}
    results = json.loads(Path("found.json").read_text())
    assert results and {"image_id", "category_id", "bbox", "score", "segmentation"} == set(results[0])
    assert {entry["category_id"] for entry in results} == {4}
    assert "&lt;0&gt;.png" in Path("page.html").read_text()


def test_json_is_for_programs(folder, capsys):
    assert evaluate(*DATA, "--json", "--score-threshold", "0.1") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == 3 and told["unknown"] == ["[moon]"] and told["device"] == "cpu"
    assert told["mask"]["[moon]"]["ap"] == 0 and told["mask"]["square"]["large"] is None
    assert np.array(told["confusion"]["counts"]).shape == (3, 3)
    assert told["score_threshold"] == 0.1
    assert np.array(told["confusion"]["counts"])[:2].sum() == 3
    assert told["milliseconds"]["median"] <= told["milliseconds"]["p95"]


def test_the_result_file_scores_the_same_elsewhere(folder, capsys):
    """Predictions are what pycocotools takes."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    assert evaluate(*DATA, "--json", "--predictions", "found.json") == 0
    told = json.loads(capsys.readouterr().out)
    content = json.loads(Path("val.json").read_text())
    for entry in content["annotations"]:
        entry["id"] += 1  # COCOeval takes an object of id 0 for one that nothing matched
    Path("truth.json").write_text(json.dumps(content))
    truth = COCO("truth.json")
    evaluator = COCOeval(truth, truth.loadRes("found.json"), "bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    ours = [told["box"]["all"][name] for name in ("ap", "ap50", "ap75")]
    assert ours == pytest.approx(evaluator.stats[:3].tolist(), abs=1e-9)


def test_faults_of_the_data_are_listed_or_left_out(folder, capsys):
    content = json.loads(Path("val.json").read_text())
    content["annotations"][0]["bbox"] = [10, 10, -3, 30]
    os.remove("<2>.png")
    Path("val.json").write_text(json.dumps(content))
    assert evaluate(*DATA) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "<2>.png" in lines[0] and "annotation 0 of <0>.png" in lines[1]
    assert lines[2] == "streamseg: 2 faults in the data; mend them, or leave them out with --skip-faults"
    assert evaluate(*DATA, "--skip-faults") == 0
    assert "2 pictures" in capsys.readouterr().out


MISTAKES = {
    "": "one of the arguments --data --truth is required; see streamseg evaluate --help",
    "--data nowhere.json": "nowhere.json: No such file or directory; give a COCO instance file",
    "--data val.json --records a.jsonl": "--records goes with --truth, not with --data",
    "--truth a.jsonl --records b.jsonl --report p.html": "--report goes with --data, not with --truth",
    "--truth a.jsonl --records b.jsonl --device cpu": "--device goes with --data, not with --truth",
    "--truth a.jsonl": "--truth needs either --tracks or --records, to be measured against it",
    "--truth a.jsonl --records b.jsonl": "cannot read a.jsonl: No such file or directory",
    "--truth a.jsonl --tracks b.txt": "cannot read b.txt: No such file or directory",
    "--truth val.json --tracks .": "val.json: is no folder; tracks of a folder need the truth of one",
    "--truth . --tracks .": ".: holds no sequence",
    "--truth . --tracks val.json": "val.json, line 1: not a record of streamseg",
    "--truth a.jsonl --tracks b.txt --records c.jsonl": "--truth needs either --tracks or --records",
    "--truth a.jsonl --tracks b.txt --per-sequence": "--per-sequence goes with a folder of --tracks",
    "--data val.json --tracks b.txt": "--tracks goes with --truth, not with --data",
    "--data val.json --score-threshold 2": "--score-threshold 2.0: must be 0 to 1",
    "--data val.json --report none/page.html": "none/page.html: there is no folder none; make it first",
    "--data val.json --predictions val.json": "val.json: is the source itself; give the output another name",
    "--truth a.jsonl --records b.jsonl --by area": "argument --by: invalid choice: 'area'",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line(folder, line, capsys):
    assert evaluate(*line.split()) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith(f"streamseg: {MISTAKES[line]}") and err.count("\n") == 1


def test_classes_of_another_model(folder, capsys):
    assert evaluate(*DATA, "--class-names", "x,y") == 2
    assert "none of its classes (square, [moon]) is known to the model (x, y)" in capsys.readouterr().err


def record(left: int) -> str:
    mask = encode(Patch(np.ones((40, 20), bool), left, 10), 100, 300)
    thing = {"id": 1, "label": "[person]", "score": 0.9, "box": [left, 10, left + 20, 50], "mask": mask}
    return json.dumps({"frame": 0, "pts": 0.0, "instances": [thing]})


def test_a_video(tmp_path, capsys):
    truth, found = tmp_path / "truth.jsonl", tmp_path / "found.jsonl"
    truth.write_text(record(50))
    found.write_text(record(50))
    assert evaluate("--truth", str(truth), "--records", str(found)) == 0
    out = capsys.readouterr().out
    for words in ("1 frames, overlap of masks", "HOTA", "IDF1", "switches", "[person]", "Average precision"):
        assert words in out
    assert evaluate("--truth", str(truth), "--records", str(found), "--by", "box", "--json", "--quiet") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["by"], told["tracks"]["all"]["HOTA"], told["mask"]["all"]["ap"]) == ("box", 1, pytest.approx(1))


def test_tracks_of_a_video_on_boxes_and_masks(tmp_path, capsys):
    truth, found = tmp_path / "truth.jsonl", tmp_path / "found.jsonl"
    truth.write_text(record(50))
    found.write_text(record(55))
    assert evaluate("--truth", str(truth), "--tracks", str(found)) == 0
    out = capsys.readouterr().out
    for words in ("1 frames, overlap of boxes", "1 frames, overlap of masks", "HOTA", "fragments", "[person]", "0.600"):
        assert words in out
    assert "Average precision" not in out
    assert evaluate("--truth", str(truth), "--tracks", str(found), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["left_out"], list(told["tracks"])) == (1, [], ["box", "mask"])
    everything = told["tracks"]["mask"]["all"]
    assert (everything["MOTP"], everything["fragments"], everything["mostly_tracked"]) == (pytest.approx(0.6), 0, 1)
    rows = tmp_path / "rows.txt"
    rows.write_text("1,1,50,10,20,40,0.9")
    assert evaluate("--truth", str(truth), "--tracks", str(rows)) == 0
    assert "masks" not in capsys.readouterr().out


def test_tracks_of_a_benchmark(tmp_path, capsys):
    for data_set, sequence in (("town", "a"), ("town", "b"), ("road", "c")):
        folder = tmp_path / "truth" / data_set / sequence
        folder.mkdir(parents=True)
        (folder / "gt.txt").write_text("1,1,50,10,20,40,1,1,1\n")
    found = tmp_path / "found"
    found.mkdir()
    for name in "ac":
        (found / f"{name}.txt").write_text("1,1,50,10,20,40,0.9\n")
    words = ("--truth", str(tmp_path / "truth"), "--tracks", str(found))
    assert evaluate(*words) == 0
    out, err = capsys.readouterr()
    assert err == f"streamseg: {found} has no tracks of b: counted as nothing tracked\n"
    assert out.startswith("3 sequences, 3 frames, overlap of boxes")
    assert [line.split()[1] for line in out.splitlines() if line.startswith("│")] == ["road", "town", "all"]
    assert evaluate(*words, "--per-sequence") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("│")] == ["c", "a", "b", "road", "town", "all"]
    assert evaluate(*words, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["missing"], told["sequences"]["b"]["tracks"]["box"]["all"]["missed"]) == (["b"], 1)
    assert (told["data_sets"]["town"]["box"]["MOTA"], told["tracks"]["box"]["all"]["found"]) == (0.5, 2)


def test_measuring_tracks_prints_nothing_of_its_own_and_draws_nothing(tmp_path):
    """TrackEval can print its settings and draw figures."""
    (tmp_path / "a.txt").write_text("1,1,50,10,20,40,1,1,1\n")
    code = (
        "import sys; from streamseg.cli import main; main(sys.argv[1:]); print(sorted({'matplotlib'} & {*sys.modules}))"
    )
    words = ("evaluate", "--truth", "a.txt", "--tracks", "a.txt", "--json")
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    out, _, drawn = done.stdout.rstrip().rpartition("\n")
    assert (drawn, done.stderr, json.loads(out)["tracks"]["box"]["all"]["HOTA"]) == ("[]", "", 1)
