"""The annotated video file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.errors import UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.result import Result
from streamseg.sinks.audio import Sound
from streamseg.sinks.encoding import Encoder
from streamseg.sinks.hardware import on_gpu
from streamseg.sinks.remux import cut_to_whole_fragments, make_fast_start
from streamseg.sinks.staging import Staged, cannot_write, check_file

import av  # isort: skip  # after cv2, which encoding imports first

# Suffix -> FFmpeg's format. Matroska survives a crash as it is and needs no second pass.
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}

LONGEST_OFFSET = Fraction(60)
JUMP_BACK = Fraction(1)
_FRAGMENTS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont",
    "frag_duration": "2000000",  # microseconds; a slow camera's keyframes lie further apart
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
    "flush_packets": "1",
}


def check(path: str | os.PathLike[str], sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that a video can be written to ``path``, before the model is loaded.

    Raises:
        UserError: The name has no video's suffix, is a source itself, exists already, or cannot be written to.
    """
    if Path(path).suffix.lower() not in FORMATS and not Path(path).is_dir():
        raise UserError(f"{path}: not a name for a video; end it in {', '.join(FORMATS)}")
    check_file(Path(path), sources, overwrite=overwrite)


@dataclass(slots=True)
class _Clock:
    """From the source's timestamps to those of the output, which must rise."""

    time_base: Fraction
    last: int | None = None  # of the output
    last_seen: int | None = None  # of the source
    gap: int = 1
    duration: int = 1
    forward: int = 0
    nudged: int = 0
    jumps: int = 0

    def tick(self, frame: Frame) -> int:
        """The frame's timestamp in the output."""
        pts = frame.pts
        if frame.time_base != self.time_base:
            pts = round(frame.pts * frame.time_base / self.time_base)
        seen = pts
        pts += self.forward
        if self.last is not None and pts <= self.last:
            moved = self.last + 1
            if (self.last - pts) * self.time_base > JUMP_BACK:
                moved = self.last + self.gap
                self.forward += moved - pts
                self.jumps += 1
            else:
                self.nudged += 1
            pts = moved
        self.gap = pts - self.last if self.last is not None else self.gap
        self.last = pts
        self.last_seen = seen if self.last_seen is None else max(seen, self.last_seen)
        duration = frame.duration and round(frame.duration * frame.time_base / self.time_base)
        self.duration = duration or self.gap
        return pts

    def notes(self) -> list[str]:
        """What was changed."""
        lines = []
        if self.nudged:
            lines.append(f"{self.nudged} frames had timestamps out of order and were moved forward")
        if self.jumps:
            lines.append(f"the timestamps jumped back {self.jumps} times; the output goes on without the jump")
        return lines


