"""What a source has beside the picture and its sound: subtitles, GPS and other data, further videos, covers, fonts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamseg.sinks.cursor import Cursor, beside, time_of
from streamseg.sinks.sound import keep_tags

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av
from av.stream import Disposition

_TEXT = "srt subrip ass ssa webvtt text subviewer subviewer1 microdvd sami realtext stl mpl2 jacosub vplayer pjs"
_MILLISECOND = Fraction(1, 1000)


class Extras:
    """Copies what goes with a source's picture into a finished file, as far as its format allows.

    Args:
        path: The source.
        output: The open output, to which streams are added.
        sound: Take the sound, too, as it is.

    Attributes:
        notes: What was rewritten or could not be taken over, and why.
    """

    def __init__(self, path: Path, output: Any, sound: bool = False) -> None:
        self.notes: list[str] = []
        self._path, self._output = path, output
        self._ways: list[_Way] = []
        try:
            found = beside(path)
        except (av.error.FFmpegError, ValueError, OSError):
            found = []
        for index, kind, codec in found:
            if kind != "audio" or sound:
                self._take(index, kind, codec)

    def before(self, end: Fraction | None) -> Iterator[Any]:
        """Packets that start before ``end`` seconds of the source's time; None for all of them."""
        for way in self._ways:
            yield from way.before(end)

    def close(self) -> None:
        """Let go of the source; may be called twice."""
        for way in self._ways:
            way.close()

    def _take(self, index: int, kind: str, codec: str) -> None:
        what = f"{_NAMES.get(kind, 'stream')} {index}"
        cursor = Cursor(self._path, index)
        stream = cursor.stream
        made: _Way | None = None
        try:
            if kind == "attachment":
                self._attach(stream)
            elif kind == "data" and "timecode" in stream.metadata:
                pass  # the muxer writes it anew, from the picture's own tags
            elif kind == "subtitle" and codec in _TEXT.split() and not _holds(self._output, stream):
                made = _Subtitles(cursor, self._output)
                self.notes.append(f"{what} ({codec}) was rewritten as MP4's own text")
            elif _holds(self._output, stream):
                made = _Copied(cursor, self._output)
            else:
                called = codec or stream.metadata.get("handler_name") or "of an unknown kind"
                self.notes.append(f"{what} ({called}) is not in the output: {self._output.format.name} cannot hold it")
        except (av.error.FFmpegError, ValueError) as error:
            self.notes.append(f"{what} is not in the output ({getattr(error, 'strerror', None) or error})")
        if made is not None:
            self._ways.append(made)
            if kind == "video" and not stream.disposition & Disposition.attached_pic:
                self.notes.append(f"{what} was copied as it is, without annotation")
        else:
            cursor.close()

    def _attach(self, stream: Any) -> None:
        if self._output.format.name != "matroska":
            name = stream.name or "attachment"
            self.notes.append(f"{name} is not in the output: {self._output.format.name} cannot hold attachments")
            return
        self._output.add_attachment(stream.name or "attachment", stream.mimetype or "", stream.data)


_NAMES = {"audio": "sound stream", "video": "video stream", "subtitle": "subtitle stream", "data": "data stream"}


class _Way:
    """One stream on its way."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._last: int | None = None

    def before(self, end: Fraction | None) -> Iterator[Any]:
        """Packets that start before ``end`` seconds; None for all."""
        for packet in self._cursor.before(end):
            for made in self._made(packet):
                if self._last is not None and made.dts <= self._last:
                    made.dts = self._last + 1
                self._last = made.dts
                made.pts = max(made.pts, made.dts)
                yield made

    def close(self) -> None:
        """Let go of the source."""
        self._cursor.close()

    def _made(self, packet: Any) -> Iterator[Any]:
        raise NotImplementedError


class _Copied(_Way):
    """Packets as they are."""

    def __init__(self, cursor: Cursor, output: Any) -> None:
        super().__init__(cursor)
        self._stream = output.add_stream_from_template(cursor.stream, opaque=True)
        keep_tags(cursor.stream, self._stream)

    def _made(self, packet: Any) -> Iterator[Any]:
        packet.dts = packet.pts if packet.dts is None else packet.dts
        packet.pts = packet.dts if packet.pts is None else packet.pts
        packet.stream = self._stream
        yield packet


class _Subtitles(_Way):
    """Text with times as MP4 has it (3GPP timed text), with its styles."""

    def __init__(self, cursor: Cursor, output: Any) -> None:
        super().__init__(cursor)
        decoder = self._decoder = cursor.stream.codec_context
        decoder.open(strict=False)
        self._stream = output.add_stream("mov_text")
        self._stream.time_base = _MILLISECOND
        self._stream.codec_context.subtitle_header = decoder.subtitle_header
        keep_tags(cursor.stream, self._stream)

    def _made(self, packet: Any) -> Iterator[Any]:
        start, length = time_of(packet), Fraction(packet.duration or 0) * packet.time_base
        try:
            text = self._decoder.decode2(packet)
            made = self._stream.codec_context.encode_subtitle(text) if text is not None and len(text) else None
        except (av.error.FFmpegError, ValueError):
            return
        if made is not None:
            made.pts = made.dts = round(start / _MILLISECOND)
            made.duration, made.time_base = round(length / _MILLISECOND), _MILLISECOND
            made.stream = self._stream
            yield made


def _holds(output: Any, stream: Any) -> bool:
    """Whether the output's format takes a stream as it is: a file with nothing else is tried."""
    try:
        with av.open(io.BytesIO(), "w", format=output.format.name) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True
