"""Small media and results, made on the spot."""

from __future__ import annotations

import cv2  # noqa: F401  # isort: skip  # before av

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.result import Result

TICK = Fraction(1, 15360)


def picture(number: int, width: int, height: int) -> np.ndarray:
    """Smooth colours that move with ``number``, so that chroma and order can be checked."""
    y, x = np.mgrid[:height, :width]
    channels = [x * 255 / width, y * 255 / height, np.full_like(x, 20 + 10 * number % 200)]
    return np.stack(channels, -1).astype(np.uint8)


def result_of(
    number: int, pts: int, time_base: Fraction = TICK, size: tuple[int, int] = (64, 48), **other: Any
) -> Result:
    """A result whose annotated picture is its frame's own."""
    other.setdefault("source", "test")
    frame = Frame(picture(number, *size), number, pts, time_base, **other)
    return Result(frame, Instances.empty(("person",)), lambda frame, instances: frame.image)


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """``make_result(number, pts, time_base, size, duration=…, source=…)``."""
    return result_of


@pytest.fixture
def feed() -> Callable[..., list[str]]:
    """Open a sink, write frames at the given timestamps, close it: ``feed(sink, pts, …)`` returns the notes."""

    def run(
        sink: Any,
        pts: Sequence[int],
        *,
        time_base: Fraction = TICK,
        size: tuple[int, int] = (64, 48),
        duration: int | None = None,
        ok: bool = True,
        **about: Any,
    ) -> list[str]:
        about.setdefault("rate", Fraction(30))
        sink.open(StreamInfo("test", *size, time_base, **about))
        for number, when in enumerate(pts):
            sink.write(result_of(number, when, time_base, size, duration=duration))
        notes: list[str] = sink.close(ok)
        return notes

    return run


def write_source(
    path: Path,
    *,
    pts: Sequence[int] = tuple(range(0, 30 * 512, 512)),
    time_base: Fraction = TICK,
    sounds: Sequence[str] = ("aac",),
    first: bool = False,
    apart: bool = False,
    sound_seconds: float | None = None,
) -> Path:
    """Write a 64 x 48 video with sound streams of the given codecs, before or after the picture's, apart or mixed."""
    with av.open(str(path), "w") as container:

        def add_sounds() -> list[Any]:
            return [container.add_stream(codec, rate=48000, layout="stereo") for codec in sounds]

        streams = add_sounds() if first else []
        video = container.add_stream("libx264", rate=30, width=64, height=48, options={"bf": "2"})
        video.codec_context.time_base = video.time_base = time_base
        streams = streams or add_sounds()
        packets = []
        for number, when in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(number, 64, 48)).reformat(format="yuv420p")
            frame.pts, frame.time_base = when, time_base
            packets += video.encode(frame)
        packets += video.encode(None)
        start = int(pts[0] * time_base * 48000)
        seconds = float((pts[-1] - pts[0]) * time_base) if sound_seconds is None else sound_seconds
        rng = np.random.default_rng(1)
        for stream in streams:
            kind = stream.codec_context.format.name
            for block in range(max(1, int(seconds * 48000 / 1024))):
                noise = rng.integers(-3000, 3000, (1, 2048), np.int16)
                frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="stereo")
                frame.rate, frame.pts = 48000, start + block * 1024
                packets += stream.encode(av.AudioResampler(kind).resample(frame)[0] if kind != "s16" else frame)
            packets += stream.encode(None)
        if not apart:
            packets.sort(key=lambda packet: float(packet.dts * packet.time_base))
        for packet in packets:
            container.mux(packet)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """A maker of videos with sound: ``source("name.mp4", sounds=("aac",), first=True, …)``."""

    def make(name: str = "source.mp4", **choices: Any) -> Path:
        return write_source(tmp_path / name, **choices)

    return make


def packets_of(path: Path, kind: str) -> list[list[tuple[float, bytes]]]:
    """Start in seconds and payload of each packet, for each stream of a kind."""
    with av.open(str(path)) as container:
        places = [stream.index for stream in container.streams if stream.type == kind]
    found = []
    for place in places:
        with av.open(str(path)) as container:
            packets = container.demux(container.streams[place])
            found.append([(float(p.pts * p.time_base), bytes(p)) for p in packets if p.pts is not None])
    return found


@pytest.fixture
def packets() -> Callable[[Path, str], list[list[tuple[float, bytes]]]]:
    """``packets(path, "audio")``: start in seconds and payload of each packet, for each stream of that kind."""
    return packets_of
