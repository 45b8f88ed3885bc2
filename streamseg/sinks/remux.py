"""A fragmented MP4, rewritten packet by packet so that it starts fast: its index first."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
import av

MAX_MOVIE_TIMESCALE = 1_000_000


def make_fast_start(
    part: Path, whole: Path, kind: str, shifts: Mapping[int, Fraction], last: tuple[Fraction, Fraction]
) -> None:
    """Copy all packets of ``part`` to ``whole``, the index in front.

    Args:
        part: A fragmented MP4.
        whole: The file to write.
        kind: FFmpeg's name of the format, ``mp4`` or ``mov``.
        shifts: Seconds to add to each stream's timestamps, by the stream's place.
        last: Start (before that) and duration of the last frame in seconds. FFmpeg 7 reads fragments without
            durations, and what has none at the end is left out by players.

    Raises:
        OSError: There is no room, for example.
    """
    with av.open(f"file:{part}", options={"protocol_whitelist": "file"}) as old:
        timescale = max((stream.time_base.denominator for stream in old.streams.video), default=1000)
        options = {
            "movflags": "faststart",
            # Edit lists hold start offsets in this unit; at the usual 1000 they would be off by half a millisecond.
            "movie_timescale": str(timescale if timescale <= MAX_MOVIE_TIMESCALE else 1000),
        }
        with av.open(f"file:{whole}", "w", format=kind, container_options=options) as new:
            streams = {}
            for stream in old.streams:
                copy = new.add_stream_from_template(stream, opaque=True)
                copy.time_base = stream.time_base
                copy.metadata.update({k: v for k, v in stream.metadata.items() if k == "language"})
                streams[stream.index] = copy
            before: dict[int, int] = {}
            for packet in old.demux():
                if packet.dts is None:
                    continue
                if not packet.duration:
                    packet.duration = packet.dts - before.get(packet.stream_index, packet.dts)
                before[packet.stream_index] = packet.dts
                if packet.stream.type == "video" and packet.pts * packet.time_base == last[0]:
                    packet.duration = round(last[1] / packet.time_base)
                shift = round(shifts.get(packet.stream_index, Fraction(0)) / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream_index]
                new.mux(packet)


def cut_to_whole_fragments(part: Path) -> bool:
    """Drop what follows the last complete fragment of an MP4 whose writing broke off; False where there is none."""
    size = part.stat().st_size
    whole = at = 0
    with part.open("r+b") as file:
        while at + 8 <= size:
            file.seek(at)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            if length < 8 or at + length > size:
                break
            at += length
            if kind == b"mdat":
                whole = at
        file.truncate(whole)
    return whole > 0
