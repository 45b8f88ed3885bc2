"""A fragmented MP4 as bytes: what of it is whole wherever it breaks off, and that it can be gone on with."""

from __future__ import annotations

import cv2  # noqa: F401  # isort: skip  # before av

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamseg.sinks.fragments import Fragmented, cut_to_whole, scan
from streamseg.sinks.growing import GrowingFile, HeaderDiffers
from streamseg.sinks.part import OPTIONS

ABOUT = {"name": "out.mp4", "shift": "0"}
KEYS = 10  # frames from one key frame to the next
OPENING = {"name": "x"}


def write(file, frames=range(35), size=(64, 48), crf=30, sound=True, closing=True):
    """Mux numbered pictures, a key frame every ``KEYS``, and silence, as a sink does; the open container at the end."""
    container = av.open(file, "w", format="mp4", container_options=dict(OPTIONS), buffer_size=1 << 20)
    options = {"crf": str(crf), "bf": "0", "forced-idr": "1", "x264-params": "stitchable=1"}
    video = container.add_stream("libx264", rate=25, options=options)
    video.width, video.height = size
    video.codec_context.time_base = video.time_base = Fraction(1, 12800)
    track = container.add_stream("aac", rate=48000, layout="mono") if sound else None
    for number in frames:
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 5 * number % 256, np.uint8)).reformat(
            format="yuv420p"
        )
        frame.pts, frame.time_base, frame.pict_type = 512 * number, Fraction(1, 12800), int(number % KEYS == 0)
        container.mux(video.encode(frame))
        if track is not None:
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), format="fltp", layout="mono")
            noise.rate, noise.pts = 48000, 1920 * number
            container.mux(track.encode(noise))
    container.mux(video.encode(None))
    if closing:
        file.say_closing()
        container.close()
    return container


def grown(path: Path, **choices) -> bytes:
    file = GrowingFile(path, ABOUT)
    write(file, **choices)
    file.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return grown(tmp_path_factory.mktemp("whole") / "a.part")


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def test_what_is_whole_is_counted(tmp_path, whole):
    (tmp_path / "a").write_bytes(whole)
    found = scan(tmp_path / "a")
    assert found.about == ABOUT
    assert [kept[0].samples for kept in found.kept] == [10, 20, 30, 35]
    assert [kept[0].end for kept in found.kept] == [Fraction(count, 25) for count in (10, 20, 30, 35)]
    assert all(kept[1].samples > 0 for kept in found.kept)
    assert found.closing == 3
    assert (found.frames(), found.frames(29), found.frames(9)) == (30, 20, 0)
    assert found.cut(20)[0] == found.ends[1]
    with pytest.raises(ValueError, match="no fragment ends"):
        found.cut(15)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1))
def test_cut_off_anywhere_all_whole_fragments_remain_and_play(tmp_path_factory, whole, share):
    path = tmp_path_factory.mktemp("cut") / "a.part"
    size = round(share * len(whole))
    path.write_bytes(whole[:size])
    found = scan(path)
    assert found.ends == [end for end in found.ends if end <= size]
    assert cut_to_whole(path) == bool(found.ends)
    if found.ends:
        assert path.stat().st_size == found.ends[-1]
        assert times(path) == [number / 25 for number in range(found.kept[-1][0].samples)]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.lists(st.integers(0, 255), max_size=40).map(bytes), st.integers(0, 2000))
def test_damage_never_raises(tmp_path_factory, whole, damage, at):
    path = tmp_path_factory.mktemp("damage") / "a.part"
    path.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
    assert isinstance(scan(path), Fragmented)


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_it_does_not_matter_in_which_pieces_a_muxer_writes(tmp_path, whole, step):
    pieces = io.BytesIO()
    write(Plain(pieces))
    data = pieces.getvalue()
    file = GrowingFile(tmp_path / "a.part", ABOUT)
    for start in range(0, len(data), step):
        assert file.write(data[start : start + step]) == len(data[start : start + step])
    file.close()
    assert scan(tmp_path / "a.part").kept == scan_of(tmp_path / "b.part", whole).kept


class Plain:
    """A file that only takes what is written, as a muxer's target."""

    def __init__(self, file: io.BytesIO) -> None:
        self.write = file.write

    def say_closing(self) -> None:
        pass


def scan_of(path: Path, data: bytes) -> Fragmented:
    path.write_bytes(data)
    return scan(path)


def go_on(path: Path, kept: int, **choices) -> None:
    found = scan(path)
    file = GrowingFile(path, found.about, found.cut(kept)[0], found.coding)
    try:
        write(file, **choices)
    finally:
        file.close()


@pytest.mark.parametrize("kept", [10, 20, 30])
def test_what_is_gone_on_with_is_one_file(tmp_path, whole, kept):
    path = tmp_path / "a.part"
    path.write_bytes(whole)
    go_on(path, kept, frames=range(kept, 50), sound=True)
    assert times(path) == [number / 25 for number in range(50)]
    found = scan(path)
    assert (found.about, found.closing, found.kept[-1][0].samples) == (ABOUT, len(found.ends) - 1, 50)
    assert path.read_bytes().count(b"moov") == 1


def test_again_and_again(tmp_path, whole):
    path = tmp_path / "a.part"
    path.write_bytes(whole)
    for start in (30, 40, 40, 20):
        go_on(path, start, frames=range(start, start + 25))
    assert times(path) == [number / 25 for number in range(45)]


@pytest.mark.parametrize("other", [{"size": (96, 48)}, {"size": (64, 64)}])
def test_another_coding_is_refused_and_what_was_there_stays(tmp_path, whole, other):
    path = tmp_path / "a.part"
    path.write_bytes(whole)
    with pytest.raises(HeaderDiffers):
        go_on(path, 20, frames=range(20, 40), **other)
    assert times(path) == [number / 25 for number in range(20)]


def test_notes_lie_behind_fragments_and_are_read_back(tmp_path):
    path = tmp_path / "a.part"
    file = GrowingFile(path, ABOUT)
    file.note(b"early")
    write(file, closing=False)
    file.note(b"late")
    file.close()
    found = scan(path)
    assert found.notes == [b"early"]  # the muxer had more to write, and was not asked to
    assert times(path) == [number / 25 for number in range(30)]


def test_a_strangers_file_says_nothing(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no video\n" * 99)
    for name in ("empty", "text"):
        found = scan(tmp_path / name)
        assert (found.about, found.frames(), found.ends) == ({}, 0, [])
        assert not cut_to_whole(tmp_path / name)
