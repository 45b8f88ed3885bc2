"""Fragmented MP4 as bytes: what of it is whole (ISO/IEC 14496-12)."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

MARK = b"streamseg\0"
"""What the ``free`` box begins with in which something is noted."""

CLOSING = b"closing"
"""What is noted before the last fragments, after each of which there may be no more pictures."""

MOST_NOTES = 64
"""So many notes are kept of a file, the last ones: what is older is of no use."""

_MOST_NOTE = 8 << 20  # bytes
_MOST_HEADER = 64 << 20  # bytes of a box that is read into memory
_INSIDE = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf")


@dataclass(frozen=True, slots=True)
class Kept:
    """What of one stream is in the whole fragments.

    Attributes:
        samples: How many packets.
        end: When the last of them ends, seconds.
    """

    samples: int = 0
    end: Fraction = Fraction(0)


@dataclass(slots=True)
class Fragmented:
    """A fragmented MP4, as far as it is whole.

    Attributes:
        about: What was given to :class:`streamseg.sinks.growing.GrowingFile`; empty where it is none of ours.
        notes: What was noted behind fragments, in order.
        coding: How the first stream is coded, see :func:`coding_of`.
        ends: For each fragment, in bytes, where it ends.
        kept: For each fragment, what there is of each stream up to its end.
        closing: After so many fragments the muxer was about to end; None where it was not.
    """

    about: dict[str, Any] = field(default_factory=dict)
    notes: list[bytes] = field(default_factory=list)
    coding: bytes = b""
    ends: list[int] = field(default_factory=list)
    kept: list[tuple[Kept, ...]] = field(default_factory=list)
    closing: int | None = None

    def frames(self, most: int | None = None) -> int:
        """After how many packets of the first stream, ``most`` at most, one can go on.

        There is always one more to come: a fragment is written when the next packet is there, or at the end.
        """
        counts = [kept[0].samples for kept in self.kept[: self.closing] if most is None or kept[0].samples <= most]
        return counts[-1] if counts else 0

    def cut(self, frames: int) -> tuple[int, tuple[Kept, ...]]:
        """Bytes and streams up to the end of the last fragment with which the first stream has ``frames`` packets.

        Raises:
            ValueError: No fragment ends there.
        """
        for end, kept in zip(reversed(self.ends), reversed(self.kept), strict=True):
            if kept[0].samples == frames:
                return end, kept
        raise ValueError(f"no fragment ends after {frames} frames")


def scan(path: Path) -> Fragmented:
    """Read what is whole of a fragmented MP4 whose writing may have broken off anywhere.

    Raises:
        OSError: It cannot be read.
    """
    found = Fragmented()
    header = _Header()
    kept: list[Kept] = []
    pending: list[Kept] | None = None
    with path.open("rb") as file, contextlib.suppress(LookupError, ZeroDivisionError):  # damage: what follows is lost
        for kind, start, end in _boxes(file):
            if kind == b"moov":
                header = _header(_read(file, start, end))
                found.coding, kept = header.coding, [Kept() for _ in header.scales]
            elif kind == b"free" and end - start <= _MOST_NOTE:
                _take_note(found, _read(file, start, end))
            elif kind == b"moof":
                pending = _after(_read(file, start, end), kept, header)
            elif kind == b"mdat" and pending:
                kept, pending = pending, None
                found.ends.append(end)
                found.kept.append(tuple(kept))
    return found


def cut_to_whole(path: Path) -> bool:
    """Drop what follows the last whole fragment; False where there is none.

    Raises:
        OSError: The file cannot be changed.
    """
    ends = scan(path).ends
    if ends:
        os.truncate(path, ends[-1])
    return bool(ends)


def coding_of(moov: bytes) -> bytes:
    """How the first stream is coded: the contents of its ``stsd`` box in those of a ``moov``, less its bit rate."""
    return _header(moov).coding


@dataclass(slots=True)
class _Header:
    """What a ``moov`` says of each stream.

    Attributes:
        scales: Ticks per second.
        places: Place of a stream, by the number of its track.
        usual: Ticks that a packet takes where nothing else is said, by the number of the track.
        coding: How the first stream is coded.
    """

    scales: list[int] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    usual: dict[int, int] = field(default_factory=dict)
    coding: bytes = b""


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the contents of each whole box, in bytes."""
    size = os.fstat(file.fileno()).st_size
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, begin = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, begin = int.from_bytes(head[8:16], "big"), 16
        if length < begin or at + length > size:
            return
        yield head[4:8], at + begin, at + length
        at += length


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(min(end - start, _MOST_HEADER))


def _inner(body: bytes, way: tuple[bytes, ...] = ()) -> Iterator[tuple[tuple[bytes, ...], bytes]]:
    """Each box inside others, with the way to it, in the order of the file."""
    at = 0
    while at + 8 <= len(body):
        length, kind = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8]
        if length < 8 or at + length > len(body):
            return
        inside = body[at + 8 : at + length]
        yield (*way, kind), inside
        if kind in _INSIDE:
            yield from _inner(inside, (*way, kind))
        at += length


def _take_note(found: Fragmented, body: bytes) -> None:
    if not body.startswith(MARK):
        return
    note = body[len(MARK) :]
    if note == CLOSING:
        found.closing = len(found.ends)
    elif found.about or found.ends:
        found.notes = [*found.notes[1 - MOST_NOTES :], note]
    else:
        with contextlib.suppress(ValueError):
            about = json.loads(note)
            found.about = about if isinstance(about, dict) else {}


def _header(moov: bytes) -> _Header:
    found = _Header()
    for way, body in _inner(moov):
        if way[-1] == b"tkhd":
            found.places[_number(body, 20 if body[0] == 1 else 12)] = len(found.places)
        elif way[-1] == b"mdhd":
            found.scales.append(_number(body, 20 if body[0] == 1 else 12))
        elif way[-1] == b"stsd" and not found.coding:
            found.coding = _without_bit_rate(body)
        elif way[-1] == b"trex":
            found.usual[_number(body, 4)] = _number(body, 12)
    return found


def _without_bit_rate(stsd: bytes) -> bytes:
    """A ``stsd`` without ``btrt``, which says what came out, and without the lengths that it is part of."""
    at = stsd.find(b"\0\0\0\x14btrt")
    return stsd[12:] if at < 0 else stsd[12:at] + stsd[at + 20 :]


def _after(moof: bytes, before: list[Kept], header: _Header) -> list[Kept]:
    """What there is of each stream after a fragment."""
    after = list(before)
    place, usual, at = 0, 0, 0
    for way, body in _inner(moof):
        if way[-1] == b"tfhd":
            track, flags, field_at = _number(body, 4), _number(body, 0) & 0xFFFFFF, 8
            place, usual = header.places[track], header.usual.get(track, 0)
            field_at += 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2)
            if flags & 0x8:
                usual = _number(body, field_at)
        elif way[-1] == b"tfdt":
            at = int.from_bytes(body[4 : 12 if body[0] == 1 else 8], "big")
        elif way[-1] == b"trun":
            count, length = _run(body, usual)
            at += length
            after[place] = Kept(after[place].samples + count, Fraction(at, header.scales[place]))
    return after


def _run(body: bytes, usual: int) -> tuple[int, int]:
    """Packets of a ``trun``, and how long they are together, ticks."""
    flags, count = _number(body, 0) & 0xFFFFFF, _number(body, 4)
    if not flags & 0x100:
        return count, count * usual
    count = min(count, len(body))  # no more than there can be
    start = 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    step = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    return count, sum(_number(body, start + step * sample) for sample in range(count))


def _number(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 4], "big")
