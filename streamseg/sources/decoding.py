"""From a container's packets to upright frames; shared by files and network streams."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.frame import Frame, StreamInfo
from streamseg.planes import Colours
from streamseg.sources.pixels import Orientation, colours, to_picture

import av  # isort: skip  # after cv2, which pixels imports first
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

MAX_ERRORS_IN_A_ROW = 64
UNDECODABLE = "undecodable packets"

# These store no presentation times, and what FFmpeg guesses instead is out of order wherever there are B-frames. The
# n-th frame shown belongs to the n-th decoding time.
_WITHOUT_PTS = ("avi",)

# One packet is one frame here (unless it is interlaced), so that packets that silently gave none can be counted.
_FRAME_PER_PACKET = ("h264", "hevc", "mjpeg")


def video_stream(container: Any) -> Any | None:
    """The stream to decode: the first that is a video and not cover art; None where there is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


class Decoder:
    """Decodes one video stream of an open container.

    Attributes:
        losses: Undecodable packets, counted.
        first: The first frame; None where not one can be decoded.
        broke_off: Whether reading stopped at data that cannot be read rather than at the end.
        packet_end: The latest end of a packet of any stream, in seconds; None before the first.
        last_good: Presentation time of the last frame, in seconds; None before the first.
    """

    def __init__(self, container: Any, stream: Any, name: str, losses: Counter[str], *, threads: str = "AUTO") -> None:
        stream.thread_type = threads
        self.losses = losses
        self.broke_off = False
        self.packet_end: float | None = None
        self.last_good: float | None = None
        self._container = container
        self._stream = stream
        self._name = name
        self._time_base = Fraction(stream.time_base)
        self._reformatter = VideoReformatter()
        self._next_pts: int | None = None
        self._decoding_times: deque[int] | None = deque() if container.format.name in _WITHOUT_PTS else None
        self._frames = self._decode()
        self.orientation = Orientation()
        self.colours: Colours | None = None
        self.first = next(self._frames, None)

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame, the first included; indices count from 0."""
        if self.first is not None:
            yield self.first
            self.first = None
        yield from self._frames

    def info(self, *, path: Path | None = None, live: bool = False) -> StreamInfo:
        """Describe the stream; to be called before the first frame is taken."""
        assert self.first is not None
        stream, container = self._stream, self._container
        duration: float | None = None
        if not live and stream.duration:
            duration = float(stream.duration * self._time_base)
        elif not live and container.duration:
            duration = container.duration / av.time_base
        aspect = stream.sample_aspect_ratio or Fraction(1)
        return StreamInfo(
            name=self._name,
            width=self.first.width,
            height=self.first.height,
            time_base=self._time_base,
            live=live,
            rate=stream.average_rate or stream.guessed_rate or None,
            frames=None if live else stream.frames or None,
            duration=duration,
            path=path,
            sample_aspect_ratio=1 / aspect if self.orientation.transposed else aspect,
            colours=self.colours,
            bit_rate=None if live else _bit_rate(stream, container),
        )

    def _decode(self) -> Iterator[Frame]:
        index = sent = failed = 0
        interlaced = False
        for packet in self._packets():
            sent += packet.size > 0 and not packet.is_discard
            if self._decoding_times is not None and packet.dts is not None:
                self._decoding_times.append(packet.dts)
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                break  # a decoder that is already drained
            except (av.error.FFmpegError, ValueError):
                failed += 1
                self.losses[UNDECODABLE] += 1
                continue
            for frame in decoded:
                interlaced |= frame.interlaced_frame
                yield self._frame(frame, index)
                index += 1
        if self._stream.codec_context.name in _FRAME_PER_PACKET and not interlaced:
            self.losses[UNDECODABLE] += max(0, sent - index - failed)
        self.losses += Counter()  # drops what was counted as none

    def _frame(self, frame: av.VideoFrame, index: int) -> Frame:
        pts = frame.pts
        if self._decoding_times:
            in_order = self._decoding_times.popleft()
            pts = in_order if self._stream.codec_context.has_b_frames or pts is None else pts
        if pts is None:
            pts = frame.dts if frame.dts is not None and self._next_pts is None else self._next_pts or 0
        duration = int(frame.duration or 0) or None
        self._next_pts = pts + (duration or self._usual_duration())
        self.last_good = float(pts * self._time_base)
        self.orientation = Orientation.of(frame)
        if index == 0:
            self.colours = colours(frame)
        picture = to_picture(frame, self._reformatter, self.orientation)
        return Frame(picture, index, pts, self._time_base, self._name, duration)

    def _usual_duration(self) -> int:
        rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)
        return max(1, round(1 / (rate * self._time_base)))

    def _packets(self) -> Iterator[Any]:
        """Video packets, errors skipped over, then one empty packet that drains the decoder."""
        held = None  # a damaged packet that nothing follows is where a file was cut: half a picture, not decoded
        errors = 0
        while True:
            try:
                for packet in self._container.demux():
                    if packet.size == 0 and packet.dts is None:
                        continue  # PyAV's own way to drain; ours comes below, after an error too
                    errors = 0
                    self._note_end(packet)
                    if packet.stream_index != self._stream.index:
                        continue
                    if held is not None:
                        yield held
                        held = None
                    if packet.is_corrupt:
                        held = packet
                    else:
                        yield packet
                break
            except av.error.EOFError:
                break
            except av.error.FFmpegError:
                errors += 1
                if errors >= MAX_ERRORS_IN_A_ROW:
                    break
        self.broke_off = errors > 0 or held is not None
        if held is not None:
            self.losses[UNDECODABLE] += 1
        drain = av.Packet()
        drain.stream = self._stream
        yield drain

    def _note_end(self, packet: Any) -> None:
        when = packet.pts if packet.pts is not None else packet.dts
        if when is not None and packet.stream.type in ("video", "audio"):
            end = float((when + (packet.duration or 0)) * packet.time_base)
            self.packet_end = end if self.packet_end is None else max(end, self.packet_end)


def _bit_rate(stream: Any, container: Any) -> int | None:
    """Bits per second of a recorded stream: as stated, else what the file has beside its sound."""
    if stream.bit_rate:
        return int(stream.bit_rate)
    if not container.duration or not container.size or container.size < 0:
        return None
    whole = 8 * container.size * av.time_base / container.duration
    rest = whole - sum(sound.bit_rate or 0 for sound in container.streams.audio)
    return int(rest) if rest > 0.1 * whole else int(whole)
