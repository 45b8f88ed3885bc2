"""Decoding on a GPU: the same frames where there is one, and no word where there is none."""

import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.planes import as_rgb
from streamseg.sources import open_source
from streamseg.sources.hardware import _trouble, accelerator

without = pytest.mark.skipif(_trouble() is None, reason="this machine decodes on a GPU")
with_gpu = pytest.mark.skipif(_trouble() is not None, reason=f"needs a GPU that decodes ({_trouble()})")


def frames(path, codec):
    source = open_source(str(path), codec=codec)
    found = list(source)
    source.close()
    return found


def same(first, second):
    return len(first) == len(second) and all(
        (one.pts, one.time_base, one.duration, one.index) == (two.pts, two.time_base, two.duration, two.index)
        and np.array_equal(as_rgb(one.pixels), as_rgb(two.pixels))
        for one, two in zip(first, second, strict=True)
    )


@pytest.mark.parametrize(
    "about",
    [{}, {"size": (322, 242)}, {"tags": (5, 2)}, {"rotation": 90}, {"pts": (0, 100, 4000, 4100)}, {"codec": "mpeg4"}],
    ids=str,
)
def test_auto_gives_the_frames_that_software_gives(clip, about, capfd):
    path = clip(**{"size": (320, 240), **about})
    assert same(frames(path, "auto"), frames(path, "software"))
    assert capfd.readouterr() == ("", "")


def test_pictures_have_no_codec(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 6, 3), np.uint8))
    assert len(frames(tmp_path / "a.png", "hardware")) == 1


@without
def test_hardware_that_is_not_there(clip):
    with pytest.raises(UserError, match=r"--codec hardware: no video can be decoded on a GPU here .*--codec auto"):
        open_source(str(clip()), codec="hardware")


@with_gpu
def test_hardware_is_used(clip):
    source = open_source(str(clip(size=(320, 240))), codec="hardware")
    assert source._container.streams.video[0].codec_context.is_hwaccel
    source.close()


@with_gpu
def test_a_gpu_that_refuses_is_done_without(clip):
    path = clip(size=(320, 240))
    sources = [open_source(str(path), codec="auto") for _ in range(12)]
    for source in sources:
        assert len(list(source)) == 10
        source.close()


def test_software_asks_no_gpu():
    assert accelerator("software") is None
