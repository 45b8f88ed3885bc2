"""After SIGKILL: what is there plays, and --resume ends where an unbroken run would have ended, to the last byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from numbered import beeps, beeps_input, ffmpeg, needs_ffmpeg, numbers, packets, streams, times, video

from streamseg.cli import main

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
    pytest.mark.usefixtures("one_thread"),
]
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "street.mp4"
FLAGS = ["--model", "street", "--device", "cpu", "--precision", "fp32", "--input-size", "128", "--quiet"]
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12")
FILES = {"--output": "out.mp4", "--records": "out.jsonl", "--tracks": "tracks.csv"}


def words(source: Path, folder: Path, files: Sequence[str] = tuple(FILES), *more: str) -> list[str]:
    written = [word for flag in files for word in (flag, str(folder / FILES[flag]))]
    return ["--source", str(source), *written, *FLAGS, *more]


def killed(line: list[str], part: Path, size: int, number: int = signal.SIGKILL) -> int:
    """Run the program until a hidden file has a size, then send a signal; its exit status."""
    run = subprocess.Popen(
        [sys.executable, "-m", "streamseg", *line],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while run.poll() is None and time.monotonic() < deadline:
        if part.exists() and part.stat().st_size >= size:
            break
        time.sleep(0.01)
    assert run.poll() is None, run.stderr.read().decode() if run.stderr else ""
    run.send_signal(number)
    run.communicate(timeout=60)
    return run.returncode


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The sample's first seconds, with two kinds of sound: copied and encoded anew."""
    folder = tmp_path_factory.mktemp("source")
    tracks = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:a:0", "aac", "-c:a:1", "pcm_s16le", "-shortest"]
    inputs = [*beeps_input(6.0), *beeps_input(6.0, 2)]
    cut = ["-ss", "0", "-t", "6"]
    path = folder / "trip.mkv"
    needs_ffmpeg()
    ffmpeg(*cut, "-i", SAMPLE, *inputs, *tracks, "-c:v", "copy", path)
    return path


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("unbroken")
    assert main(words(source, folder)) == 0
    return folder


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "Ctrl-C"])
def test_a_resumed_run_ends_as_an_unbroken_one(tmp_path, source, unbroken, signal_number, capsys):
    part = tmp_path / ".out.mp4.part"
    broken = words(source, tmp_path)
    final = (unbroken / "out.mp4").stat().st_size
    status = killed(broken, part, final // 3, signal_number)
    if signal_number == signal.SIGKILL:
        there = len((tmp_path / ".out.jsonl.part").read_bytes().splitlines())
        assert set(sizes(tmp_path)) == {".out.mp4.part", ".out.jsonl.part", ".tracks.csv.part"}
        played = times(part)  # all later by what sound has before 0
        expected = times(unbroken / "out.mp4")[: len(played)]
        expected = [when + played[0] - expected[0] for when in expected]
        assert played == pytest.approx(expected, abs=0.0011)
        assert len(played) >= there - 60  # all but the last two seconds
        assert len(streams(part, "audio")) == 2
    else:
        assert status == 130
        assert len(times(tmp_path / "out.mp4")) == len((tmp_path / "out.jsonl").read_bytes().splitlines())
    capsys.readouterr()
    assert main([*broken, "--resume"]) == 0
    said = capsys.readouterr().err
    assert "trip.mkv: went on after the " in said
    for name in ("out.jsonl", "tracks.csv"):
        assert (tmp_path / name).read_bytes() == (unbroken / name).read_bytes()
    assert times(tmp_path / "out.mp4") == times(unbroken / "out.mp4")
    copied, encoded = ([packets(each / "out.mp4", track) for each in (tmp_path, unbroken)] for track in ("a:0", "a:1"))
    assert copied[0] == copied[1]
    # An encoder's choices depend on all that it has heard, what is heard does not.
    assert [when for when, _ in encoded[0]] == [when for when, _ in encoded[1]]
    assert beeps(tmp_path / "out.mp4", 1) == pytest.approx(beeps(unbroken / "out.mp4", 1), abs=0.001)
    assert set(sizes(tmp_path)) == {"out.mp4", "out.jsonl", "tracks.csv"}
    assert main([*broken, "--resume"]) == 0
    assert "finished already" in capsys.readouterr().err


@pytest.mark.parametrize("files", [("--records",), ("--tracks",), ("--output",)])
def test_any_file_alone_can_be_gone_on_with(tmp_path, source, unbroken, files, capsys):
    [flag] = files
    name = FILES[flag]
    line = words(source, tmp_path, files)
    killed(line, tmp_path / f".{name}.part", (unbroken / name).stat().st_size // (2 if name == "out.jsonl" else 3))
    assert main([*line, "--resume"]) == 0
    assert "went on after the " in capsys.readouterr().err
    if name != "out.mp4":
        assert (tmp_path / name).read_bytes() == (unbroken / name).read_bytes()
    assert times(tmp_path / "out.mp4") == times(unbroken / "out.mp4") if name == "out.mp4" else True
    assert set(sizes(tmp_path)) == {name}


def numbered_run(tmp_path: Path, *, suffix: str = ".mp4", **about) -> tuple[Path, list[str]]:
    path = video(tmp_path / f"numbers{suffix}", 300, **about)
    return path, words(path, tmp_path, ("--output", "--records"), "--score-threshold", "1")


GROUPS = ("-bf", "3", "-x264-params", "open-gop=1")
FIELDS = ("-flags", "+ildct+ilme", "-x264opts", "tff=1")
VARIABLE = ("-vf", "settb=1/1000,setpts=N*30+mod(N*N\\,20)", "-fps_mode", "passthrough", "-enc_time_base", "1:1000")
KINDS = {
    "open groups of pictures": {"codec": (*H264, *GROUPS)},
    "a transport stream": {"suffix": ".ts"},
    "an AVI": {"suffix": ".avi", "codec": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "3")},
    "fields": {"codec": (*H264, *FIELDS)},
    "variable rate": {"suffix": ".mkv", "options": VARIABLE},
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_frame_comes_twice_and_none_is_missing(tmp_path, kind):
    source, line = numbered_run(tmp_path, **KINDS[kind])
    killed(line, tmp_path / ".out.jsonl.part", 5_000)
    assert main([*line, "--resume"]) == 0
    assert numbers(tmp_path / "out.mp4") == list(range(300))
    expected = times(source)
    if kind != "an AVI":
        assert times(tmp_path / "out.mp4") == pytest.approx(expected, abs=0.001)
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == 300


def test_with_a_stride_and_trails(tmp_path, source, unbroken, capsys):
    more = ["--stride", "3", "--trails", "1", "--track-delay", "0.5"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir(), broken.mkdir()
    assert main([*words(source, whole, ("--output", "--records")), *more]) == 0
    line = [*words(source, broken, ("--output", "--records")), *more]
    killed(line, broken / ".out.mp4.part", (whole / "out.mp4").stat().st_size // 2)
    assert main([*line, "--resume"]) == 0
    assert (broken / "out.jsonl").read_bytes() == (whole / "out.jsonl").read_bytes()
    assert times(broken / "out.mp4") == times(whole / "out.mp4")


def test_other_settings_are_refused_in_one_line_and_nothing_is_touched(tmp_path, source, unbroken, capsys):
    line = words(source, tmp_path, ("--output", "--records"))
    killed(line, tmp_path / ".out.mp4.part", (unbroken / "out.mp4").stat().st_size // 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    for more, expected in (
        (["--stride", "2"], "the earlier run had --stride 1, this one has --stride 2"),
        (["--mask-opacity", "0.2"], "the earlier run had --mask-opacity 0.45, this one has --mask-opacity 0.2"),
        (["--classes", "person"], "the earlier run had no --classes, this one has --classes person"),
    ):
        assert main([*line, "--resume", *more]) == 2
        said = capsys.readouterr().err.splitlines()
        assert expected in said[-1] and said[-1].startswith("streamseg: ") and len(said) <= 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_where_nothing_was_begun_it_begins(tmp_path, capsys):
    _, line = numbered_run(tmp_path)
    assert main([*line, "--resume", "--max-frames", "20"]) == 0
    assert "went on" not in capsys.readouterr().err
    assert numbers(tmp_path / "out.mp4") == list(range(20))


def test_an_older_file_is_not_taken_for_an_unfinished_one(tmp_path, capsys):
    _, line = numbered_run(tmp_path)
    (tmp_path / "out.mp4").write_bytes(b"older")
    assert main([*line, "--resume"]) == 2
    assert "out.mp4: exists already" in capsys.readouterr().err
    assert (tmp_path / "out.mp4").read_bytes() == b"older"


def test_a_live_source_cannot_be_gone_on_with(tmp_path, capsys):
    assert main(["--source", "udp://127.0.0.1:9", "--output", str(tmp_path / "a.mp4"), "--resume"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
