"""Pictures, turned into H.264 packets that keep the source's timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av
import numpy as np
from av.video.reformatter import VideoReformatter

from streamseg.cores import cores
from streamseg.frame import StreamInfo
from streamseg.planes import BT709, FULL_CHROMA_ACCURATE_BILINEAR, Picture, Planes, as_rgb
from streamseg.sinks import hardware

KEYFRAME_SECONDS = 2
LIMITED, FULL = 1, 2

# With a short look ahead, superfast makes files as small as veryfast does (+6 % at -0.1 dB) in half the time.
_MORE = {"superfast": {"x264-params": "mbtree=1:rc-lookahead=10:stitchable=1"}}

# swscale's number of a matrix -> matrix, primaries and transfer as ITU-T H.273 numbers those that go with it.
_COLOURS = {1: (1, 1, 1), 4: (4, 4, 6), 5: (6, 6, 6), 7: (7, 7, 7), 9: (9, 9, 14)}


def encoder_threads() -> int:
    """A quarter of the cores, one to four: the rest belongs to the network."""
    return max(1, min(4, cores() // 4))


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
    """H.264 as yuv420p with the colours of the first picture (BT.709, limited, for RGB), no B-frames.

    Without B-frames decoding and presentation order are one, so that any timestamps stay exact in every player. (They
    would save about a tenth of the size.)

    Args:
        container: The open output.
        info: The stream's size, time base, rate and aspect.
        quality: CRF, preset and codec.
        first: The first picture; planes like it are encoded as they are.

    Attributes:
        time_base: Of the packets' timestamps: the source's, where H.264 can hold it.
        usual_duration: Of a frame at the source's average rate, in ``time_base``.
    """

    def __init__(self, container: Any, info: StreamInfo, quality: tuple[float, str, str], first: Picture) -> None:
        crf, preset, codec = quality
        self.time_base = info.time_base if info.time_base.denominator < 2**31 else Fraction(1, 1_000_000)
        rate = info.rate if info.rate and 0 < info.rate <= 1000 else Fraction(30)
        self.usual_duration = max(1, round(1 / (rate * self.time_base)))
        self._width, self._height = info.width, info.height
        width, height = info.width + info.width % 2, info.height + info.height % 2
        name, options = (
            "libx264",
            {"preset": preset, "crf": f"{crf:g}", "bf": "0", "forced-idr": "1", **_MORE.get(preset, {})},
        )
        if hardware.on_gpu(codec, width, height):
            name, options = "h264_nvenc", hardware.options(crf, preset)
        self._stream = stream = container.add_stream(name, rate=rate, options=options)
        context = stream.codec_context
        context.width, context.height = width, height
        context.pix_fmt = "yuv420p"
        context.time_base = stream.time_base = self.time_base
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.gop_size = max(1, min(300, round(rate * KEYFRAME_SECONDS)))
        context.thread_count = encoder_threads()
        self._matrix, self._range = BT709, LIMITED
        if isinstance(first, Planes):
            self._matrix, self._range = first.matrix, FULL if first.full_range else LIMITED
        context.colorspace, context.color_primaries, context.color_trc = _COLOURS[self._matrix]
        context.color_range = self._range
        self._reformatter = VideoReformatter()
        self._durations: dict[int, int] = {}
        self._key: int | None = None

    def encode(self, picture: Picture, pts: int, duration: int) -> Iterator[Any]:
        """Encode a picture to be shown at ``pts`` (above all earlier ones); both times in ``time_base``."""
        frame = self._frame(picture)
        frame.pts, frame.time_base = pts, self.time_base
        if self._key is None or (pts - self._key) * self.time_base >= 1:
            self._key, frame.pict_type = pts, 1
        self._durations[pts] = duration  # without one, players may leave the last frame out
        yield from self._timed(self._stream.encode(frame))

    def _frame(self, picture: Picture) -> av.VideoFrame:
        if isinstance(picture, Planes) and self._suits(picture):
            frame = av.VideoFrame(self._width + self._width % 2, self._height + self._height % 2, "yuv420p")
            _with_even_sides(picture).write_into(frame)
            return frame
        rgb = av.VideoFrame.from_ndarray(fit(as_rgb(picture), self._width, self._height), format="rgb24")
        return self._reformatter.reformat(
            rgb,
            format="yuv420p",
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=FULL,
            dst_color_range=self._range,
            interpolation=FULL_CHROMA_ACCURATE_BILINEAR,
        )

    def _suits(self, planes: Planes) -> bool:
        colours = planes.matrix == self._matrix and planes.full_range == (self._range == FULL)
        return colours and planes.shape == (self._height, self._width)

    def drain(self) -> Iterator[Any]:
        """What the encoder still holds."""
        yield from self._timed(self._stream.encode(None))

    def _timed(self, packets: list[Any]) -> Iterator[Any]:
        for packet in packets:
            duration = self._durations.pop(packet.pts, None)
            if duration is not None:
                packet.duration = duration
            yield packet


def _with_even_sides(planes: Planes) -> Planes:
    """Odd rows and columns of luma doubled at the end; chroma covers them already."""
    if planes.height % 2 == planes.width % 2 == 0:
        return planes
    y = cv2.copyMakeBorder(planes.y, 0, planes.height % 2, 0, planes.width % 2, cv2.BORDER_REPLICATE)
    return replace(planes, y=y)