class VideoFileSink:
    """Writes the annotated frames as H.264 with the source's own timestamps, and copies the source's sound.

    While it is written it is a fragmented MP4 under a hidden name beside the final one (``.name.mp4.part``), playable
    after a crash; ``close`` rewrites it with its index in front and renames it. Timestamps keep their variable rate and
    their start, unless that is more than a minute: broadcast clocks would make a player wait for hours. Odd sides are
    padded by one row or column.

    Args:
        path: Ends in ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``.
        overwrite: Replace an older file, once the new one is whole.
        crf: libx264's quality, 0 to 51; lower is better and larger.
        preset: libx264's speed, ``ultrafast`` to ``placebo``.
        codec: Whether libx264 encodes or a GPU, see :func:`streamseg.sinks.hardware.on_gpu`.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = True
    wants_masks = False
    on_main_thread = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        crf: float = 23,
        preset: str = "superfast",
        codec: str = "software",
    ) -> None:
        check(path, overwrite=overwrite)
        self._staged = Staged(Path(os.path.abspath(path)))
        self._format = FORMATS[self._staged.path.suffix.lower()]
        self._quality = (crf, preset)
        self._codec = codec
        self._notes: list[str] = []
        self._info: StreamInfo | None = None
        self._output: Any = None
        self._encoder: Encoder | None = None
        self._sound: Sound | None = None
        self._clock = _Clock(Fraction(1))
        self._shift = Fraction(0)
        self._take_back = False
        self._shifts: dict[int, Fraction] = {}
        self._done = False

    def open(self, info: StreamInfo) -> None:
        """Begin the hidden file; a video holds one stream.

        Raises:
            UserError: It cannot be written.
        """
        if self._info is not None:
            raise UserError(f"{self._staged.path}: holds one source only; give each source an output of its own")
        self._info = info
        on_gpu(self._codec, info.width + info.width % 2, info.height + info.height % 2)  # fails before there is a file
        self._notes += self._staged.begin()
        try:
            self._staged.part.touch()
        except OSError as error:
            raise cannot_write(self._staged.path, error) from None

    def write(self, result: Result) -> None:
        """Encode one annotated frame, and take over the sound up to it.

        Raises:
            UserError: The disk is full, for example; what is whole is kept as ``name.partial.mp4``.
        """
        try:
            if self._encoder is None:
                self._begin(result)
            assert self._encoder is not None
            pts = self._clock.tick(result.frame)
            self._mux(self._encoder.encode(result.painted(), pts, self._clock.duration))
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from None

    def close(self, ok: bool = True) -> list[str]:
        """Finish the file and put it under its final name; without a frame there is none.

        Raises:
            UserError: It could not be finished.
        """
        if self._done:
            return []
        self._done = True
        if self._encoder is None:
            if self._info is not None:
                self._staged.discard()
                self._notes.append(f"no frame came, so {self._staged.path} was not written")
            return self._notes
        try:
            self._end()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from None
        return self._notes + self._clock.notes() + self._publish(ok)

    def _begin(self, result: Result) -> None:
        """Open the output once it is known when its streams start."""
        assert self._info is not None
        info, first = self._info, result.frame
        mp4 = self._format != "matroska"
        options = dict(_FRAGMENTS) if mp4 else {"avoid_negative_ts": "disabled", "flush_packets": "1"}
        part = f"file:{self._staged.part}"
        self._output = av.open(part, "w", format=self._format, container_options=options)
        self._encoder = Encoder(self._output, info, *self._quality, result.painted(), self._codec)
        self._clock.time_base = self._encoder.time_base
        self._clock.gap = self._encoder.usual_duration
        if info.path is not None:
            self._sound = Sound(info.path, self._output, copy_all=not mp4)
            self._notes += self._sound.notes
            if self._sound.late_header and mp4:
                self._output.container_options["movflags"] += "+delay_moov"
        start = first.pts * first.time_base
        earliest = min(start, self._sound.earliest) if self._sound is not None else start
        if start > LONGEST_OFFSET or (info.live and start > 0):
            self._shift = -start
            if not info.live:
                self._notes.append(f"the source's clock starts at {float(start):.2f} s; the output starts at 0")
        elif earliest < 0 and mp4:
            self._shift = -earliest  # fragments cannot start before 0; a finished file can, but not with a picture
            self._take_back = start >= 0

    def _mux(self, packets: Iterable[Any]) -> None:
        """Write packets of the picture, each after the sound up to it."""
        for packet in packets:
            if self._sound is not None:
                self._put(self._sound.advance(Fraction(packet.pts) * packet.time_base))
            self._put([packet])

    def _put(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            # A whole number of ticks, so that taking it back is exact.
            ticks = -(-self._shift // packet.time_base)
            self._shifts[packet.stream_index] = ticks * packet.time_base
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            self._output.mux(packet)

    def _end(self) -> None:
        assert self._encoder is not None
        self._mux(self._encoder.drain())
        if self._sound is not None:
            clock, base = self._clock, self._clock.time_base
            assert clock.last is not None and clock.last_seen is not None
            end = (clock.last + clock.duration) * base
            self._put(self._sound.finish(clock.last_seen * base, clock.gap * base, end))
            self._sound.close()
        self._output.close()

    def _publish(self, ok: bool) -> list[str]:
        staged = self._staged
        if self._format == "matroska":
            return staged.commit(ok)
        whole = staged.part.with_name(staged.part.name + "2")
        back = {stream: -shift for stream, shift in self._shifts.items()} if self._take_back else {}
        try:
            make_fast_start(staged.part, whole, self._format, back, self._last_frame())
        except (av.error.FFmpegError, OSError) as error:
            # The part is whole too, only with its index spread over it.
            whole.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or str(error)
            return [*staged.commit(ok), f"{staged.path.name} is left in fragments: no second pass ({reason})"]
        return staged.commit(ok, whole)

    def _last_frame(self) -> tuple[Fraction, Fraction]:
        """Start and duration of the last frame in the part, seconds."""
        clock = self._clock
        assert clock.last is not None
        return clock.last * clock.time_base + self._shifts[0], clock.duration * clock.time_base

    def _failed(self, error: BaseException) -> UserError:
        """Keep what is whole, and say what happened."""
        self._done = True
        if self._sound is not None:
            self._sound.close()
        with contextlib.suppress(av.error.FFmpegError, OSError):
            if self._output is not None:
                self._output.close()
        kept = ""
        with contextlib.suppress(OSError):
            if self._format == "matroska" or cut_to_whole_fragments(self._staged.part):
                kept = f"what was whole is in {self._staged.rescue().name}; "
            else:
                self._staged.discard()
        return cannot_write(self._staged.path, error, kept)
