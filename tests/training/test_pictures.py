"""Pictures of every kind come out as 8-bit RGB in the right colours, turned as their annotators had them."""

import cv2
import numpy as np
import pytest
from PIL import Image

from streamseg.training.pictures import probe, read_picture

COLOURS = np.zeros((40, 60, 3), np.uint8)
COLOURS[:20, :30], COLOURS[:20, 30:], COLOURS[20:, :30], COLOURS[20:, 30:] = (
    (250, 30, 20),
    (30, 240, 60),
    (40, 60, 230),
    (128, 128, 128),
)
PICTURE = Image.fromarray(COLOURS)
GREY = np.asarray(PICTURE.convert("L"))
BGR = COLOURS[..., ::-1].astype(np.uint16)
ALPHA = np.full((40, 60, 1), 9, np.uint16)


def by_pillow(mode, **options):
    return lambda path: PICTURE.convert(mode).save(path, **options)


def by_opencv(pixels):
    return lambda path: cv2.imwrite(str(path), pixels)


def with_alpha(path):
    picture = PICTURE.convert("RGBA")
    picture.putalpha(7)
    picture.save(path)


KINDS = {
    "colour.png": (by_pillow("RGB"), COLOURS),
    "colour.jpg": (by_pillow("RGB", quality=95, subsampling=0), COLOURS),
    "colour.bmp": (by_pillow("RGB"), COLOURS),
    "colour.webp": (by_pillow("RGB", lossless=True), COLOURS),
    "grey.jpg": (by_pillow("L", quality=95), GREY),
    "grey.png": (by_pillow("L"), GREY),
    "palette.png": (lambda path: PICTURE.quantize(8).save(path), COLOURS),
    "alpha.png": (with_alpha, COLOURS),
    "inks.jpg": (by_pillow("CMYK", quality=95, subsampling=0), COLOURS),
    "inks.tif": (by_pillow("CMYK"), COLOURS),
    "colour 16.png": (by_opencv(BGR * 257), COLOURS),
    "colour 16.tif": (by_opencv(BGR * 257), COLOURS),
    "colour 12 of 16.png": (by_opencv(BGR * 16), COLOURS),
    "colour and alpha 16.png": (by_opencv(np.concatenate([BGR, ALPHA], axis=2) * 257), COLOURS),
    "grey 16.png": (by_opencv(GREY.astype(np.uint16) * 257), GREY),
    "grey 14 of 16.tif": (by_opencv(GREY.astype(np.uint16) * 64 + 1024), GREY + 16),
    "grey 12 of 16.tif": (by_opencv(GREY.astype(np.uint16) * 16 + 1024), GREY + 64),
    "grey 10 of 16.png": (by_opencv(GREY.astype(np.uint16) * 4), GREY),
    "grey 8 of 16.png": (by_opencv(GREY.astype(np.uint16)), GREY),
    "sub folder/façade 街.png": (by_pillow("RGB"), COLOURS),
}


@pytest.mark.parametrize(
    ("name", "write", "expected"), [(name, *kind) for name, kind in KINDS.items()], ids=KINDS.keys()
)
def test_kinds(tmp_path, name, write, expected):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    write(path)
    image = read_picture(path)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert (image.shape, image.dtype) == ((40, 60, 3), np.uint8)
    assert abs(image.astype(int) - expected)[2:18, 2:28].max() <= 6
    assert abs(image.astype(int) - expected)[22:38, 32:58].max() <= 6
    assert probe(path) == ((40, 60), (40, 60))


@pytest.mark.parametrize("marked", [True, False])
def test_inks_are_inverted_with_and_without_a_marker(tmp_path, marked):
    """Pillow writes inks as Photoshop does: upside down, beside a marker of 16 bytes after the first two."""
    PICTURE.convert("CMYK").save(tmp_path / "inks.jpg", quality=95)
    content = (tmp_path / "inks.jpg").read_bytes()
    assert content[6:11] == b"Adobe"
    if not marked:
        (tmp_path / "inks.jpg").write_bytes(content[:2] + content[18:])
    assert abs(read_picture(tmp_path / "inks.jpg")[10, 10].astype(int) - COLOURS[10, 10]).max() <= 6


TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("tag", TURNS)
def test_orientation_is_as_the_annotators_had_it(tmp_path, tag, ending):
    """The file is stored so that its tag turns it into PICTURE."""
    exif = Image.Exif()
    exif[0x0112] = tag
    stored = PICTURE if TURNS[tag] is None else PICTURE.transpose(TURNS[tag])
    options = {"quality": 95, "subsampling": 0} if ending == "jpg" else {}
    path = tmp_path / f"turned.{ending}"
    stored.save(path, exif=exif, **options)
    pixels = np.asarray(stored)
    assert probe(path) == ((40, 60), pixels.shape[:2])
    for size in (None, (40, 60)):
        assert abs(read_picture(path, size)[10::20, 15::30].astype(int) - COLOURS[10::20, 15::30]).max() <= 4
    if tag >= 5:
        image = read_picture(path, (60, 40))
        assert abs(image[15::30, 10::20].astype(int) - pixels[15::30, 10::20]).max() <= 4
    with pytest.raises(ValueError, match="the picture has 60x40 pixels, its entry says 61x40"):
        read_picture(path, (40, 61))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "the picture is not there"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "file is empty"),
        (lambda path: path.write_bytes(b"GIF89a"), "not a picture that OpenCV can read"),
        (by_opencv(np.zeros((4, 6, 3), np.float32)), "float32|not a picture that OpenCV can read"),
    ],
    ids=["missing", "folder", "empty", "header alone", "floats"],
)
def test_what_cannot_be_read(tmp_path, write, message):
    path = tmp_path / "picture.tif"
    write(path)
    for read in (read_picture, probe):
        with pytest.raises(ValueError, match=message):
            read(path)
