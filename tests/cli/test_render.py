from __future__ import annotations

import json

import pytest

from streamseg.cli import main

TINY = "--width 64 --height 48"


@pytest.mark.parametrize(("kind", "sounds"), [("", 1), ("--crossings", 0)])
def test_a_clip_and_its_truth(kind, sounds, tmp_path, capsys):
    import cv2  # noqa: F401, I001  # before av
    import av

    clip = tmp_path / "clip.mp4"
    assert main(f"render --output {clip} --seed 5 --seconds 0.3 --rate 10 {TINY} {kind}".split()) == 0
    truth = tmp_path / "clip.truth.jsonl"
    assert capsys.readouterr().out == f"wrote {clip} and {truth}\n"
    with av.open(str(clip)) as container:
        assert len(container.streams.audio) == sounds
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(64, 48)] * 3
    assert [json.loads(line)["frame"] for line in truth.read_text().splitlines()] == [0, 1, 2]


def test_stills_and_their_annotations(tmp_path):
    folder = tmp_path / "stills"
    assert main(f"render --stills 2 --output {folder} --seed 7 {TINY}".split()) == 0
    pictures = [image["file_name"] for image in json.loads((folder / "annotations.json").read_text())["images"]]
    assert pictures == ["scene-0000007.jpg", "scene-0000008.jpg"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "the following arguments are required: --output"),
        ("--output a.mp4 --seconds 0", "argument --seconds: '0' must be a number, 0.1 or more"),
        ("--output a.mp4 --width 64.5", "argument --width: '64.5' must be a whole number, 1 or more"),
        ("--output none/a.mp4", "none/a.mp4: there is no folder none; make it first"),
        ("--output a.mp4 --width 63", "choose an even width"),
        ("--output a --stills 1 --rate 5", "--rate belongs to a clip; leave it out with --stills"),
        ("--output a --drives", "--drives belongs to --stills, say how many pictures"),
        ("--output a --stills 1 --crossings", "argument --crossings: not allowed with argument --stills"),
        ("--output a --stills 0", "argument --stills: '0' must be a whole number, 1 or more"),
    ],
)
def test_mistakes_are_one_line(line, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["render", *line.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("streamseg: ") and complaint in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
