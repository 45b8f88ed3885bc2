"""A source that is begun in the middle gives what it would have given from there on; fields become pictures."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numbered import ffmpeg, lumas, needs_ffmpeg, video

from streamseg.planes import planes_of
from streamseg.sources import Seekable, open_source

H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12")
KINDS = {
    "plain.mp4": {},
    "b-frames.mp4": {"codec": (*H264, "-bf", "3", "-x264-params", "open-gop=1")},
    "far-apart.mkv": {"codec": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "999")},
    "hevc.mkv": {"codec": ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error:keyint=12")},
    "refreshed.mp4": {"codec": (*H264, "-x264-params", "intra-refresh=1:bframes=0")},
    "offset.mkv": {"options": ("-output_ts_offset", "7")},
    "stream.ts": {},
    "b-frames.avi": {"codec": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "3")},
    "motion.avi": {"codec": ("-c:v", "mjpeg", "-q:v", "3")},
    "moving.gif": {"codec": ("-c:v", "gif"), "rate": "10"},
    "fields.mp4": {"codec": (*H264, "-flags", "+ildct+ilme", "-x264opts", "tff=1")},
}


def same(one, other) -> bool:
    about = [(frame.index, frame.pts, frame.time_base, frame.duration, frame.source) for frame in (one, other)]
    planes = zip(planes_of(one.pixels), planes_of(other.pixels), strict=True)
    return about[0] == about[1] and all(np.array_equal(a, b) for a, b in planes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", [1, 40, 59])
def test_it_goes_on_from_there(tmp_path, kind, index):
    path = video(tmp_path / kind, 60, **{"codec": H264, **KINDS[kind]})
    whole = list(open_source(str(path)))
    wanted = whole[index]
    source = open_source(str(path))
    assert isinstance(source, Seekable)
    asked = []

    def is_it(frame) -> bool:
        asked.append(frame)
        return same(frame, wanted)

    source.begin_at(index, wanted.pts * wanted.time_base, is_it)
    rest = list(source)
    assert len(rest) == 60 - index and all(map(same, rest, whole[index:]))
    assert not source.losses and source.info == open_source(str(path)).info


def test_what_is_not_the_same_picture_is_looked_for_from_the_beginning(tmp_path):
    path = video(tmp_path / "a.mp4", 30, codec=H264)
    whole = list(open_source(str(path)))
    source = open_source(str(path))
    source.begin_at(20, whole[20].pts * whole[20].time_base, lambda frame: False)
    assert all(map(same, source, whole[20:]))
    source = open_source(str(path))
    source.begin_at(20, Fraction(1, 7), lambda frame: True)  # no frame is shown then
    assert all(map(same, source, whole[20:]))


def test_images_are_begun_at_their_place(tmp_path):
    clip = video(tmp_path / "clip.mkv", 12, codec=("-c:v", "ffv1"))
    folder = tmp_path / "shots"
    folder.mkdir()
    ffmpeg("-i", clip, folder / "%d.png")
    (folder / "4.png").write_bytes(b"no image")
    whole = list(open_source(str(folder)))
    source = open_source(str(folder))
    source.begin_at(5, Fraction(whole[5].pts, 25), lambda frame: same(frame, whole[5]))
    assert all(map(same, source, whole[5:])) and whole[5].pts == 6


@pytest.fixture
def combed(tmp_path):
    """A bar that moves fast, recorded in fields."""
    needs_ffmpeg()

    def picture(number: int) -> np.ndarray:
        image = np.full((96, 160), 30, np.uint8)
        image[:, 20 + 4 * number % 100 :][:, :24] = 220
        return image

    woven = []
    for number in range(24):
        frame = picture(2 * number)
        frame[1::2] = picture(2 * number + 1)[1::2]
        woven.append(frame.tobytes())
    raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "160x96", "-r", "25", "-i", "pipe:0"]
    fields = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme", "-x264opts", "tff=1"]
    ffmpeg(*raw, *fields, tmp_path / "combed.mp4", data=b"".join(woven))
    return tmp_path / "combed.mp4"


def combs(luma: np.ndarray) -> float:
    """How much neighbouring rows differ where those two apart do not."""
    rows = luma.astype(int)
    return float(np.maximum(0, np.abs(rows[1:-1] - rows[:-2]) - np.abs(rows[2:] - rows[:-2])).mean())


def test_two_fields_become_one_picture_at_its_own_time(combed):
    merged, left = (list(open_source(str(combed), deinterlace=choice)) for choice in (True, False))
    assert [frame.pts for frame in merged] == [frame.pts for frame in left] and len(merged) == len(lumas(combed))
    assert max(combs(frame.pixels.y) for frame in left) > 2
    assert max(combs(frame.pixels.y) for frame in merged) < 0.5
    source = open_source(str(combed))
    list(source)
    assert any("the two fields of a frame are merged into one picture" in note for note in source.notes)
