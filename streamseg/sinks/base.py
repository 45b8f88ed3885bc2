"""What every sink of results promises."""

from __future__ import annotations

from enum import Enum
from typing import Protocol, runtime_checkable

from streamseg.frame import StreamInfo
from streamseg.result import Result


class StopRequested(Exception):  # a wish, not an error
    """Raised by a sink whose user asks to end the run: ``q`` in a window, a reader that hung up."""


class Ending(Enum):
    """Why a stream's results end, where nothing failed."""

    END = "the source has no more frames"
    LIMIT = "no more were asked for"
    STOPPED = "somebody stopped the run"


@runtime_checkable
class Sink(Protocol):
    """Where results go.

    Attributes:
        wants_picture: Whether it uses ``result.annotated()``.
        wants_masks: Whether it turns masks into run lengths.
        on_main_thread: Whether it must be used on the main thread, as windows must.
    """

    wants_picture: bool
    wants_masks: bool
    on_main_thread: bool

    def open(self, info: StreamInfo) -> None:
        """Prepare for the results of one stream, before the first of them.

        Raises:
            UserError: It cannot be written to.
        """
        ...

    def write(self, result: Result) -> None:
        """Take one result.

        Raises:
            UserError: Something outside went wrong, such as a full disk; what was whole has been kept.
            StopRequested: The user wants to end the run.
        """
        ...

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        """Finish the file and put it under its final name; also after an ``open`` that failed, and more than once.

        Args:
            ok: False after a failure: what is whole is still finished, but replaces no older file.
            ending: Why there is no more.

        Returns:
            Lines for the closing summary.

        Raises:
            UserError: It could not be finished.
        """
        ...


@runtime_checkable
class Resumable(Protocol):
    """A sink that can go on with what a run before it left, when that crashed.

    It is asked what there is, told what to keep, and then used like any other.
    """

    def kept(self, source: str, most: int | None = None) -> int:
        """After how many frames of a source one can go on.

        Args:
            source: Its name.
            most: No more than so many; None for as many as there are.

        Raises:
            UserError: What is there cannot be read.
        """
        ...

    def resume(self, source: str, frames: int) -> None:
        """Keep so many frames of a source, as ``kept`` has it, and drop what follows them; before ``open``."""
        ...


@runtime_checkable
class Marking(Protocol):
    """A sink whose unfinished file can carry what is needed to go on."""

    def mark(self, data: bytes) -> None:
        """Keep something, on the disk at the latest with the frames that are two seconds on; from any thread."""
        ...

    def marks(self) -> list[bytes]:
        """What the run before gave to ``mark``, the latest last; once ``kept`` was asked."""
        ...
