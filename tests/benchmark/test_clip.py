from __future__ import annotations

import itertools

import cv2  # isort: skip  # before av
import av
import numpy as np
import pytest

from streamseg.benchmark import clip as clips
from streamseg.sources import open_source


def frames_of(path):
    source = open_source(str(path))
    frames = list(source)
    source.close()
    return frames


def test_a_clip_that_fits_is_taken_as_it_is(clip, tmp_path):
    assert clips.prepared(clip, tmp_path, 12, (128, 96)) == clip
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("frames", "size"), [(5, (64, 48)), (13, (128, 96)), (30, (256, 192))])
def test_a_clip_is_brought_to_a_size_and_repeated(clip, tmp_path, frames, size):
    path = clips.prepared(clip, tmp_path, frames, size)
    assert clips.size_of(path) == size
    again, once = frames_of(path), frames_of(clip)
    assert len(again) == max(frames, 12)
    for index in {0, 4, 11, 12, len(again) - 1} & set(range(len(again))):
        expected = cv2.resize(once[index % 12].image, size, interpolation=cv2.INTER_AREA)
        assert np.abs(again[index].image.astype(int) - expected).mean() < 6
    seconds = [frame.seconds for frame in again]
    assert all(after - before == pytest.approx(0.04) for before, after in itertools.pairwise(seconds))


@pytest.mark.parametrize(("name", "codec"), [("bar.avi", "mpeg4"), ("bar.mkv", "libx264"), ("bar.h264", "libx264")])
def test_any_container_can_be_repeated(clip, tmp_path, name, codec):
    with av.open(str(tmp_path / name), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for frame in frames_of(clip):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        output.mux(stream.encode(None))
    assert len(frames_of(clips.prepared(tmp_path / name, tmp_path, 40, (128, 96)))) == 40


def test_the_sample_is_found_beside_the_package(sample):
    assert clips.sample() == sample


def test_without_a_sample_a_clip_is_rendered(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "RENDERED_SECONDS", 0.04)
    path = clips.rendered(tmp_path)
    assert len(frames_of(path)) == 1 and clips.size_of(path) == (1280, 720)
