"""Pictures of any kind as 8-bit RGB, and what can be told of one without decoding it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from streamseg.sources.depth import eight_bits
from streamseg.sources.quiet import quiet_opencv

Size = tuple[int, int]

UPRIGHT = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
AS_STORED = UPRIGHT | cv2.IMREAD_IGNORE_ORIENTATION
ENDINGS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)


def read_picture(path: Path, size: Size | None = None) -> np.ndarray:
    """Reads a picture by OpenCV: colour, grey, CMYK, palette, 8 or 16 bits; transparency is dropped.

    The inks of a CMYK JPEG are taken to be inverted, as Adobe writes them, whether or not the file says so. TIFF is
    always turned as its tag says; older versions of OpenCV do not turn WebP.

    Args:
        path: The file.
        size: Height and width that the annotations are for. An orientation tag (EXIF) is obeyed where the picture fits
            ``size`` that way, or without a ``size``; it is passed over where only the pixels as stored fit.

    Returns:
        uint8 [H, W, 3] RGB; 16-bit pictures as in :func:`eight_bits`.

    Raises:
        ValueError: There is no such file, it cannot be decoded, or it is of another size.
    """
    data = _content(path)
    image = _decode(data, UPRIGHT)
    if size is not None and image.shape[:2] != size:
        stored = _decode(data, AS_STORED)
        if stored.shape[:2] != size:
            raise ValueError(size_mismatch(image.shape[:2], size))
        image = stored
    return cv2.cvtColor(eight_bits(image), cv2.COLOR_BGR2RGB)


def probe(path: Path) -> tuple[Size, Size]:
    """The size (height, width) of a picture, upright and as stored, mostly from its header.

    A JPEG or PNG with a sound header and its end mark in place is taken to be whole; without the mark it is decoded by
    Pillow, which unlike OpenCV refuses what is cut off. Files of other formats are decoded by OpenCV.

    Raises:
        ValueError: There is no such file, or it is no picture, or a JPEG or PNG that is cut off.
    """
    with _open(path) as file:
        sizes = _from_header(file)
    if sizes is not None:
        return sizes
    data = _content(path)
    upright, stored = (eight_bits(_decode(data, flags)).shape[:2] for flags in (UPRIGHT, AS_STORED))
    return upright, stored


def size_mismatch(found: Size, expected: Size) -> str:
    """What is wrong with a picture of another size (height, width) than its entry has it."""
    return f"the picture has {found[1]}x{found[0]} pixels, its entry says {expected[1]}x{expected[0]}"


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise ValueError("the picture is not there") from error
    except OSError as error:
        raise ValueError(f"the picture cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ValueError("its file_name cannot be the name of a file") from error


def _content(path: Path) -> np.ndarray:
    # Through the bytes, since OpenCV's own opening fails on some names on Windows.
    with _open(path) as file:
        return np.frombuffer(file.read(), np.uint8)


def _decode(data: np.ndarray, flags: int) -> np.ndarray:
    if not len(data):
        raise ValueError("the picture's file is empty")
    try:
        with quiet_opencv():
            image = cv2.imdecode(data, flags)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("not a picture that OpenCV can read, or a damaged one")
    return image


def _from_header(file: BinaryIO) -> tuple[Size, Size] | None:
    """As :func:`probe`; None where the format is not one whose end can be told."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures
            with Image.open(file) as image:
                if image.format not in ENDINGS:
                    return None
                exif = Image.Exif()
                exif.load(image.info.get("exif", b""))
                turned = exif.get(ORIENTATION) in QUARTER_TURNS
                if not _ends_with(file, ENDINGS[image.format]):
                    image.load()
                stored = (image.height, image.width)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return None
    except Exception as error:  # whatever Pillow's readers stumble over in a damaged file
        raise ValueError(f"the picture is cut off or damaged ({error})") from error
    return (stored[::-1] if turned else stored), stored


def _ends_with(file: BinaryIO, mark: bytes) -> bool:
    place = file.tell()
    file.seek(-len(mark), os.SEEK_END)
    found = file.read()
    file.seek(place)
    return found == mark
