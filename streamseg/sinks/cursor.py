"""One stream of a source, read beside the pipeline."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.media import Packets, open_media, reading, video_stream
from streamseg.timeline import Timeline

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
from av.stream import Discard, Disposition

_MOST_REORDERED = 32  # packets without a decoding time, after which there are none
_INDEXED = ("mov",)  # these find a stream's packets without reading the others


class Cursor:
    """The packets of one stream of a media file, with the times that the source of the frames gives them, too.

    The file is opened anew for each stream, so that the order of packets in it does not matter.

    Args:
        path: The file.
        index: The stream's place in it.

    Attributes:
        stream: The stream.
        container: The open container.
        ahead: The next packet; None at the end.

    Raises:
        OSError: The file cannot be opened.
        av.error.FFmpegError: It cannot be read.
    """

    def __init__(self, path: Path, index: int) -> None:
        self._file = path.open("rb", buffering=0)
        try:
            self.container = open_media(self._file)
        except BaseException:
            self._file.close()
            raise
        self.stream = self.container.streams[index]
        if self.container.format.name.startswith(_INDEXED):
            for other in self.container.streams:
                if other.index != index:
                    other.discard = Discard.all
        self._packets = _with_decoding_times(self._wanted(index))
        self.ahead: Any = next(self._packets, None)

    @property
    def time(self) -> Fraction:
        """When the next packet starts, seconds."""
        return time_of(self.ahead)

    def take(self) -> Any:
        """The next packet, which is then behind."""
        taken, self.ahead = self.ahead, next(self._packets, None)
        return taken

    def until(self, end: Fraction) -> Iterator[Any]:
        """Take the packets that start at ``end`` seconds or before."""
        while self.ahead is not None and self.time <= end:
            yield self.take()

    def before(self, end: Fraction | None) -> Iterator[Any]:
        """Take the packets that start before ``end`` seconds; None for all."""
        while self.ahead is not None and (end is None or self.time < end):
            yield self.take()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self.ahead = None
        self._packets.close()
        self.container.close()
        self._file.close()

    def _wanted(self, index: int) -> Generator[Any, None, None]:
        timeline = Timeline(self.container.format.name)
        cover = bool(self.stream.disposition & Disposition.attached_pic)
        for packet in timeline.timed(Packets(self.container)):
            if cover and packet.pts is None:
                packet.pts = packet.dts = 0
            timed = packet.pts is not None or packet.dts is not None
            if packet.stream_index == index and packet.size and timed:
                yield packet


def _with_decoding_times(packets: Iterator[Any]) -> Generator[Any, None, None]:
    """The packets, those at the beginning with the decoding times that some containers leave out there."""
    waiting: list[Any] = []
    for packet in packets:
        if packet.dts is None:
            waiting.append(packet)
            if len(waiting) < _MOST_REORDERED:
                continue
        else:
            for place, early in enumerate(reversed(waiting), 1):
                early.dts = packet.dts - place * max(1, packet.duration or 1)
        yield from waiting
        waiting.clear()
        if packet.dts is not None:
            yield packet
    yield from waiting


def time_of(packet: Any) -> Fraction:
    """When a packet starts, seconds."""
    return Fraction(packet.pts if packet.pts is not None else packet.dts) * packet.time_base


def beside(path: Path) -> list[tuple[int, str, str]]:
    """Place, type and codec (empty where FFmpeg knows none) of all streams of a file but the picture that is annotated.

    Streams that only hold the titles of chapters are none of them.

    Raises:
        OSError: The file cannot be opened.
        av.error.FFmpegError: It cannot be read.
    """
    with reading(path) as container:
        main = video_stream(container)
        return [
            (stream.index, stream.type, stream.codec_context.name if stream.codec_context is not None else "")
            for stream in container.streams
            if stream.discard != Discard.all and (main is None or stream.index != main.index)
        ]
