"""Sources that are called the same are told apart."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamseg.frame import StreamInfo
from streamseg.pipeline.naming import distinct_names, told_apart
from streamseg.sources import open_source


def video(path):
    return StreamInfo(Path(path).name, 8, 8, Fraction(1, 25), path=Path(path))


def stream(name):
    return StreamInfo(name, 8, 8, Fraction(1, 25), live=True)


@pytest.mark.parametrize(
    ("infos", "expected"),
    [
        ([], []),
        ([video("/a/1.mp4"), video("/b/2.mp4")], ["1.mp4", "2.mp4"]),
        ([video("/a/1.mp4"), video("/b/1.mp4"), stream("camera 0")], ["a/1.mp4", "b/1.mp4", "camera 0"]),
        ([video("/a/1.mp4"), video("/a/1.mp4")], ["a/1.mp4", "a/1.mp4 (2)"]),
        ([stream("rtsp://c/x"), stream("rtsp://c/x")], ["rtsp://c/x", "rtsp://c/x (2)"]),
    ],
)
def test_names(infos, expected):
    assert distinct_names(infos) == expected


def test_frames_carry_the_name(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder / "day").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / "day" / "1.png"), np.zeros((8, 8, 3), np.uint8))
    sources = told_apart([open_source(str(tmp_path / folder / "day")) for folder in ("a", "b")])
    assert [source.info.name for source in sources] == ["a/day", "b/day"]
    assert [[frame.source for frame in source] for source in sources] == [["a/day"], ["b/day"]]
    for source in sources:
        source.close()
