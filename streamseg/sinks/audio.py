"""The source's sound, copied beside the annotated picture as it is written."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av
from av.bitstream import BitStreamFilterContext

# What players expect in MP4 and QuickTime files; anything else is encoded anew as AAC.
COPYABLE = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus", "flac"})

# The muxer learns from their first packets what it must write into the header.
_HEADER_FROM_PACKETS = frozenset({"ac3", "eac3"})
_AAC_RATES = frozenset({96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350})
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_MAX_ERRORS_IN_A_ROW = 64
_WITHOUT_PTS = ("avi",)


class Sound:
    """All sound of a media file, as packets for an output that is being written.

    Args:
        path: The source; opened anew, once for each of its sound streams, so that the order of packets in the file
            does not matter.
        container: The open output; a stream for each sound stream is added to it.
        copy_all: Copy whatever codec there is, for containers that hold anything.

    Attributes:
        earliest: Seconds at which the first sound starts, zero at most.
        late_header: Whether the output's header must wait for the first packets.
        notes: What could not be copied as it is.
    """

    def __init__(self, path: Path, container: Any, copy_all: bool = False) -> None:
        self.notes: list[str] = []
        self._tracks: list[_Track] = []
        for number in range(_count(path)):
            try:
                self._tracks.append(_Track(path, number, container, copy_all))
            except (av.error.FFmpegError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                self.notes.append(f"{path.name}: sound stream {number} could not be taken over ({reason})")
        self.notes += [note for track in self._tracks for note in track.notes]
        self.earliest = min([Fraction(0), *(track.earliest for track in self._tracks)])
        self.late_header = any(track.late_header for track in self._tracks)

    @property
    def streams(self) -> list[Any]:
        """The output's sound streams, in the order of the source."""
        return [track.output for track in self._tracks]

    def advance(self, until: Fraction) -> Iterator[Any]:
        """Yield the packets that start at ``until`` seconds or before."""
        for track in self._tracks:
            yield from track.advance(until)

    def finish(self, last: Fraction, gap: Fraction, end: Fraction) -> Iterator[Any]:
        """Yield the rest: all of it where the source's picture ended, what starts before ``end`` where it went on.

        Args:
            last: Seconds at which the last written frame starts.
            gap: Seconds between the last two written frames; the source went on if it has a frame that much later.
            end: Seconds at which the last written frame ends.
        """
        for track in self._tracks:
            yield from track.finish(last, gap, end)

    def close(self) -> None:
        """Close the source; may be called twice."""
        for track in self._tracks:
            track.close()


def _open(path: Path) -> Any:
    return av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")


def _count(path: Path) -> int:
    try:
        with _open(path) as container:
            return len(container.streams.audio)
    except (av.error.FFmpegError, OSError):
        return 0


class _Track:
    """One sound stream, read by a cursor of its own."""

    def __init__(self, path: Path, number: int, output: Any, copy_all: bool) -> None:
        self.notes: list[str] = []
        self._container = _open(path)
        self._input = self._container.streams.audio[number]
        context = self._input.codec_context
        if context is None:
            raise ValueError("unknown codec")
        codec = context.name
        self._copied = copy_all or codec in COPYABLE
        if self._copied:
            self.output = output.add_stream_from_template(self._input)
        else:
            rate = context.sample_rate if context.sample_rate in _AAC_RATES else 48000
            channels = context.layout.nb_channels
            layout = _LAYOUTS.get(channels, "stereo")
            self.output = output.add_stream("aac", rate=rate, layout=layout)
            self.output.codec_context.bit_rate = 80_000 * channels
            if context.layout.name.endswith("channels") and channels in _LAYOUTS:
                context.layout = layout  # plain PCM says how many channels there are, but not where they belong
            self.notes.append(f"sound stream {number} ({codec}) was encoded anew as AAC")
        if language := self._input.metadata.get("language"):
            self.output.metadata["language"] = language
        self.late_header = self._copied and (
            codec in _HEADER_FROM_PACKETS or (codec == "aac" and not context.extradata)
        )
        self._last_dts: int | None = None
        self._last_video: Fraction | None = None
        self._packets = self._read()
        self._ahead = next(self._packets, None)
        # AAC in AVI and MPEG-TS carries a header in each packet, which MP4 wants once, in its own.
        bare = self.late_header and codec == "aac" and self._ahead is not None and bytes(self._ahead)[:1] == b"\xff"
        self._unwrap = BitStreamFilterContext("aac_adtstoasc", self._input) if bare else None
        start = self._time(self._ahead) if self._ahead is not None else Fraction(0)
        self.earliest = start - (Fraction(2048, self.output.rate) if not self._copied else 0)

    def advance(self, until: Fraction) -> Iterator[Any]:
        while self._ahead is not None and self._time(self._ahead) <= until:
            yield from self._converted(self._ahead)
            self._ahead = next(self._packets, None)

    def finish(self, last: Fraction, gap: Fraction, end: Fraction) -> Iterator[Any]:
        beyond = []  # only once the source is at its end is it known whether these belong to the output
        while self._ahead is not None and not self._went_on(last, gap):
            if self._time(self._ahead) < end:
                yield from self._converted(self._ahead)
            else:
                beyond.append(self._ahead)
            self._ahead = next(self._packets, None)
        if self._went_on(last, gap):
            yield from self._before(end)
        else:
            for packet in beyond:
                yield from self._converted(packet)
        if not self._copied:
            yield from self.output.encode(None)
        self.close()

    def close(self) -> None:
        self._packets.close()
        self._container.close()

    def _before(self, end: Fraction) -> Iterator[Any]:
        while self._ahead is not None and self._time(self._ahead) < end:
            yield from self._converted(self._ahead)
            self._ahead = next(self._packets, None)

    def _went_on(self, last: Fraction, gap: Fraction) -> bool:
        return self._last_video is not None and self._last_video >= last + gap

    def _time(self, packet: Any) -> Fraction:
        return Fraction(packet.pts if packet.pts is not None else packet.dts) * packet.time_base

    def _converted(self, packet: Any) -> Iterator[Any]:
        if not self._copied:
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                return
            for frame in frames:
                yield from self.output.encode(frame)
            return
        if packet.dts is None:
            packet.dts = packet.pts
        if self._last_dts is not None and packet.dts <= self._last_dts:
            packet.dts = self._last_dts + 1  # a broken file; the muxer would refuse
        self._last_dts = packet.dts
        packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
        for bare in self._unwrap.filter(packet) if self._unwrap is not None else [packet]:
            bare.stream = self.output
            yield bare

    def _read(self) -> Generator[Any, None, None]:
        """This stream's packets; of the picture only the latest timestamp is noted."""
        errors = 0
        by_dts = self._container.format.name in _WITHOUT_PTS
        wanted = self._input.index
        while errors < _MAX_ERRORS_IN_A_ROW:
            try:
                for packet in self._container.demux():
                    errors = 0
                    when = packet.dts if by_dts or packet.pts is None else packet.pts
                    if packet.size == 0 or when is None:
                        continue
                    if packet.stream_index == wanted:
                        yield packet
                    elif packet.stream.type == "video":
                        time = Fraction(when) * packet.time_base
                        self._last_video = time if self._last_video is None else max(time, self._last_video)
                return
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                errors += 1
