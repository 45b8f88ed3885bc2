"""The main job end to end: real media, the real model, real files."""

from __future__ import annotations

import doctest
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2  # isort: skip  # before av
import av
import numpy as np
import pytest

import streamseg
from streamseg.cli import main

ROOT = Path(__file__).parents[2]
SMALL = {"model": "street", "device": "cpu", "input_size": 64, "max_detections": 3}
FLAGS = ["--quiet", *(f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items())]


pytestmark = pytest.mark.usefixtures("one_thread")


def write_clip(path: Path, ticks: list[int], size: tuple[int, int] = (64, 48)) -> Path:
    """A clip with the given timestamps in thousandths of a second: a bright block that wanders over noise."""
    width, height = size
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "20", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, tick in enumerate(ticks):
            image = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
            image[height // 4 : height // 2, index % width : index % width + 12] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seconds_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(float(frame.pts * frame.time_base), 3) for frame in container.decode(video=0)]


TICKS = [0, 40, 80, 160, 170, 300, 340]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", TICKS)


def test_every_frame_comes_out_at_its_time_and_in_the_records(clip, tmp_path, capsys):
    output, records = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    assert main(["--source", str(clip), "--output", str(output), "--records", str(records), *FLAGS]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert seconds_of(output) == [tick / 1000 for tick in TICKS]
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    assert [(line["frame"], line["pts"]) for line in lines] == [(i, tick / 1000) for i, tick in enumerate(TICKS)]
    said = err.splitlines()
    assert said[0].startswith("streamseg: model street (") and "device cpu" in said[0]
    assert said[1].startswith("7 frames in ") and "lost: nothing" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.jsonl", "out.mp4"]


def test_rows_tables_and_trails_are_for_the_asking(clip, tmp_path):
    street = ROOT / "samples" / "street.mp4"
    flags = ["--model", "street", "--device", "cpu", "--input-size", "256", "--max-frames", "12", "--quiet"]
    line = f"--source {clip} --source {street} --records {tmp_path}/rows/ --records-format mots"
    assert main([*line.split(), "--tracks", str(tmp_path / "t.csv"), *flags]) == 0
    assert sorted(path.name for path in (tmp_path / "rows").iterdir()) == ["clip.txt", "street.txt"]
    rows = [row.split(" ") for row in (tmp_path / "rows" / "street.txt").read_text().splitlines()]
    tracks = [row.split(",") for row in (tmp_path / "t.csv").read_text().splitlines()]
    assert tracks[0][:3] == ["source", "id", "label"]
    assert set() < {row[1] for row in rows} <= {track[1] for track in tracks if track[0] == "street.mp4"}
    with streamseg.open(street, trails=2, model="street", device="cpu", input_size=256, max_frames=12) as stream:
        longest = [result.instances.trails.shape[1] for result in stream]
    assert longest[0] <= 1 and longest[-1] >= 3


@pytest.mark.parametrize("stride", [1, 3])
def test_results_do_not_depend_on_the_batch_size(clip, stride):
    found = []
    for batch_size in (1, 3):
        with streamseg.open(clip, batch_size=batch_size, stride=stride, **SMALL) as stream:
            found.append([(r.frame.index, r.instances.ids.tolist(), r.instances.boxes.tolist()) for r in stream])
            assert stream.statistics.streams[0].segmented == len(range(0, len(TICKS), stride))
    assert found[0] == found[1]
    assert [index for index, _, _ in found[0]] == list(range(len(TICKS)))


def test_standard_output_holds_nothing_but_records(clip, capsys):
    line = f"--source {clip} --source {clip} --records - --stride 2 --max-frames 3"
    assert main([*line.split(), *FLAGS]) == 0
    lines = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert sorted(each["frame"] for each in lines) == [0, 0, 1, 1, 2, 2]
    name = f"{clip.parent.name}/clip.mp4"
    assert {each["source"] for each in lines} == {name, f"{name} (2)"}


def test_several_sources_get_a_file_each(clip, tmp_path):
    other = write_clip(tmp_path / "other.mp4", TICKS[:3], (48, 80))
    folder = tmp_path / "new"
    assert main(["--source", str(clip), "--source", str(other), "--output", f"{folder}/", *FLAGS]) == 0
    assert {path.name: len(seconds_of(path)) for path in folder.iterdir()} == {
        "clip.mp4": 7,
        "other.mp4": 3,
    }


def test_images_become_images(tmp_path):
    pictures, folder = tmp_path / "pictures", tmp_path / "annotated"
    pictures.mkdir()
    for name in ("b.png", "a.jpg"):
        cv2.imwrite(str(pictures / name), np.full((40, 50, 3), 90, np.uint8))
    assert main(["--source", str(pictures), "--output", f"{folder}/", *FLAGS]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "b.png"]


def test_the_library_needs_nothing_shut_down_by_hand(clip):
    with streamseg.open(clip, **SMALL) as stream:
        for result in stream:
            picture = result.annotated()
            assert picture.shape == result.frame.image.shape and picture.dtype == np.uint8
            break
    assert stream.statistics.frames >= 1
    stream.close()
    assert stream.class_names == ("person", "vehicle", "cycle")
    assert [result.frame.index for result in streamseg.open(clip, **SMALL)] == list(range(len(TICKS)))


def test_a_config_file_serves_the_library_too(clip, tmp_path):
    config = tmp_path / "small.toml"
    config.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in SMALL.items()) + "\nmax_frames = 2")
    with streamseg.open(clip, config=config) as stream:
        assert len(list(stream)) == 2
    with pytest.raises(streamseg.UserError, match=r"unknown setting 'modell'; did you mean model\?"):
        streamseg.open(clip, modell="street")


