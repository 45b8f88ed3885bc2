"""The source's sound, taken over beside the annotated picture as that is written."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from streamseg.sinks.cursor import Cursor, beside
from streamseg.sinks.fragments import Kept

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av
from av.audio.fifo import AudioFifo
from av.bitstream import BitStreamFilterContext
from av.filter import Graph

PLAYED = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "flac"})
"""What players expect in MP4 and QuickTime files; anything else is encoded anew as AAC for them."""

HELD = PLAYED | {"opus", "libopus"}
"""What an MP4 can hold."""

_RATES = frozenset({96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350})
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_TAGS = ("language", "title", "handler_name")
_PRIMING = 2048  # samples, at most, that the AAC encoder puts before the sound
_RUN_UP = 4  # frames from which on an encoder begun in the middle gives what one from the beginning would


class Track(Protocol):
    """One sound stream on its way into an output.

    Attributes:
        output: The stream in the output.
        earliest: Seconds at which its first packet starts, or before.
    """

    output: Any
    earliest: Fraction

    def resume(self, kept: Kept) -> None:
        """Leave out what the output has already; before the first packet is taken."""
        ...

    def until(self, end: Fraction) -> Iterator[Any]:
        """Packets for the output that start at ``end`` seconds of the source's time or before."""
        ...

    def finish(self, end: Fraction | None) -> Iterator[Any]:
        """The last packets: those that start before ``end``, or, with None, all that there are."""
        ...

    def close(self) -> None:
        """Let go of the source; may be called twice."""
        ...


