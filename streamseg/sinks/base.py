"""What every sink of results promises."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from streamseg.frame import StreamInfo
from streamseg.result import Result


class StopRequested(Exception):  # a wish, not an error
    """Raised by a sink whose user asks to end the run: ``q`` in a window, a reader that hung up."""


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

    def close(self, ok: bool = True) -> list[str]:
        """Finish the file and put it under its final name; also after an ``open`` that failed, and more than once.

        Args:
            ok: False after a failure: what is whole is still finished, but replaces no older file.

        Returns:
            Lines for the closing summary.

        Raises:
            UserError: It could not be finished.
        """
        ...
