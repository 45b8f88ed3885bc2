"""``streamseg benchmark`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamseg.cli import main
from streamseg.cli.benchmark_tables import print_report

SAMPLE = Path(__file__).parents[2] / "samples" / "street.mp4"
SMALL = ("--model", "street", "--device", "cpu", "--input-size", "128", "--frames", "3", "--rounds", "2")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One benchmark of what runs on a clip, in a process of its own: its folder and what it said."""
    if not SAMPLE.is_file():
        pytest.skip("the sample is not here")
    folder = tmp_path_factory.mktemp("run")
    (folder / "tmp").mkdir()
    words = (*SMALL, "--size", "320x192", "--parts", "pipeline,loop,stages", "--json", "figures.json")
    done = subprocess.run(
        [sys.executable, "-m", "streamseg", "benchmark", "--source", str(SAMPLE), *words],
        cwd=folder,
        env={"PATH": "", "OMP_NUM_THREADS": "1", "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(SAMPLE.parents[1])},
        capture_output=True,
        text=True,
    )
    return folder, done


def test_tables_for_people(run):
    folder, done = run
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("streamseg: model street (embedded weights")
    for words in (
        "torchvision 0.",
        "street.mp4 at 320x192, street on cpu",
        "obvious loop",
        "decode",
        "upload",
        "post-processing, one worker",
        "tracking",
        "encode",
        "records",
        "pipeline ÷ obvious loop:",
        "end to end ÷ slowest stage alone",
        "of what a large matrix product reaches here",
    ):
        assert words in done.stdout
    assert {path.name for path in folder.iterdir()} == {"figures.json", "tmp"}
    assert not list((folder / "tmp").glob("streamseg*"))


def test_figures_for_programs_agree_with_each_other(run):
    figures = json.loads((run[0] / "figures.json").read_text())
    assert (figures["clip"], figures["width"], figures["height"]) == ("street.mp4", 320, 192)
    assert {"cpu", "cores", "memory_gb", "gpu", "torch"} <= set(figures["machine"])
    assert [one["what"] for one in figures["rounds"]] == ["pipeline", "loop"] * 2
    timed = [figures[part] for part in ("pipeline", "loop", "torchvision_forward")]
    stages = figures["stages"]
    assert stages.pop("upload") is None
    for one in [*timed, *figures["rounds"], *stages.values()]:
        assert one["fps"] * one["ms"]["mean"] == pytest.approx(1000)
        assert one["ms"]["median"] <= one["ms"]["p95"] and one["frames"] >= 1 and one["cpu_seconds"] > 0
    for part in ("pipeline", "loop"):
        rounds = [one for one in figures["rounds"] if one["what"] == part]
        assert figures[part]["frames"] == sum(one["frames"] for one in rounds)
        assert figures[part]["fps"] == pytest.approx(
            figures[part]["frames"] / sum(one["frames"] / one["fps"] for one in rounds)
        )
        assert figures[part]["process_gb"] > 0.1
    assert figures["pipeline"]["frames"] == 6
    slowest = figures["slowest_stage"]
    names = ("decode", "segment", "tracking", "overlay", "encode", "records")
    assert slowest == max(names, key=lambda name: stages[name]["ms"]["mean"])
    ratios = figures["ratios"]
    assert ratios["pipeline_over_loop"] == pytest.approx(figures["pipeline"]["fps"] / figures["loop"]["fps"])
    assert ratios["end_to_end_over_slowest_stage"] == pytest.approx(
        figures["pipeline"]["ms"]["mean"] / stages[slowest]["ms"]["mean"]
    )
    assert figures["overlay"] == figures["following"] == []


def test_the_overlay_alone_on_standard_output(capsys):
    """No clip, no loop: the figures of the overlay, and nothing else in the way of a program."""
    assert main(["benchmark", *SMALL, "--parts", "overlay", "--json", "-"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [one["size"] for one in figures["overlay"]] == [[1280, 720], [1920, 1080]]
    assert figures["rounds"] == [] and set(figures["ratios"].values()) == {None}


MISTAKES = {
    "--size 1279x720": "argument --size: '1279x720' must be two even numbers, 32 or more, as in 1920x1080",
    "--size 20x20": "argument --size: '20x20' must be two even numbers, 32 or more, as in 1920x1080",
    "--frames 0": "argument --frames: '0' must be a whole number, 1 or more",
    "--rounds many": "argument --rounds: 'many' must be a whole number, 1 or more",
    "--parts loop,pipe": "argument --parts: 'pipe' must be one of pipeline, loop, stages, overlay",
    "--output a.mp4": "unknown flag --output; see streamseg benchmark --help",
    "--crf 99": "--crf 99: must be 0 to 51",
    "--json none/a.json": "none/a.json: there is no folder none; make it first",
    "--source clip.mp4 --json clip.mp4": "clip.mp4: is the source itself; give the output another name",
    "--source none.mp4": "none.mp4: there is no such file; check the path",
    "--source clip.mp4": "clip.mp4: not a video that FFmpeg can read",
    "--source rtsp://user:secret@camera": "the benchmark reads its clip again and again; give --source a video file",
    "--source 0": "0: there is no such file; check the path",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").write_text("no video")
    assert main(["benchmark", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith(f"streamseg: {MISTAKES[line]}") and err.count("\n") == 1


def test_a_mistake_that_its_own_process_finds_is_one_line_too(capsys):
    if not SAMPLE.is_file():
        pytest.skip("the sample is not here")
    assert main(["benchmark", "--source", str(SAMPLE), "--weights", "none.pth", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "streamseg: none.pth: no such checkpoint; give --weights a .safetensors or .pth file\n"
    )


def test_its_help_imports_nothing_heavy():
    heavy = {"torch", "torchvision", "av", "cv2", "numpy", "scipy", "rich"}
    code = (
        "import sys, streamseg.cli as cli\n"
        "try: cli.main(['benchmark', '--help'])\n"
        f"finally: print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=SAMPLE.parents[1])
    assert done.returncode == 0 and "--rounds" in done.stdout and done.stdout.splitlines()[-1] == "[]"


def test_a_gpu_and_its_peers_are_told(capsys):
    from streamseg.benchmark.report import Report
    from streamseg.benchmark.timing import Timing

    machine = {
        "cpu": "Some CPU",
        "cores": 16,
        "memory_gb": 128.0,
        "gpu": "Some GPU",
        "gpu_memory_gb": 140.0,
        "system": "Linux",
        "python": "3.12",
        **dict.fromkeys(("torch", "torchvision", "opencv", "av"), "1.0"),
        "supervision": "0.31",
    }
    about = {
        "machine": machine,
        "model": "street",
        "device": "cuda:0",
        "precision": "fp16",
        "batch_size": 4,
        "workers": 3,
        "stride": 1,
        "clip": "[a].mp4",
        "width": 1920,
        "height": 1080,
    }
    timing = Timing(2, 0.01, 0.02, (0.004, 0.006))
    memory = {"pipeline": {"process_gb": None, "device_gb": 3.25}}
    ways = {"streamseg_planes": 2.5, "streamseg_rgb": 3.0, "torchvision": 200.0, "supervision": 30.0}
    painting = [{"size": [1280, 720], "instances": 20, "ms": ways}]
    notes = ["the memory of cuda:0 was too small"]
    following = [{"part": "tracker", "size": [1280, 720], "instances": 100, "ms": 3.25}]
    report = Report(about, [("pipeline", timing)], notes, memory, {"upload": timing}, painting=painting)
    report.following = following
    print_report(report)
    out = capsys.readouterr().out
    for words in (
        "16 cores, 128 GB; Some GPU, 140 GB;",
        "[a].mp4 at 1920x1080",
        "200.0",
        "3.25",
        "supervision 0.31",
        "objects followed on one core",
        *notes,
    ):
        assert words in out
    assert "÷" not in out.split("20 objects")[0].split("CPU ms")[1]


def test_identities_are_told_by_masks_and_by_boxes(capsys):
    import numpy as np

    from streamseg.benchmark.identities import TRUTH, Identities
    from streamseg.benchmark.report import Report
    from streamseg.evaluation.scores import score_frames

    one = np.ones((1, 1))
    steady = [(np.array([1]), np.array([5]), one)] * 4
    changed = [(np.array([1]), np.array([5 + k // 2]), one) for k in range(4)]
    rows = [
        Identities(TRUTH, association, by, score_frames(frames))
        for association, frames in (("boxes", changed), ("masks", steady))
        for by in ("mask", "box")
    ]
    machine = dict.fromkeys(("cpu", "system", "python", "torch", "torchvision", "opencv", "av", "supervision"), "1.0")
    about = {
        "machine": {**machine, "cores": 2, "memory_gb": None, "gpu": None},
        "batch_size": 1,
        "workers": 1,
        "stride": 1,
    }
    about |= dict.fromkeys(("clip", "width", "height", "model", "device", "precision"), "x")
    report = Report(about, identities=rows)
    print_report(report)
    lines = [line.split("│") for line in capsys.readouterr().out.splitlines() if TRUTH in line]
    cells = [[cell.strip() for cell in line[1:-1]] for line in lines]
    assert cells == [
        [f"{TRUTH}: boxes only", "1", "50.0", "70.7", "1", "50.0", "70.7"],
        [f"{TRUTH}: masks too", "0", "100.0", "100.0", "0", "100.0", "100.0"],
    ]
    figures = json.loads(json.dumps(report.figures()))["identities"]
    assert figures[0] == {
        "detections": TRUTH,
        "association": "boxes",
        "by": "mask",
        "truth": 4,
        "switches": 1,
        "idf1": 0.5,
        "hota": pytest.approx(0.5**0.5),
    }
