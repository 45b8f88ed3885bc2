"""What Ctrl-C and SIGTERM do, from the first line of the program to the last."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM came while there was something to tidy up."""


class Interrupts:
    """Signal handlers for the time of ``with``; the earlier ones come back after it.

    The first signal leaves the process at once while only modules are being imported (an exception thrown into the
    middle of an import ends in somebody's ``except``), raises ``Interrupted`` where files must be tidied up, and calls
    ``stop`` while a pipeline runs. The second leaves at once.
    """

    def __init__(self) -> None:
        self._signal = 0
        self._leave = True
        self._stop: Callable[[], None] | None = None
        self._earlier: dict[int, Any] = {}

    @property
    def status(self) -> int:
        """The exit status that the signal asks for; 0 where none came."""
        return 128 + self._signal if self._signal else 0

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._earlier[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """Signals raise ``Interrupted`` inside this block: it has something to tidy up."""
        self._leave = False
        try:
            yield
        finally:
            self._leave = True

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """The first signal calls ``stop`` inside this block, on the main thread in the middle of anything."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._signal:
            os._exit(128 + number)
        self._signal = number
        if self._stop is not None:
            self._stop()
        elif self._leave:
            os._exit(128 + number)
        else:
            raise Interrupted
