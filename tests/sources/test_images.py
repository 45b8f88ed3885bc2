from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.sources import open_source


def first(path):
    return next(iter(open_source(str(path)))).image


def bgr(width=24, height=16):
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (10, 20, 200)
    image[:, width // 2 :] = (200, 100, 10)
    return image


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "jpg"])
def test_one_image_is_one_frame(tmp_path, suffix):
    path = tmp_path / f"größe.{suffix}"
    path.write_bytes(cv2.imencode(f".{suffix}", bgr(), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes())
    source = open_source(str(path))
    frames = list(source)
    assert len(frames) == 1
    assert (source.info.width, source.info.height, source.info.frames) == (24, 16, 1)
    assert source.info.files == (path,)
    assert np.abs(frames[0].image[8, 3].astype(int) - (200, 20, 10)).max() < 12
    assert frames[0].time_base == Fraction(1, 25)


@pytest.mark.parametrize(
    "stored",
    [
        np.full((6, 8), 77, np.uint8),
        np.full((6, 8), 77 * 257, np.uint16),
        np.full((6, 8), 77 * 16, np.uint16),
        np.full((6, 8, 4), 77, np.uint8),
    ],
    ids=["grey", "16-bit", "12 of 16 bits", "alpha"],
)
def test_every_depth_becomes_8_bit_rgb(tmp_path, stored):
    cv2.imwrite(str(tmp_path / "a.png"), stored)
    image = first(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((6, 8, 3), np.uint8)
    assert np.abs(image.astype(int) - 77).max() <= 1


def test_exif_orientation_is_honoured(tmp_path):
    jpeg = cv2.imencode(".jpg", bgr())[1].tobytes()
    orientation_6 = bytes.fromhex("4d4d002a00000008000101120003000000010006000000000000")
    exif = b"Exif\0\0" + orientation_6
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    image = first(tmp_path / "a.jpg")
    assert image.shape == (24, 16, 3)
    assert image[3, 8, 0] > 150 > image[20, 8, 0]


def test_a_folder_keeps_its_order_sizes_and_places(tmp_path):
    for number, width in ((9, 20), (10, 30), (11, 40)):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), bgr(width))
    (tmp_path / "f10.png").write_bytes(b"broken")
    source = open_source(str(tmp_path))
    frames = list(source)
    assert [(frame.index, frame.pts, frame.width) for frame in frames] == [(0, 0, 20), (1, 2, 40)]
    assert source.losses == {"unreadable images": 1}
    assert [source.info.files[frame.pts].name for frame in frames] == ["f9.png", "f11.png"]


def test_a_broken_image_is_one_line_and_nothing_else_on_standard_error(tmp_path):
    whole = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[1].tobytes()
    (tmp_path / "a.png").write_bytes(whole[:60])
    ask = "import sys\nfrom streamseg.sources import open_source\nopen_source(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", ask, str(tmp_path / "a.png")], capture_output=True, text=True)
    assert "UserError" in done.stderr.splitlines()[-1]
    assert "libpng" not in done.stderr
    assert "WARN" not in done.stderr


def test_a_folder_of_broken_images_is_an_error(tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="none of its 2 images"):
        open_source(str(tmp_path))


def test_closing_ends_the_sequence(tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), bgr())
    source = open_source(str(tmp_path))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
