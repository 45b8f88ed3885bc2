"""``streamseg train`` as a user calls it, on data made on the spot."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamseg.cli import main
from streamseg.masks import encode
from streamseg.models.checkpoint import read_checkpoint
from streamseg.scenes import render_still
from streamseg.training.state import read_state

RECIPE = """
workers = 0
seed = 3
weights = "none"
precision = "fp32"
checkpoint_every = 2
[[data]]
file = "annotations.json"
[street]
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
TRAIN = [sys.executable, "-m", "streamseg", "train", "recipe.toml"]
# Two processes as torchrun starts them, on a port that is free.
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
posix = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    """A recipe and its data in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    cv2.imwrite("a.png", np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8))
    square = {"segmentation": [[10, 10, 40, 10, 40, 40, 10, 40]], "bbox": [10, 10, 30, 30], "area": 900, "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 96, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **square}],
        "categories": [{"id": 1, "name": "square"}],
    }
    Path("annotations.json").write_text(json.dumps(content))
    Path("recipe.toml").write_text(RECIPE)


def rows(file):
    with Path(file).open() as lines:
        return list(csv.DictReader(lines))


def test_train_then_evaluate(capsys):
    arguments = ["--validation", "annotations.json", "--validate-every", "1"]
    assert main(["train", "recipe.toml", "--output", "run", *arguments]) == 0
    told, error = capsys.readouterr()
    assert "1 pictures, objects: 1 square; 2 steps of 2 (4 epochs), device cpu" in told
    assert "step 2/2" in told and "step 2, validation: mask AP" in told and "run/best.safetensors" in told
    assert error == ""
    assert [row["step"] for row in rows("run/log.csv")] == ["2"]
    assert list(rows("run/validation.csv")[0])[:3] == ["step", "mask_ap", "mask_ap50"]
    page = Path("run/page.html").read_text()
    assert "mask AP" in page and "Loss" in page and "square" in page
    assert main(["evaluate", "--data", "annotations.json", "--weights", "run/best.safetensors"]) == 0
    assert "square" in capsys.readouterr().out


def test_without_a_recipe_and_without_validation(capsys):
    line = "train --data annotations.json --output run --steps 1 --batch-size 1 --workers 0 --weights none"
    assert main(line.split()) == 0
    assert "run/model.safetensors: use it with --weights" in capsys.readouterr().out
    assert "Loss" in Path("run/page.html").read_text()
    assert not Path("run/best.safetensors").exists()
    assert main(["train", "--output", "run", "--resume", "--steps", "2"]) == 0
    told = capsys.readouterr().out
    assert "resuming with changed steps (1 -> 2)" in told and "from step 1 2 steps" in told
    assert [row["step"] for row in rows("run/log.csv")] == ["1", "2"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("none.toml --output run", "none.toml: No such file"),
        ("--output run", "no data to train on; name a COCO instance file: --data FILE"),
        ("recipe.toml --output run --data none.json", "none.json: No such file"),
        ("recipe.toml --output run --steps 0", "--steps 0: must be auto, or 1 or more"),
        ("recipe.toml --output run --model yolo", "--model 'yolo': must be one of street"),
        ("recipe.toml --output run --resume", "nothing to resume"),
        ("recipe.toml --output run --weights none.pth", "none.pth: no such checkpoint"),
        ("recipe.toml --output run --threads 0", "'0' must be a whole number, 1 or more"),
        ("recipe.toml --output a.png/run", "a.png/run: cannot be written"),
        ("recipe.toml --output run --precision fp16", "precision fp16 trains on CUDA only"),
        ("recipe.toml --output run --images nowhere", "1 faults in the data"),
        ("recipe.toml --output run --device cuda:99", "device 'cuda:99' cannot be used here"),
    ],
)
def test_mistakes_are_one_line(capsys, line, message):
    assert main(["train", *line.split()]) == 2
    *faults, error = capsys.readouterr().err.splitlines()
    assert message in error and error.startswith("streamseg: ")
    assert len(faults) == ("faults" in error) and not Path("run").exists()


def wait_for(child, words):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and words not in child.stdout.readline():
        pass


def test_ctrl_c_ends_after_a_step():
    command = [*TRAIN, "--output", "run", "--steps", "100000", "--workers", "1"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, **options) as child:
        wait_for(child, "step ")
        os.killpg(child.pid, signal.SIGINT)  # to the workers, too, as a terminal does
        output, error = child.communicate(timeout=60)
    assert (child.returncode, error) == (130, "")
    assert "go on with: streamseg train --output run --resume" in output
    assert read_state(Path("run"))["step"] > 1


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path):
    """Killed again and again, whatever it is doing, until it is through; then compared with one that was not."""
    arguments = ["--steps", "30", "--validation", "annotations.json", "--validate-every", "10"]
    # All in processes of their own: with another number of threads sums are rounded elsewhere.
    subprocess.run([*TRAIN, "--output", "whole", *arguments], check=True, capture_output=True)
    random = np.random.default_rng(1)
    for _ in range(2):
        resume = ["--resume"] if Path("run/state.pt").exists() else []
        command = [*TRAIN, "--output", "run", *arguments, *resume]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            wait_for(child, "steps of 2")
            time.sleep(float(random.uniform(0.05, 1.0)))
            child.kill()
    resume = ["--resume"] if Path("run/state.pt").exists() else []
    subprocess.run([*TRAIN, "--output", "run", *arguments, *resume], check=True, capture_output=True)
    for name in ("log.csv", "validation.csv"):
        assert Path("run", name).read_text() == Path("whole", name).read_text()
    whole, part = (read_checkpoint(tmp_path / folder / "model.safetensors").tensors for folder in ("whole", "run"))
    assert all(torch.equal(tensor, part[name]) for name, tensor in whole.items())


SPY = """
import hashlib, os, pathlib, sys
from streamseg.cli import main
from streamseg.training.loop import Trainer

