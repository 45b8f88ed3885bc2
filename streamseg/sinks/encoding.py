"""RGB pictures, turned into H.264 packets that keep the source's timestamps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av
import numpy as np
from av.video.reformatter import VideoReformatter

from streamseg.frame import StreamInfo

KEYFRAME_SECONDS = 2
BT709 = 1  # ITU-T H.273: matrix, primaries and transfer alike
LIMITED, FULL = 1, 2
FULL_CHROMA_ACCURATE_BILINEAR = 0x2002 | 0x40000  # swscale's flags; without them every picture gets a level darker


def encoder_threads() -> int:
    """A quarter of the cores, one to four: the rest belongs to the network."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, cores // 4))


def fit(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bring a picture to even sides that hold ``width`` x ``height``.

    Odd sides, which 4:2:0 cannot have, get their last row or column twice. A picture of another size (in a sequence of
    images) is scaled with its aspect kept, and centred on black.

    Args:
        picture: uint8 [H, W, 3].
        width: Columns wanted, before they are made even.
        height: Rows wanted, before they are made even.

    Returns:
        uint8 [height + height % 2, width + width % 2, 3], C-contiguous.
    """
    rows, columns = picture.shape[:2]
    if (rows, columns) != (height, width):
        scale = min(width / columns, height / rows)
        size = max(1, min(width, round(columns * scale))), max(1, min(height, round(rows * scale)))
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        picture = np.zeros((height, width, 3), np.uint8)
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        picture[top : top + size[1], left : left + size[0]] = scaled
    if height % 2 or width % 2:
        picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(picture)


class Encoder:
    """H.264 through libx264: yuv420p, BT.709, limited range, no B-frames.

    Without B-frames decoding and presentation order are one, so that any timestamps stay exact in every player. (They
    would save about a tenth of the size.)

    Args:
        container: The open output.
        info: The stream's size, time base, rate and aspect.
        crf: Quality, 0 to 51; lower is better and larger.
        preset: libx264's, from ``ultrafast`` to ``placebo``.

    Attributes:
        time_base: Of the packets' timestamps: the source's, where H.264 can hold it.
        usual_duration: Of a frame at the source's average rate, in ``time_base``.
    """

    def __init__(self, container: Any, info: StreamInfo, crf: float, preset: str) -> None:
        self.time_base = info.time_base if info.time_base.denominator < 2**31 else Fraction(1, 1_000_000)
        rate = info.rate if info.rate and 0 < info.rate <= 1000 else Fraction(30)
        self.usual_duration = max(1, round(1 / (rate * self.time_base)))
        self._width, self._height = info.width, info.height
        options = {"preset": preset, "crf": f"{crf:g}", "bf": "0"}
        self._stream = stream = container.add_stream("libx264", rate=rate, options=options)
        context = stream.codec_context
        context.width, context.height = info.width + info.width % 2, info.height + info.height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = stream.time_base = self.time_base
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.gop_size = max(1, min(300, round(rate * KEYFRAME_SECONDS)))
        context.thread_count = encoder_threads()
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        self._reformatter = VideoReformatter()
        self._durations: dict[int, int] = {}

    def encode(self, picture: np.ndarray, pts: int, duration: int) -> Iterator[Any]:
        """Encode uint8 [H, W, 3] RGB to be shown at ``pts`` (above all earlier ones), both in ``time_base``."""
        rgb = av.VideoFrame.from_ndarray(fit(picture, self._width, self._height), format="rgb24")
        frame = self._reformatter.reformat(
            rgb,
            format="yuv420p",
            src_colorspace=BT709,
            dst_colorspace=BT709,
            src_color_range=FULL,
            dst_color_range=LIMITED,
            interpolation=FULL_CHROMA_ACCURATE_BILINEAR,
        )
        frame.pts, frame.time_base = pts, self.time_base
        self._durations[pts] = duration  # without one, players may leave the last frame out
        yield from self._timed(self._stream.encode(frame))

    def drain(self) -> Iterator[Any]:
        """What the encoder still holds."""
        yield from self._timed(self._stream.encode(None))

    def _timed(self, packets: list[Any]) -> Iterator[Any]:
        for packet in packets:
            duration = self._durations.pop(packet.pts, None)
            if duration is not None:
                packet.duration = duration
            yield packet
