"""Places in a recorded source from which a run can be gone on with, and what a tracker knew there."""

from __future__ import annotations

import contextlib
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from streamseg.frame import Frame
from streamseg.planes import packed_size, planes_of

EVERY = 2.0
"""Seconds of the source's time between two marks."""

_END = b"end"  # instead of a mark: no more frames came, so that the last ones were told without what follows
_MOST_FRAMES = 300  # between two marks, where time hardly passes
_MOST_STATE = 64 << 20  # bytes
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place before a frame.

    Attributes:
        index: The frame's index.
        pts: Its time.
        time_base: Seconds per unit of ``pts``.
        crc: Check sum of its picture, by which it is recognised.
        run: What the run does that made the mark, see :func:`streamseg.pipeline.resuming.purpose`.
        state: What the tracker knew before that frame, see :mod:`streamseg.tracking.state`; empty for nothing.
    """

    index: int
    pts: int
    time_base: Fraction
    crc: int
    run: Mapping[str, Any] = field(default_factory=dict)
    state: bytes = b""

    @property
    def seconds(self) -> float:
        """When the frame is shown."""
        return float(self.pts * self.time_base)

    def to_bytes(self) -> bytes:
        """The mark in a file."""
        unit = [self.time_base.numerator, self.time_base.denominator]
        head = {"index": self.index, "pts": self.pts, "time_base": unit, "crc": self.crc, "run": dict(self.run)}
        text = json.dumps(head).encode()
        return _LENGTH.pack(len(text)) + text + zlib.compress(self.state, 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Mark:
        """Read a mark.

        Raises:
            ValueError: It is none.
        """
        try:
            (length,) = _LENGTH.unpack_from(data)
            head = json.loads(data[_LENGTH.size : _LENGTH.size + length])
            unpacker = zlib.decompressobj()
            state = unpacker.decompress(data[_LENGTH.size + length :], _MOST_STATE)
            if not unpacker.eof:
                raise ValueError("too large")
            numbers = [head["index"], head["pts"], head["crc"], *head["time_base"]]
            if not all(type(number) is int for number in numbers) or not isinstance(head["run"], dict):
                raise ValueError("not numbers")
            return cls(head["index"], head["pts"], Fraction(*head["time_base"]), head["crc"], head["run"], state)
        except (struct.error, zlib.error, ZeroDivisionError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"not a mark: {error}") from None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a source is begun.

    Attributes:
        begin: Index of the first frame that is read.
        first: Index of the first frame whose result is wanted; those before it are only needed for what comes.
    """

    begin: int = 0
    first: int = 0


def check_sum(frame: Frame) -> int:
    """Check sum of a frame's picture."""
    total = 0
    for plane in planes_of(frame.pixels):
        total = zlib.crc32(np.ascontiguousarray(plane).data.cast("B"), total)
    return zlib.crc32(packed_size(frame.pixels).to_bytes(8, "big"), total)


def read_marks(data: Sequence[bytes]) -> tuple[list[Mark], bool]:
    """The marks among what was kept, in the order of their frames, and whether that run had come to an end."""
    marks = {}
    for each in data:
        with contextlib.suppress(ValueError):
            mark = Mark.from_bytes(each)
            marks[mark.index] = mark
    return [marks[index] for index in sorted(marks)], bool(data) and data[-1] == _END


def latest_certain(marks: Sequence[Mark], seconds: float, frames: int) -> int:
    """Index of the first frame that may have been told without all that follows, where a run had come to an end.

    Args:
        marks: In the order of their frames.
        seconds: For so long after a frame there can be something that says something about it.
        frames: So many frames after it there can, whenever they are.
    """
    last = marks[-1]
    certain = [
        mark.index for mark in marks if last.seconds - mark.seconds >= seconds and mark.index <= last.index - frames
    ]
    return certain[-1] if certain else 0


def start_for(marks: Sequence[Mark], first: int, seconds: float, frames: int) -> Mark | None:
    """From where to go on so that all from a frame on is as it would have been.

    Args:
        marks: In the order of their frames.
        first: Index of that frame.
        seconds: For so long before a frame there can be something that says something about it.
        frames: So many frames before it there can, whenever they are.

    Returns:
        The last mark that lies as far before it; None for the beginning.
    """
    before = [mark for mark in marks if mark.index <= first]
    fit = [mark for mark in before if before[-1].seconds - mark.seconds >= seconds and mark.index <= first - frames]
    return fit[-1] if fit else None


class Marker:
    """Makes marks as frames pass by.

    Args:
        keep: Where they go.
        run: What the run does.
    """

    def __init__(self, keep: Any, run: Mapping[str, Any]) -> None:
        self._keep = keep
        self._run = run
        self._last: Frame | None = None
        self._latest = -math.inf  # seconds

    def before(self, frame: Frame, state: Any) -> None:
        """A frame comes; ``state`` is called for what the tracker knows, if a mark is due."""
        last, in_order = self._last, frame.seconds >= self._latest
        self._latest = max(self._latest, frame.seconds)
        if not in_order:
            return  # what was seen before it would have a say for longer
        if last is not None and frame.index - last.index < _MOST_FRAMES and frame.seconds - last.seconds < EVERY:
            return
        self._last = frame
        mark = Mark(frame.index, frame.pts, frame.time_base, check_sum(frame), self._run, state())
        self._keep(mark.to_bytes())

    def end(self) -> None:
        """No more frames come."""
        self._keep(_END)
