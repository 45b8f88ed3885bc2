"""A file that a muxer writes a fragmented MP4 into: whole fragments are safe on the disk."""

from __future__ import annotations

import json
import os
import struct
import threading
from pathlib import Path
from typing import Any, BinaryIO

from streamseg.sinks.fragments import CLOSING, MARK, coding_of


class HeaderDiffers(Exception):
    """What is to be appended is coded in another way than what is there."""


class GrowingFile:
    """A file for a muxer to write a fragmented MP4 into; every fragment is on the disk as soon as it is whole.

    It cannot be sought in, which such a muxer need not do.

    Args:
        path: The file; it is made anew, or, with ``at``, cut there and appended to.
        about: What is noted in the file, behind its header, for whoever goes on with it.
        at: Byte at which to go on.
        coding: How the first stream is coded in the file that is appended to.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, about: dict[str, Any], at: int | None = None, coding: bytes = b"") -> None:
        self._file = path.open("wb" if at is None else "r+b", buffering=0)
        self._appending = at is not None
        self._coding = coding
        self._about = about
        self._head = bytearray()  # of a box whose beginning is not yet known, or that is read whole
        self._kind = b""
        self._left = 0  # bytes of the box that are still to come
        self._notes: list[bytes] = []
        self._lock = threading.Lock()
        if at is not None:
            self._file.truncate(at)
            self._file.seek(at)

    def write(self, data: bytes) -> int:
        """Take what a muxer writes.

        Raises:
            OSError: The disk is full, for example.
            HeaderDiffers: The file that is appended to is coded in another way.
        """
        view = memoryview(data)
        while view:
            if not self._left:
                view = self._begin(view)
                continue
            part, view = view[: self._left], view[self._left :]
            self._left -= len(part)
            self._pass(part)
            if not self._left:
                self._end()
        return len(data)

    def note(self, data: bytes) -> None:
        """Have something noted behind the next whole fragment, where players pass over it; from any thread."""
        with self._lock:
            self._notes.append(data)

    def say_closing(self) -> None:
        """Note that the muxer is about to write what it has left, after which no more will come; between fragments.

        Raises:
            OSError: It cannot be written.
        """
        if not self._appending and not self._left and not self._head:
            _write(self._file, noted(CLOSING))

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._file.closed

    def _begin(self, view: memoryview) -> memoryview:
        """Collect the beginning of a box until its length is known."""
        need = 16 if self._head[:4] == b"\0\0\0\1" else 8
        taken = need - len(self._head)
        self._head += view[:taken]
        if len(self._head) >= need and not (need == 8 and self._head[:4] == b"\0\0\0\1"):
            length = int.from_bytes(self._head[8:16] if need == 16 else self._head[:4], "big")
            self._kind, self._left = bytes(self._head[4:8]), length - need
            head, self._head = bytes(self._head), bytearray()
            self._pass(head)
            if not self._left:
                self._end()
        return view[taken:]

    def _pass(self, data: bytes | memoryview) -> None:
        if not self._appending:
            _write(self._file, data)
        elif self._kind == b"moov":
            self._head += data  # kept in memory to be compared; nothing else collects here meanwhile

    def _end(self) -> None:
        kind, self._kind = self._kind, b""
        if kind == b"moov" and self._appending:
            coding = coding_of(bytes(self._head[8:]))
            self._head.clear()
            if coding != self._coding:
                raise HeaderDiffers
            self._appending = False
        elif kind == b"moov":
            _write(self._file, noted(json.dumps(self._about).encode()))
        elif kind == b"mdat" and not self._appending:
            with self._lock:
                notes, self._notes = self._notes, []
            _write(self._file, b"".join(map(noted, notes)))
            _sync(self._file)


def noted(data: bytes) -> bytes:
    """A box that players pass over, with something in it for us."""
    return struct.pack(">I4s", 8 + len(MARK) + len(data), b"free") + MARK + data


def _write(file: BinaryIO, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _sync(file: BinaryIO) -> None:
    getattr(os, "fdatasync", os.fsync)(file.fileno())
