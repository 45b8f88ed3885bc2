"""Small media, made on the spot."""

from __future__ import annotations

import cv2  # noqa: F401  # isort: skip  # before av

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

Clip = Callable[..., Path]

# Flat patches; sources are compared in their middles, where neither chroma sampling nor ringing reaches.
COLOURS = ((230, 30, 30), (30, 200, 40), (40, 50, 220), (240, 240, 240))


def quadrants(width: int, height: int) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    for place, colour in enumerate(COLOURS):
        row, column = divmod(place, 2)
        rows = slice(row * height // 2, height if row else height // 2)
        image[rows, slice(column * width // 2, width if column else width // 2)] = colour
    return image


def _add_sound(container: av.container.OutputContainer, seconds: float, start: float) -> None:
    stream = container.streams.audio[0]
    rate, size = 48000, 1024
    for block in range(int(seconds * rate / size)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, size), np.float32), format="fltp", layout="mono")
        frame.rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = block * size + int(start * rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_clip(
    path: Path,
    *,
    pts: Sequence[int] = tuple(range(0, 10 * 512, 512)),
    time_base: Fraction = Fraction(1, 15360),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    tags: tuple[int, int] = (1, 1),
    rotation: float | None = None,
    mirrored: bool = False,
    sound: str = "",
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip whose frame k is the quadrants picture under a grey square of brightness 10 k in its middle.

    ``tags`` are the matrix (1 BT.709, 5 BT.601, 2 untagged) and range (1 limited, 2 full) as tagged and as converted;
    ``sound`` is "first", "last" or empty.
    """
    width, height = size
    with av.open(str(path), "w") as container:
        if sound == "first":
            container.add_stream("aac", rate=48000, layout="mono")
        stream = container.add_stream(codec, rate=30, width=width, height=height, options=options or {})
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        stream.codec_context.colorspace, stream.codec_context.color_range = tags
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None or mirrored:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot write a rotation")
            stream.set_display_rotation(rotation or 0, hflip=mirrored)
        if sound == "last":
            container.add_stream("aac", rate=48000, layout="mono")
        if sound:
            _add_sound(container, float((pts[-1] - pts[0]) * time_base) + 0.1, float(pts[0] * time_base))
        for number, when in enumerate(pts):
            image = quadrants(width, height)
            image[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4] = 10 * number % 256
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format=pix_fmt,
                src_colorspace=5 if tags[0] == 2 else tags[0],
                dst_colorspace=5 if tags[0] == 2 else tags[0],
                src_color_range=2,
                dst_color_range=tags[1] or 1,
            )
            frame.pts, frame.time_base = when, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """A maker of clips: ``clip("name.mp4", pts=…, rotation=…, …)``."""

    def make(name: str = "clip.mp4", **choices: object) -> Path:
        return write_clip(tmp_path / name, **choices)  # type: ignore[arg-type]

    return make


@pytest.fixture
def colours() -> Callable[[np.ndarray], list[tuple[int, ...]]]:
    """What lies in the middles of a picture's quadrants: top left, top right, bottom left, bottom right."""

    def look(image: np.ndarray) -> list[tuple[int, ...]]:
        height, width = image.shape[:2]
        spots = [(height * row // 4, width * column // 4) for row in (1, 3) for column in (1, 3)]
        return [tuple(int(value) for value in image[spot]) for spot in spots]

    return look
