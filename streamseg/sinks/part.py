"""The annotated video while it grows: a fragmented MP4 that can be played, and gone on with, whenever it breaks off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.clock import Clock
from streamseg.sinks.encoding import Encoder
from streamseg.sinks.fragments import Fragmented
from streamseg.sinks.growing import GrowingFile
from streamseg.sinks.remux import Plan
from streamseg.sinks.sound import Sound

import av  # isort: skip  # after cv2, which encoding imports first

LONGEST_OFFSET = Fraction(60)
"""Seconds after which a clock that starts anywhere is taken back to 0: a player would wait for hours."""

BUFFER = 1 << 20
"""Bytes; the muxer goes back in what it writes, but not farther."""

OPTIONS = {
    # Cut at key frames only, when it is known how long the frame before is shown: anywhere else that is guessed.
    "movflags": "frag_keyframe+delay_moov+default_base_moof+frag_discont+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
    "flush_packets": "1",
    # Packets come in the order of time already, and must not wait for sound that has ended.
    "max_interleave_delta": "100000",  # microseconds
}
"""How the muxer writes the growing file."""


class Part:
    """Writes frames and the source's sound into the growing file.

    Args:
        path: The file.
        info: The source's stream.
        quality: How the picture is encoded.
        first: The first result that will be written; it tells when the streams start.
        for_players: Encode as AAC what players would not follow; else leave out sound that an MP4 cannot hold.
        name: The final name, which is noted in the file.
        earlier: What is in the file already, to go on after it.
        frames: So many frames of it are kept.

    Attributes:
        clock: The output's timestamps.
        notes: What became of the sound.
        about: What is noted in the file.

    Raises:
        OSError: The file cannot be written.
        av.error.FFmpegError: The streams cannot be put together.
        HeaderDiffers: Only from ``write``: what is there is coded in another way.
    """

    def __init__(
        self,
        path: Path,
        info: StreamInfo,
        quality: Any,
        first: Result,
        *,
        for_players: bool,
        name: str,
        earlier: Fragmented | None = None,
        frames: int = 0,
    ) -> None:
        self.notes: list[str] = []
        at, kept = earlier.cut(frames) if earlier is not None and frames else (None, ())
        about = earlier.about if earlier is not None and at is not None else {}
        self._muxed: dict[int, Fraction] = {}  # by stream, by how much its times were moved
        self.about = dict(about)
        self._file = GrowingFile(path, self.about, at, earlier.coding if earlier is not None else b"")
        try:
            options = {**OPTIONS, "fragment_index": str(len(earlier.ends) + 1)} if earlier is not None else OPTIONS
            self._output = av.open(self._file, "w", format="mp4", container_options=dict(options), buffer_size=BUFFER)
            self._encoder = Encoder(self._output, info, quality, first.painted())
            self._sound = Sound(info.path, self._output, for_players) if info.path is not None else None
        except BaseException:
            self._file.close()
            raise
        self.clock = Clock(self._encoder.time_base, self._encoder.usual_duration)
        self.notes += self._sound.notes if self._sound is not None else []
        if about:
            self._shift, self._take_back = Fraction(about["shift"]), bool(about["take_back"])
            self._go_on(kept)
        else:
            self._shift, self._take_back = self._start(info, first)
        self.about.update(name=name, shift=str(self._shift), take_back=self._take_back)

    def write(self, result: Result) -> None:
        """Encode one annotated frame, and take over the sound up to it.

        Raises:
            OSError: The disk is full, for example.
            av.error.FFmpegError: It cannot be encoded.
            HeaderDiffers: What is there already is coded in another way.
        """
        pts = self.clock.tick(result.frame)
        self._mux(self._encoder.encode(result.painted(), pts, self.clock.duration))

    def note(self, data: bytes) -> None:
        """Have something noted in the file for whoever goes on with it; from any thread."""
        self._file.note(data)

    def finish(self, complete: bool) -> Plan:
        """Write what is left and close the file.

        Args:
            complete: Whether the source's picture ended; else the sound ends with the last frame.

        Returns:
            What is to be known for the finished file.

        Raises:
            OSError: The disk is full, for example.
            av.error.FFmpegError: It cannot be written.
        """
        clock = self.clock
        assert clock.last is not None
        end = None if complete else (clock.last + clock.duration) * clock.time_base
        self._mux(self._encoder.drain())
        if self._sound is not None:
            self._put(self._sound.finish(end))
            self._sound.close()
        self._file.say_closing()
        self._output.close()
        self._file.close()
        back = {stream: -shift for stream, shift in self._muxed.items()} if self._take_back else {}
        moved = Fraction(0) if self._take_back else self._muxed[0]
        last = clock.last * clock.time_base + self._muxed[0], clock.duration * clock.time_base
        return Plan(back, last, moved, end)

    def abandon(self) -> None:
        """Close everything after an error, whatever more goes wrong; may be called twice."""
        if self._sound is not None:
            self._sound.close()
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._output.close()
        self._file.close()

    def _start(self, info: StreamInfo, first: Result) -> tuple[Fraction, bool]:
        """By how much all times are moved, and whether that is taken back in the finished file."""
        start = first.frame.pts * first.frame.time_base
        earliest = min(start, self._sound.earliest) if self._sound is not None else start
        if (info.broadcast and start > LONGEST_OFFSET) or (info.live and start > 0):
            if not info.live:
                self.notes.append(f"the source's clock starts at {float(start):.2f} s; the output starts at 0")
            return -start, False
        if earliest < 0:
            return -earliest, start >= 0  # fragments cannot start before 0; a finished file can, but not its picture
        return Fraction(0), False

    def _go_on(self, kept: tuple[Any, ...]) -> None:
        """Continue where what is kept ends."""
        video, *sounds = kept
        base = self.clock.time_base
        self._muxed[0] = -(-self._shift // base) * base
        self.clock.last = round((video.end - self._muxed[0]) / base) - 1
        if self._sound is not None:
            self._sound.resume(tuple(sounds), self._shift)

    def _mux(self, packets: Iterable[Any]) -> None:
        """Write packets of the picture, each after the sound up to it."""
        for packet in packets:
            if self._sound is not None:
                self._put(self._sound.until(Fraction(packet.pts) * packet.time_base))
            self._put([packet])

    def _put(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            # A whole number of ticks, so that taking it back is exact.
            ticks = -(-self._shift // packet.time_base)
            self._muxed[packet.stream_index] = ticks * packet.time_base
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            self._output.mux(packet)
