"""What every source of frames promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol, runtime_checkable

from streamseg.frame import Frame, StreamInfo


@runtime_checkable
class Source(Protocol):
    """A stream of frames, read once from its first frame to its last.

    Attributes:
        info: What is known before the first frame.
        losses: What could not be had, counted under a phrase for people: ``{"undecodable packets": 2}``. Complete once
            the iteration has ended.
        notes: Lines for the closing summary, for example ``"cut off in the middle: the last good frame is at 3.20 s"``.
    """

    info: StreamInfo
    losses: Counter[str]
    notes: list[str]

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order, one pass only."""
        ...

    def close(self) -> None:
        """Let go of the file, camera or connection; may be called twice and from another thread.

        A thread that is waiting for the next frame sees the stream end soon after.
        """
        ...


@runtime_checkable
class Seekable(Protocol):
    """A source that need not be read from its beginning."""

    def begin_at(self, index: int, seconds: Fraction, is_it: Callable[[Frame], bool]) -> None:
        """Begin with a later frame; before the iteration, which then gives just what it would have given from there on.

        Args:
            index: Index of that frame.
            seconds: Its presentation time, exactly.
            is_it: Whether a frame has that frame's picture: where one can get there without all that comes before,
                this tells whether it went well.
        """
        ...
