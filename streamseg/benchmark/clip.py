"""The clip that a benchmark runs on: of the wanted size, and long enough."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av

from streamseg.media import video_stream
from streamseg.scenes import write_sample
from streamseg.sources.video import VideoSource

RENDERED_SECONDS = 2.0
REPEATED_FRAMES = 300
"""How many of a clip that must be encoded anew; the rest is left out."""


def sample() -> Path | None:
    """The clip that comes with a clone of streamseg; None where it was installed without."""
    path = Path(__file__).resolve().parents[2] / "samples" / "street.mp4"
    return path if path.is_file() else None


def rendered(folder: Path) -> Path:
    """The first seconds of the sample's scene, drawn now into ``folder``; takes about 20 seconds."""
    path = folder / "rendered.mp4"
    write_sample(path, folder / "rendered.truth.jsonl", seconds=RENDERED_SECONDS)
    return path


def size_of(clip: Path) -> tuple[int, int]:
    """Width and height of the clip, as displayed.

    Raises:
        UserError: It is no video file.
    """
    source = VideoSource(str(clip))
    source.close()
    return source.info.width, source.info.height


def prepared(clip: Path, folder: Path, frames: int, size: tuple[int, int]) -> Path:
    """A clip of at least so many frames, ``size`` (width, height) large.

    The clip itself where it is that; else its first frames, encoded anew, upright, without sound, and repeated.
    """
    if size == size_of(clip) and _holds(clip, frames):
        return clip
    path = folder / f"prepared-{frames}.mp4"
    source = VideoSource(str(clip))
    rate = source.info.rate or Fraction(30)
    with av.open(str(path), "w") as output:
        # Without B-frames packets are in the order of the pictures, so that they can be repeated.
        options = {"crf": "20", "preset": "veryfast", "bf": "0"}
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt, stream.time_base = "yuv420p", 1 / rate
        packets = [(bytes(packet), packet.is_keyframe) for packet in _encoded(stream, source)]
        for number in range(max(frames, len(packets))):
            data, is_keyframe = packets[number % len(packets)]
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, 1 / rate
            packet.pts = packet.dts = number
            packet.is_keyframe = is_keyframe
            output.mux(packet)
    source.close()
    return path


def _encoded(stream: Any, source: VideoSource) -> Iterator[Any]:
    for frame in itertools.islice(source, REPEATED_FRAMES):
        picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24").reformat(
            stream.width, stream.height, stream.pix_fmt
        )
        picture.pts, picture.time_base = frame.index, stream.time_base
        yield from stream.encode(picture)
    yield from stream.encode(None)


def _holds(clip: Path, frames: int) -> bool:
    """Whether the clip has so many frames; nothing is decoded."""
    with av.open(str(clip)) as container:
        packets = (packet for packet in container.demux(video_stream(container)) if packet.size)
        return sum(1 for _ in itertools.islice(packets, frames)) == frames
