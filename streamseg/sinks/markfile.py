"""Marks beside an unfinished file that has no place for them inside."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import zlib
from pathlib import Path

_HEAD = struct.Struct(">4sII")  # what it is, how long, and a check sum
_KIND = b"MARK"
_MOST = 32 << 20  # bytes, after which what is old is left out
_KEPT = 64  # marks that are kept then


class MarkFile:
    """A hidden file to which marks are added; it is there as long as the file that it belongs to is unfinished.

    What a crash leaves half written is passed over when the marks are read.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def begin(self, kept: list[bytes]) -> None:
        """Begin anew with what is kept.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            self._write(kept)

    def add(self, data: bytes) -> None:
        """Add a mark, from any thread; that it cannot be written is no reason to stop a run."""
        with self._lock, contextlib.suppress(OSError):
            if self.path.exists() and self.path.stat().st_size + len(data) > _MOST:
                self._write(read_marks(self.path)[1 - _KEPT :])
            with self.path.open("ab") as file:
                file.write(_framed(data))
                file.flush()
                os.fsync(file.fileno())

    def discard(self) -> None:
        """Remove the file."""
        with self._lock:
            self.path.unlink(missing_ok=True)

    def _write(self, marks: list[bytes]) -> None:
        new = self.path.with_name(f"{self.path.name}2")
        with new.open("wb") as file:
            file.writelines(map(_framed, marks))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)


def read_marks(path: Path) -> list[bytes]:
    """The marks in a file, the latest last; none where there is none."""
    marks: list[bytes] = []
    with contextlib.suppress(OSError), path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            kind, length, check = _HEAD.unpack(head)
            left -= _HEAD.size + length
            if kind != _KIND or left < 0:
                break
            data = file.read(length)
            if zlib.crc32(data) != check:
                break
            marks.append(data)
    return marks


def _framed(data: bytes) -> bytes:
    return _HEAD.pack(_KIND, len(data), zlib.crc32(data)) + data