def save(trainer, original=Trainer.save):
    weights = b"".join(tensor.numpy().tobytes() for tensor in trainer.network.state_dict().values())
    averaged = b"".join(tensor.numpy().tobytes() for tensor in trainer.average.state_dict().values())
    told = f"{trainer.step} {hashlib.sha1(weights).hexdigest()} {hashlib.sha1(averaged).hexdigest()}"
    pathlib.Path(f"rank{os.environ['RANK']}.txt").write_text(told)
    original(trainer)

Trainer.save = save
sys.exit(main(sys.argv[1:]))
"""


@posix
def test_two_processes_train_one_network():
    Path("spy.py").write_text(SPY)
    arguments = ["--output", "run", "--steps", "3", "--validation", "annotations.json", "--validate-every", "2"]
    done = subprocess.run([*TOGETHER, "spy.py", "train", "recipe.toml", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("3 steps of 2") == 1 and "in 2 processes" in done.stdout
    assert done.stdout.count("step 3, validation") == 1
    assert Path("rank0.txt").read_text() == Path("rank1.txt").read_text()
    assert Path("rank0.txt").read_text().startswith("3 ")
    state = read_state(Path("run"))
    assert (state["step"], state["processes"]) == (3, 2)
    assert [row["step"] for row in rows("run/validation.csv")] == ["2", "3"]


@posix
def test_a_mistake_of_two_processes_is_told_once():
    command = [*TOGETHER, *TRAIN[1:], "--output", "run", "--data", "none.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and done.stderr.count("none.json: No such file") == 1


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_when_one_process_ends_the_other_does_not_wait_for_ever(number):
    command = [*TOGETHER, *TRAIN[1:], "--output", "run", "--steps", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_for(child, "step ")
        workers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        os.kill(int(workers[-1]), number)
        child.communicate(timeout=100)
    assert child.returncode is not None
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    if number == signal.SIGINT:
        assert read_state(Path("run"))["step"] > 1


OVERFIT = """
workers = 0
seed = 1
validation = "truth.json"
validate_every = 60
[[data]]
file = "truth.json"
[street]
short_side = 160
long_side = 256
[schedule]
steps = 60
batch_size = 4
learning_rate = 1.5e-3
warmup = 5
decay = 0.5
ema = 0.9
[augment]
width = 256
height = 160
scale_min = 1.0
scale_max = 1.0
flip = 0.0
paste = 0.0
colour = 0.0
degrade = 0.0
"""
SEEDS = (78, 105, 128, 242)  # scenes with large vehicles


def test_a_handful_of_pictures_is_learnt_by_heart(tmp_path, capsys):
    width, height = 256, 160
    images, annotations = [], []
    for seed in SEEDS:
        scene = render_still(seed, width, height)
        cv2.imwrite(f"{seed}.png", scene.image[..., ::-1])
        images.append({"id": seed, "file_name": f"{seed}.png", "width": width, "height": height})
        for one in scene.objects:
            x1, y1, x2, y2 = one.box
            area = int(one.mask.pixels.sum())
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": seed,
                    "category_id": 1,
                    "segmentation": encode(one.mask, height, width),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": area,
                    "iscrowd": int(area < 200),  # what is seen of the cars behind
                }
            )
    categories = [{"id": 1, "name": "vehicle"}]
    Path("truth.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    Path("recipe.toml").write_text(OVERFIT)
    assert main(["train", "recipe.toml", "--output", "run"]) == 0
    capsys.readouterr()
    arguments = ["--data", "truth.json", "--weights", "run/best.safetensors", "--predictions", "found.json"]
    assert main(["evaluate", *arguments]) == 0
    table = capsys.readouterr().out
    assert float(rows("run/validation.csv")[-1]["mask_ap"]) > 0.9, table
    assert "vehicle" in table and len(json.loads(Path("found.json").read_text())) >= 5
