"""Encoding on a GPU: the same times where there is one that can, and no word where there is none."""

import av
import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.sinks import VideoFileSink
from streamseg.sinks.hardware import _trouble, on_gpu

SIZE = (320, 240)
PTS = (0, 100, 1100, 1612, 9000, 9001, 40000)

without = pytest.mark.skipif(_trouble(*SIZE) is None, reason="this machine encodes on a GPU")
with_gpu = pytest.mark.skipif(_trouble(*SIZE) is not None, reason=f"needs a GPU that encodes ({_trouble(*SIZE)})")


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.profile, [
            (frame.pts, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)
        ]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_auto_writes_every_frame_at_its_time(feed, tmp_path, suffix, capfd):
    for codec in ("auto", "software"):
        feed(VideoFileSink(tmp_path / f"{codec}.{suffix}", codec=codec), PTS, size=SIZE)
    (_, auto), (_, software) = (decoded(tmp_path / f"{codec}.{suffix}") for codec in ("auto", "software"))
    assert [when for when, _ in auto] == [when for when, _ in software]
    assert all(np.abs(one.astype(int) - two).mean() < 3 for (_, one), (_, two) in zip(auto, software, strict=True))
    assert capfd.readouterr() == ("", "")


@without
def test_hardware_that_is_not_there_is_said_before_there_is_a_file(feed, tmp_path):
    with pytest.raises(UserError, match=r"--codec hardware: no 320x240 video can be encoded .*; use --codec auto"):
        feed(VideoFileSink(tmp_path / "out.mp4", codec="hardware"), PTS, size=SIZE)
    assert list(tmp_path.iterdir()) == []


@with_gpu
def test_hardware_is_used(feed, tmp_path):
    feed(VideoFileSink(tmp_path / "out.mp4", codec="hardware"), PTS, size=SIZE)
    assert b"x264" not in (tmp_path / "out.mp4").read_bytes()


@with_gpu
def test_pictures_too_small_for_the_gpu(feed, tmp_path):
    feed(VideoFileSink(tmp_path / "out.mp4", codec="auto"), PTS, size=(16, 16))
    assert len(decoded(tmp_path / "out.mp4")[1]) == len(PTS)


def test_software_asks_no_gpu():
    assert not on_gpu("software", 16, 16)
