from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.result import Result
from streamseg.sinks import ImageSink, Kind, MotSink, RecordsSink, VideoFileSink, check, make_sink, register
from streamseg.sinks.kinds import KINDS


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.mp4", VideoFileSink),
        ("a b.MOV", VideoFileSink),
        ("-x.mkv", VideoFileSink),
        ("a.jsonl", RecordsSink),
        ("-", RecordsSink),
        ("a.txt", MotSink),
        ("a.png", ImageSink),
        ("folder/", ImageSink),
        (".", ImageSink),
    ],
)
def test_the_suffix_decides(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    check(name)
    assert isinstance(make_sink(name), kind)
    assert os.listdir(tmp_path) == []


def test_a_new_kind_is_one_registration(monkeypatch):
    monkeypatch.setattr("streamseg.sinks.kinds.KINDS", list(KINDS))
    register(Kind("shout", lambda path: path.endswith(".loud"), "fractions", "Fraction"))
    monkeypatch.setattr("fractions.Fraction", lambda path, overwrite: (path, overwrite))
    assert make_sink("a.loud") == ("a.loud", False)


@pytest.mark.parametrize(
    ("name", "sources", "message"),
    [
        ("a.gif", (), "nothing is written under such a name"),
        ("noname", (), "nothing is written under such a name"),
        ("nowhere/a.mp4", (), "there is no folder"),
        ("nowhere/a.jsonl", (), "there is no folder"),
        ("nowhere/deeper/", (), "there is no folder"),
        ("there.mp4", (), "exists already"),
        ("there.mp4", ("there.mp4",), "source itself"),
        ("link.mp4", ("there.mp4",), "source itself"),
        ("hard.mp4", ("there.mp4",), "source itself"),
        ("folder/../there.mp4", ("there.mp4",), "source itself"),
        ("there.png", ("there.png",), "source itself"),
        ("folder", ("folder",), "source itself"),
        ("there.mp4/", (), "is a file"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, monkeypatch, name, sources, message):
    monkeypatch.chdir(tmp_path)
    for there in ("there.mp4", "there.png"):
        (tmp_path / there).write_bytes(b"x")
    (tmp_path / "link.mp4").symlink_to("there.mp4")
    os.link("there.mp4", "hard.mp4")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=message) as error:
        check(name, ("0", "rtsp://x/", *sources), overwrite=message == "source itself")
    assert str(error.value).startswith(name.removesuffix("/"))
    assert "\n" not in str(error.value)


def test_a_folder_is_no_video(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        VideoFileSink(tmp_path / "a.mp4")


def test_a_folder_without_permission_is_one_line(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    for above in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        above.chmod(0o755)
    ask = (
        "import os, sys, streamseg.sinks.video\n"
        "from streamseg.sinks import check\n"
        "if os.getuid() == 0: os.setuid(65534)\n"  # root may write everywhere
        "try: check(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", ask, str(folder / "a.mp4")], capture_output=True, text=True)
    assert done.stdout.startswith("UserError ")
    assert "cannot be written to" in done.stdout


def test_the_room_is_light_until_something_is_written():
    ask = "import sys, streamseg.sinks; print({'av', 'cv2', 'numpy.fft'} & set(sys.modules) - {'numpy.fft'})"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert done.stdout == "set()\n"


def images(folder, *sizes):
    folder.mkdir()
    for number, (width, height) in enumerate(sizes):
        cv2.imwrite(str(folder / f"ü{number}.png"), np.full((height, width, 3), 40 * number, np.uint8))
    return tuple(sorted(folder.iterdir()))


def write_all(sink, files, name="photos"):
    sink.open(StreamInfo(name, 8, 8, Fraction(1, 25), files=files))
    for number, file in enumerate(files):
        image = np.full((*cv2.imread(str(file)).shape[:2], 3), (200, 10, number), np.uint8)
        frame = Frame(image, number, number, Fraction(1, 25), name)
        sink.write(Result(frame, Instances.empty(), lambda frame, instances: frame.image))


def test_images_keep_their_names_and_sizes(tmp_path):
    files = images(tmp_path / "in", (8, 6), (10, 12))
    sink = ImageSink(f"{tmp_path}/out/")
    write_all(sink, files)
    assert sink.close() == [f"wrote 2 images to {tmp_path / 'out'}"]
    assert sorted(os.listdir(tmp_path / "out")) == ["ü0.png", "ü1.png"]
    image = cv2.imread(str(tmp_path / "out" / "ü1.png"))
    assert image.shape == (12, 10, 3)
    assert image[0, 0].tolist() == [1, 10, 200]


def test_two_folders_with_the_same_names_do_not_overwrite_each_other(tmp_path):
    sink = ImageSink(f"{tmp_path}/out/")
    for name in ("one", "two"):
        write_all(sink, images(tmp_path / name, (8, 6)), name)
    assert sorted(os.listdir(tmp_path / "out")) == ["ü0-2.png", "ü0.png"]


def test_one_image_goes_to_a_file(tmp_path):
    sink = ImageSink(tmp_path / "out.jpg")
    write_all(sink, images(tmp_path / "in", (8, 6)))
    assert sink.close() == [f"wrote {tmp_path / 'out.jpg'}"]
    assert cv2.imread(str(tmp_path / "out.jpg")).shape == (6, 8, 3)


def test_images_that_cannot_be_placed_are_one_line(tmp_path):
    files = images(tmp_path / "in", (8, 6), (8, 6))
    with pytest.raises(UserError, match="holds one image"):
        ImageSink(tmp_path / "out.png").open(StreamInfo("photos", 8, 6, Fraction(1, 25), files=files))
    with pytest.raises(UserError, match="source itself"):
        ImageSink(tmp_path / "in").open(StreamInfo("photos", 8, 6, Fraction(1, 25), files=files))
    with pytest.raises(UserError, match="is a video"):
        ImageSink(tmp_path).open(StreamInfo("a.mp4", 8, 6, Fraction(1, 25)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / files[0].name).write_bytes(b"older")
    with pytest.raises(UserError, match="exists already"):
        ImageSink(tmp_path / "out").open(StreamInfo("photos", 8, 6, Fraction(1, 25), files=files))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_writing_an_image_says_nothing_on_standard_error(tmp_path, capfd, suffix):
    file = tmp_path / f"photo{suffix}"
    cv2.imwrite(str(file), np.zeros((6, 8, 3), np.uint8))
    sink = ImageSink(tmp_path / f"out{suffix}")
    sink.open(StreamInfo(file.name, 8, 6, Fraction(1, 25), files=(file,)))
    frame = Frame(np.zeros((6, 8, 3), np.uint8), 0, 0, Fraction(1, 25), file.name)
    sink.write(Result(frame, Instances.empty(), lambda frame, instances: frame.image))
    sink.close()
    assert (tmp_path / f"out{suffix}").is_file()
    assert capfd.readouterr().err == ""
