"""Text files that grow by some lines for each frame."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.base import StopRequested
from streamseg.sinks.staging import Staged, cannot_write, check_file

STANDARD_OUTPUT = "-"


def check(path: str | os.PathLike[str], sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that lines can be written to ``path``; ``-`` is standard output.

    Raises:
        UserError: It is a source itself, exists already, or cannot be written to.
    """
    if os.fspath(path) != STANDARD_OUTPUT:
        check_file(Path(path), sources, overwrite=overwrite)


class LinesSink:
    """Writes the lines that ``lines`` makes of each result, in the order in which the frames come.

    A file appears under its name when it is whole; until then it is ``.name.part`` beside it, complete to the last
    frame. ``open`` is called once for each stream and ``close`` once for all; ``write`` from any thread.

    Args:
        path: The file; ``-`` is standard output, one line at a time.
        overwrite: Replace an older file, once the new one is whole.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = False
    wants_masks = False
    on_main_thread = False

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        check(path, overwrite=overwrite)
        self._staged = None if os.fspath(path) == STANDARD_OUTPUT else Staged(Path(os.path.abspath(path)))
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._notes: list[str] = []
        self._whole = 0  # bytes up to the end of the last complete frame

    def lines(self, result: Result) -> str:
        """The lines of one frame, each with its end; called from any thread.

        Raises:
            UserError: There is no way to write such a result.
        """
        raise NotImplementedError

    def open(self, info: StreamInfo) -> None:
        """Begin the file with the first stream.

        Raises:
            UserError: It cannot be written.
        """
        with self._lock:
            if self._file is not None:
                return
            if self._staged is None:
                self._file = sys.stdout
                return
            self._notes += self._staged.begin()
            try:
                self._file = self._staged.part.open("w", encoding="utf-8", newline="\n")
            except OSError as error:
                raise cannot_write(self._staged.path, error) from None

    def write(self, result: Result) -> None:
        """Write the lines of one frame.

        Raises:
            UserError: The disk is full, for example; what is whole is kept as ``name.partial.jsonl``.
            StopRequested: Whoever read standard output has gone.
        """
        lines = self.lines(result)
        with self._lock:
            if self._file is None:
                raise RuntimeError("the file is not open")
            try:
                self._file.write(lines)
                self._file.flush()
                self._whole += len(lines.encode())
            except BrokenPipeError:
                _forget_standard_output()
                raise StopRequested from None
            except OSError as error:
                raise self._failed(error) from None

    def close(self, ok: bool = True) -> list[str]:
        """Put the file under its final name; after a failure only where there is something in it."""
        with self._lock:
            file, self._file = self._file, None
            notes, self._notes = self._notes, []
            if self._staged is None or file is None:
                return notes
            try:
                file.close()
                if not ok and not self._whole:
                    self._staged.discard()
                    return notes
                return notes + self._staged.commit(ok)
            except OSError as error:
                raise self._failed(error) from None

    def _failed(self, error: OSError) -> UserError:
        """Keep the lines that are complete, and say what happened."""
        file, self._file = self._file, None
        if self._staged is None:
            return UserError(f"standard output: cannot be written ({error.strerror}); send it elsewhere")
        kept = ""
        try:
            if file is not None:
                os.ftruncate(file.fileno(), self._whole)
                # What is still buffered must not follow: the file object is left to a descriptor of nothing.
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, file.fileno())
                os.close(nothing)
                file.close()
            if self._whole:
                kept = f"what was whole is in {self._staged.rescue().name}; "
            else:
                self._staged.discard()
        except OSError:
            pass  # the first error is the one to tell
        return cannot_write(self._staged.path, error, kept)


def _forget_standard_output() -> None:
    """Keep the interpreter from complaining at its end about a pipe that nobody reads."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (OSError, ValueError):
        pass  # standard output is no real file, so nothing will complain
