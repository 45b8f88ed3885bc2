"""``streamseg train`` and ``evaluate`` as a user calls them, on a data set made on the spot."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from streamseg.cli import main

RECIPE = """
workers = 0
validation = "annotations.json"
[[data]]
file = "annotations.json"
[model]
widths = [8, 8, 8, 8, 8]
depths = [0, 0, 0, 0]
pyramid = 8
box_features = 16
mask_channels = [8]
[augment]
width = 96
height = 64
[schedule]
steps = 2
batch_size = 2
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe and its data in the current folder."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8))
    square = {"segmentation": [[10, 10, 40, 10, 40, 40, 10, 40]], "bbox": [10, 10, 30, 30], "area": 900, "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 96, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **square}],
        "categories": [{"id": 1, "name": "square"}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    (tmp_path / "recipe.toml").write_text(RECIPE)


def test_train_then_evaluate(recipe, tmp_path, capsys):
    assert main(["train", "recipe.toml", "--output", "run"]) == 0
    told = capsys.readouterr().out
    assert "step 2/2" in told and "validation" in told and "run/model.safetensors" in told
    arguments = ["--data", "annotations.json", "--weights", "run/model.safetensors", "--predictions", "found.json"]
    assert main(["evaluate", *arguments]) == 0
    assert "square" in capsys.readouterr().out
    assert isinstance(json.loads((tmp_path / "found.json").read_text()), list)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train none.toml --output run", "none.toml: No such file"),
        ("train recipe.toml --output run --steps 0", "--steps 0: must be at least 1"),
        ("train recipe.toml --output run --resume", "nothing to resume"),
        ("train recipe.toml --output run --weights none.pth", "none.pth: no such checkpoint"),
        ("evaluate --data none.json", "none.json: No such file"),
        ("evaluate --data annotations.json", "none of its classes (square) is known"),
        ("evaluate --data annotations.json --predictions none/found.json", "its folder does not exist"),
        ("evaluate --truth truth.jsonl", "--truth needs --records"),
    ],
)
def test_mistakes_are_one_line(recipe, capsys, line, message):
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error


def test_ctrl_c_ends_after_a_step(recipe, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("steps = 2", "steps = 100000"))
    command = [sys.executable, "-m", "streamseg", "train", "recipe.toml", "--output", "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and "step" not in child.stdout.readline():
            pass
        os.kill(child.pid, signal.SIGINT)
        output, error = child.communicate(timeout=60)
    assert (child.returncode, error) == (130, "")
    assert "go on with --resume" in output
    assert (tmp_path / "run" / "state.pt").is_file()