MISTAKES = {
    "--source none.mp4": "none.mp4: there is no such file",
    "--source text.mp4 --output out.mp4": "text.mp4: not a video that FFmpeg can read",
    "--source empty": "empty: no video and no image in this folder",
    "--source clip.mp4 --output clip.mp4 --overwrite": "clip.mp4: is the source itself",
    "--source clip.mp4 --output there.mp4": "there.mp4: exists already; give another name or --overwrite",
    "--source clip.mp4 --output none/out.mp4": "none/out.mp4: there is no folder none",
    "--source clip.mp4 --output none/new/": "none/new/: there is no folder none",
    "--source clip.mp4 --output out.avi": "out.avi: not a name for a video",
    "--source clip.mp4 --output out.png": "takes images, but clip.mp4 is a video",
    "--source clip.mp4 --source clip.mp4 --output out.mp4": "--output out.mp4: 2 sources need a folder",
    "--source clip.mp4 --records clip.mp4 --overwrite": "clip.mp4: is the source itself",
    "--source clip.mp4 --output a.mp4 --records a.mp4": "--records a.mp4: is the output too",
    "--source clip.mp4 --output out.mp4 --model streat": "no model 'streat'; known are street",
    "--source clip.mp4 --output out.mp4 --model street --classes horse": "model street has no class 'horse'",
    "--source clip.mp4 --output out.mp4 --device cuda:9": "device 'cuda:9' cannot be used here",
    "--source clip.mp4 --output out.mp4 --device cpu --precision fp16": "precision fp16 needs a GPU",
    "--source clip.mp4 --output out.mp4 --weights none.pth": "none.pth",
    "--source clip.mp4 --show": "window: there is no screen",
    "--source clip.mp4": "window: there is no screen",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(line, clip, tmp_path, capsys, monkeypatch):
    if "window" in MISTAKES[line] and not sys.platform.startswith("linux"):
        pytest.skip("only on Linux a program can be without a screen")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    Path("text.mp4").write_text("no video\n" * 99)
    Path("there.mp4").touch()
    Path("empty").mkdir()
    before = {path: path.stat().st_size for path in tmp_path.iterdir()}
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("streamseg: ") and MISTAKES[line] in err
    assert {path: path.stat().st_size for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_ends_in_a_whole_file_and_a_summary(tmp_path):
    clip = write_clip(tmp_path / "long.mp4", [40 * index for index in range(1000)])
    output, records = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "streamseg", "--source", str(clip), "--output", str(output)]
    run = subprocess.Popen(
        [*command, "--records", str(records), *FLAGS],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    part = tmp_path / ".out.jsonl.part"
    deadline = time.monotonic() + 120
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 130, err
    assert "Traceback" not in err and f"wrote {output}" in err and " frames in " in err
    written = len(seconds_of(output))
    assert 0 < written < 1000
    assert len(records.read_text().splitlines()) == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.mp4", "out.jsonl", "out.mp4"]


def test_the_example_in_the_docstring_runs(monkeypatch):
    from streamseg.pipeline import stream

    monkeypatch.chdir(ROOT)
    results = doctest.testmod(stream, optionflags=doctest.ELLIPSIS)
    assert results.attempted >= 2 and results.failed == 0