class Sound:
    """All sound of a media file, as packets for an output that is being written.

    Args:
        path: The source.
        container: The open output, an MP4; a stream for each sound stream is added to it.
        encode: Encode as AAC what players would not follow in an MP4; else what the MP4 cannot hold is left out, for
            an output that will take it from the source itself.

    Attributes:
        tracks: In the order of the source.
        earliest: Seconds at which the first sound starts, zero at most.
        notes: What could not be copied as it is.
    """

    def __init__(self, path: Path, container: Any, encode: bool = True) -> None:
        self.notes: list[str] = []
        self.tracks: list[Track] = []
        for number, (index, codec) in enumerate(_sounds(path)):
            copied = codec in (PLAYED if encode else HELD)
            if not copied and not encode:
                continue
            try:
                self.tracks.append((CopiedTrack if copied else EncodedTrack)(path, index, container))
            except (av.error.FFmpegError, ValueError, OSError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                self.notes.append(f"{path.name}: sound stream {number} could not be taken over ({reason})")
                continue
            if not copied:
                self.notes.append(f"sound stream {number} ({codec}) was encoded anew as AAC")
        self.earliest = min([Fraction(0), *(track.earliest for track in self.tracks)])

    def resume(self, kept: tuple[Kept, ...], shift: Fraction) -> None:
        """Leave out what the output has already; ``shift`` is what its times have been moved by, seconds."""
        for track, there in zip(self.tracks, kept, strict=True):
            track.resume(Kept(there.samples, there.end - shift))

    def until(self, end: Fraction) -> Iterator[Any]:
        """Yield the packets that start at ``end`` seconds of the source's time or before."""
        for track in self.tracks:
            yield from track.until(end)

    def finish(self, end: Fraction | None) -> Iterator[Any]:
        """Yield the rest: what starts before ``end`` where the source's picture goes on, all (None) where it ended."""
        for track in self.tracks:
            yield from track.finish(end)

    def close(self) -> None:
        """Close the source; may be called twice."""
        for track in self.tracks:
            track.close()


def _sounds(path: Path) -> list[tuple[int, str]]:
    """Place and codec of each sound stream."""
    try:
        return [(index, codec) for index, kind, codec in beside(path) if kind == "audio"]
    except (av.error.FFmpegError, ValueError, OSError):
        return []


class CopiedTrack:
    """A ``Track`` of the source's own packets."""

    def __init__(self, path: Path, index: int, output: Any) -> None:
        self._cursor = cursor = Cursor(path, index)
        try:
            self.output = output.add_stream_from_template(cursor.stream)
        except BaseException:
            cursor.close()
            raise
        keep_tags(cursor.stream, self.output)
        codec, first = cursor.stream.codec_context, cursor.ahead
        # AAC in AVI and MPEG-TS carries a header in each packet, which MP4 wants once, in its own.
        bare = codec.name == "aac" and not codec.extradata and first is not None and bytes(first)[:1] == b"\xff"
        self._unwrap = BitStreamFilterContext("aac_adtstoasc", cursor.stream) if bare else None
        self._last_dts: int | None = None
        self._behind = 0
        self.earliest = cursor.time if first is not None else Fraction(0)

    def resume(self, kept: Kept) -> None:
        """Leave out the first packets."""
        self._behind = kept.samples

    def until(self, end: Fraction) -> Iterator[Any]:
        """The packets up to ``end`` seconds, as they are."""
        yield from self._copied(self._cursor.until(end))

    def finish(self, end: Fraction | None) -> Iterator[Any]:
        """The last packets."""
        yield from self._copied(self._cursor.before(end))

    def _copied(self, packets: Iterator[Any]) -> Iterator[Any]:
        for packet in packets:
            if packet.dts is None:
                packet.dts = packet.pts
            if self._last_dts is not None and packet.dts <= self._last_dts:
                packet.dts = self._last_dts + 1  # a broken file; the muxer would refuse
            self._last_dts = packet.dts
            packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
            for bare in self._unwrap.filter(packet) if self._unwrap is not None else [packet]:
                if self._behind:
                    self._behind -= 1
                    continue
                bare.stream = self.output
                yield bare

    def close(self) -> None:
        """Let go of the source; may be called twice."""
        self._cursor.close()


class EncodedTrack:
    """A ``Track`` of AAC, made of what the source has. Gaps become silence, so that what follows stays in time.

    The sound is cut into frames from its first sample on, wherever an output goes on.
    """

    def __init__(self, path: Path, index: int, output: Any) -> None:
        self._cursor = cursor = Cursor(path, index)
        context = cursor.stream.codec_context
        try:
            rate = context.sample_rate if context.sample_rate in _RATES else 48000
            channels = context.layout.nb_channels
            layout = _LAYOUTS.get(channels, "stereo")
            self.output = output.add_stream("aac", rate=rate, layout=layout)
        except BaseException:
            cursor.close()
            raise
        self.output.codec_context.bit_rate = 80_000 * min(channels, 8)
        if context.layout.name.endswith("channels") and channels in _LAYOUTS:
            context.layout = layout  # plain PCM says how many channels there are, but not where they belong
        keep_tags(cursor.stream, self.output)
        self._shape = Shape(rate, layout)
        self._fifo = AudioFifo()
        self._at: int | None = None  # where the next frame for the encoder starts, samples
        self._reached = -(1 << 62)  # where the output has sound up to, samples
        self.earliest = cursor.time - Fraction(_PRIMING, rate) if cursor.ahead is not None else Fraction(0)

    def resume(self, kept: Kept) -> None:
        """Leave out what starts before the end of what there is."""
        if kept.samples:
            self._reached = round(kept.end * self._shape.rate)

    def until(self, end: Fraction) -> Iterator[Any]:
        """Packets of the sound up to ``end`` seconds."""
        yield from self._made_of(self._cursor.until(end))

    def finish(self, end: Fraction | None) -> Iterator[Any]:
        """The last packets; the encoder ends."""
        yield from self._made_of(self._cursor.before(end))
        yield from self._encoded(self._shape.rest(), last=True)
        yield from self._wanted(self.output.encode(None) if self._at is not None else [])

    def _made_of(self, packets: Iterator[Any]) -> Iterator[Any]:
        for packet in packets:
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                continue
            for frame in frames:
                yield from self._encoded(self._shape.shaped(frame))

    def close(self) -> None:
        """Let go of the source; may be called twice."""
        self._cursor.close()

    def _encoded(self, frames: list[av.AudioFrame], last: bool = False) -> Iterator[Any]:
        for frame in frames:
            if self._at is None:
                self._at = int(frame.pts or 0)
            frame.pts = None  # they follow one another without a gap, which the queue need not check
            self._fifo.write(frame)
        size = self._size()
        while self._at is not None and (cut := self._fifo.read(size, partial=last)) is not None:
            start, self._at = self._at, self._at + cut.samples
            if start + _RUN_UP * size >= self._reached:
                cut.pts, cut.time_base = start, Fraction(1, self._shape.rate)
                yield from self._wanted(self.output.encode(cut))

    def _size(self) -> int:
        """Samples of a frame of the encoder."""
        context = self.output.codec_context
        if not context.is_open:
            context.open()
        return int(context.frame_size)

    def _wanted(self, packets: list[Any]) -> Iterator[Any]:
        for packet in packets:
            if packet.pts * packet.time_base * self._shape.rate >= self._reached - 1:
                yield packet


class Shape:
    """Brings sound frames of any kind to one rate and layout, and fills what is missing between them with silence.

    Args:
        rate: Samples per second.
        layout: FFmpeg's name of the channels.
    """

    def __init__(self, rate: int, layout: str) -> None:
        self.rate = rate
        self._layout = layout
        self._graph: Graph | None = None
        self._kind: tuple[int, str, str] | None = None

    def shaped(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """What comes out after the next frame, with times in samples."""
        kind = frame.sample_rate, frame.format.name, frame.layout.name
        done: list[av.AudioFrame] = []
        if kind != self._kind:
            done = self.rest()
            self._kind, self._graph = kind, self._made(frame)
        assert self._graph is not None
        if frame.pts is not None and frame.time_base:
            frame.pts = round(frame.pts * frame.time_base * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        self._graph.push(frame)
        return done + self._pulled()

    def rest(self) -> list[av.AudioFrame]:
        """What is left; there is no more to come, or of another kind."""
        if self._graph is None:
            return []
        self._graph.push(None)
        done = self._pulled()
        self._graph = self._kind = None
        return done

    def _made(self, like: av.AudioFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        unit = Fraction(1, like.sample_rate)
        graph.link_nodes(
            graph.add_abuffer(
                sample_rate=like.sample_rate, format=like.format.name, layout=like.layout.name, time_base=unit
            ),
            graph.add("aresample", f"{self.rate}:async=1"),
            graph.add("aformat", f"sample_fmts=fltp:sample_rates={self.rate}:channel_layouts={self._layout}"),
            graph.add("abuffersink"),
        ).configure()
        return graph

    def _pulled(self) -> list[av.AudioFrame]:
        assert self._graph is not None
        done: list[av.AudioFrame] = []
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return done
            assert isinstance(frame, av.AudioFrame)
            done.append(frame)


def keep_tags(old: Any, new: Any) -> None:
    """Give a stream of the output the source's language, title and name, and what it is for."""
    new.metadata.update({key: old.metadata[key] for key in _TAGS if key in old.metadata})
    new.disposition = old.disposition
