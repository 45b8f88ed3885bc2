"""From a container's packets to upright frames; shared by files and network streams."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.frame import Frame, StreamInfo
from streamseg.media import Packets
from streamseg.planes import Colours
from streamseg.sources.deinterlace import Deinterlacer
from streamseg.sources.pixels import Orientation, colours, to_picture
from streamseg.timeline import Timeline

import av  # isort: skip  # after cv2, which pixels imports first
from av.video.reformatter import VideoReformatter

UNDECODABLE = "undecodable packets"

# These store no presentation times, and what FFmpeg guesses instead is out of order wherever there are B-frames. The
# n-th frame shown belongs to the n-th decoding time.
_WITHOUT_PTS = ("avi",)

# One packet is one frame here (unless it is interlaced), so that packets that silently gave none can be counted.
_FRAME_PER_PACKET = ("h264", "hevc", "mjpeg")


class Decoder:
    """Decodes one video stream of an open container.

    Args:
        container: Open.
        stream: Of its streams the one to decode.
        name: What the frames' source is called.
        losses: Where undecodable packets are counted.
        threads: ``AUTO`` for frame threads, ``SLICE`` for less delay.
        deinterlace: Make interlaced frames whole pictures.
        begin: Index of the first frame that is wanted; those before it are decoded, but not converted.
        since: Time of that frame, seconds, where the container was sought to a place before it.

    Attributes:
        first: The first frame; None where not one can be decoded.
        broke_off: Whether reading stopped at data that cannot be read rather than at the end.
        packet_end: The latest end of a packet of any stream, in seconds; None before the first.
        last_good: Presentation time of the last frame, in seconds; None before the first.
        interlaced: Whether any frame was interlaced.
    """

    def __init__(
        self,
        container: Any,
        stream: Any,
        name: str,
        losses: Counter[str],
        *,
        threads: str = "AUTO",
        deinterlace: bool = True,
        begin: int = 0,
        since: Fraction | None = None,
    ) -> None:
        stream.thread_type = threads
        self.losses = losses
        self.broke_off = False
        self.interlaced = False
        self.packet_end: float | None = None
        self.last_good: float | None = None
        self._container = container
        self._stream = stream
        self._name = name
        self._time_base = Fraction(stream.time_base)
        self._reformatter = VideoReformatter()
        self._next_pts: int | None = None
        self._decoding_times: deque[int] | None = deque() if container.format.name in _WITHOUT_PTS else None
        self._timeline = Timeline(container.format.name)
        self._deinterlacer = Deinterlacer() if deinterlace else None
        self._begin, self._since = begin, since
        self._frames = self._decode()
        self.orientation = Orientation()
        self.colours: Colours | None = None
        self.first: Frame | None = None
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
            broadcast=container.format.name.startswith("mpeg"),
        )

    @property
    def notes(self) -> list[str]:
        """What there is to say at the end."""
        timeline, notes = self._timeline, []
        if timeline.jumps:
            notes.append(f"the clock began anew {timeline.jumps} times; the pictures go on without the jump")
        if timeline.odd:
            notes.append(f"{timeline.odd} packets had impossible times and were given those when they were due")
        if self.interlaced:
            fields = "merged into one picture" if self._deinterlacer is not None else "left as they are"
            notes.append(f"the video is interlaced; the two fields of a frame are {fields}")
        return notes

    def _decode(self) -> Iterator[Frame]:
        index = 0 if self._since is None else self._begin
        for frame in self._whole():
            pts, duration = self._time(frame)
            if self._since is not None and pts * self._time_base < self._since:
                continue
            if index >= self._begin:
                yield self._frame(frame, index, pts, duration)
            index += 1

    def _whole(self) -> Iterator[av.VideoFrame]:
        """The decoded frames, none of them interlaced where they are to be made whole."""
        for frame in self._decoded():
            self.interlaced |= frame.interlaced_frame
            if self._deinterlacer is not None and self.interlaced:
                yield from self._deinterlacer.push(frame)
            else:
                yield frame
        if self._deinterlacer is not None and self.interlaced:
            yield from self._deinterlacer.flush()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        sent = failed = came = 0
        for packet in self._packets():
            sent += packet.size > 0 and not packet.is_discard and self._is_wanted(packet)
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
            came += sum(map(self._is_wanted, decoded))
            yield from decoded
        if self._stream.codec_context.name in _FRAME_PER_PACKET and not self.interlaced:
            self.losses[UNDECODABLE] += max(0, sent - came - failed)
        self.losses += Counter()  # drops what was counted as none

    def _is_wanted(self, timed: Any) -> bool:
        """Whether a packet or frame is not from before the place that was sought, where it may lack what it needs."""
        return self._since is None or timed.pts is None or timed.pts * self._time_base >= self._since

    def _time(self, frame: av.VideoFrame) -> tuple[int, int | None]:
        """When a frame is shown, and how long, in units of the stream's time base; to be asked once for each frame."""
        pts = frame.pts
        if self._decoding_times:
            in_order = self._decoding_times.popleft()
            pts = in_order if self._stream.codec_context.has_b_frames or pts is None else pts
        if pts is None:
            pts = frame.dts if frame.dts is not None and self._next_pts is None else self._next_pts or 0
        duration = int(frame.duration or 0) or None
        self._next_pts = pts + (duration or self._usual_duration())
        self.last_good = float(pts * self._time_base)
        return pts, duration

    def _frame(self, frame: av.VideoFrame, index: int, pts: int, duration: int | None) -> Frame:
        self.orientation = Orientation.of(frame)
        if index == self._begin:
            self.colours = colours(frame)
        picture = to_picture(frame, self._reformatter, self.orientation)
        return Frame(picture, index, pts, self._time_base, self._name, duration)

    def _usual_duration(self) -> int:
        rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)
        return max(1, round(1 / (rate * self._time_base)))

    def _packets(self) -> Iterator[Any]:
        """Video packets, errors skipped over, then one empty packet that drains the decoder."""
        held = None  # a damaged packet that nothing follows is where a file was cut: half a picture, not decoded
        packets = Packets(self._container)
        for packet in self._timeline.timed(packets):
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
        self.broke_off = packets.broke_off or held is not None
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
