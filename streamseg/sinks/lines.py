"""Text files that grow by some lines for each frame."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.base import Ending, StopRequested
from streamseg.sinks.markfile import MarkFile, read_marks
from streamseg.sinks.staging import Staged, cannot_write, check_file
from streamseg.sinks.textcut import is_kept, keep_frames, last_frames

STANDARD_OUTPUT = "-"
_SYNC = 1.0  # seconds after which what was written must be on the disk


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
        leave_part: Leave the hidden file as it is where the run is stopped, to be gone on with.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = False
    wants_masks = False
    on_main_thread = False

    every_frame: ClassVar[bool] = False
    """Whether each frame has a line, rather than only those in which there is something."""

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False, leave_part: bool = False) -> None:
        check(path, overwrite=overwrite)
        self._leave_part = leave_part
        self._staged = None if os.fspath(path) == STANDARD_OUTPUT else Staged(Path(os.path.abspath(path)))
        self._marking = (
            MarkFile(self._staged.part.with_name(f"{self._staged.part.name}.marks")) if self._staged else None
        )
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._notes: list[str] = []
        self._whole = 0  # bytes up to the end of the last complete frame
        self._synced = 0.0
        self._there: dict[str, int] | None = None
        self._resumed: dict[str, int] = {}

    def lines(self, result: Result) -> str:
        """The lines of one frame, each with its end; called from any thread.

        Raises:
            UserError: There is no way to write such a result.
        """
        raise NotImplementedError

    def frame_of(self, line: bytes) -> tuple[str, int] | None:
        """The source (empty where lines do not tell) and the index of the frame that a line is about; None for none."""
        raise NotImplementedError

    def mark(self, data: bytes) -> None:
        """Keep something for whoever goes on with the file after a crash; from any thread."""
        if self._marking is not None:
            self._marking.add(data)

    def marks(self) -> list[bytes]:
        """What ``mark`` was given in the run that left the file, the latest last."""
        return read_marks(self._marking.path) if self._marking is not None else []

    def kept(self, source: str, most: int | None = None) -> int:
        """How many frames of a source are whole in what an earlier run left, ``most`` at most.

        Raises:
            UserError: It cannot be read.
        """
        if self._staged is None:
            return 0 if most is None else most  # what has been read from a pipe is not ours to keep
        if self._there is None:
            part = self._staged.earlier()
            if part is None and self._staged.path.is_file():
                part = self._staged.path  # finished before the others of the same run were, or with them when stopped
            try:
                self._there = last_frames(part, self.frame_of) if part is not None else {}
            except OSError as error:
                raise cannot_write(self._staged.path, error) from None
        last = self._there.get(source, self._there.get("", -1))
        # The last frame may lack some of its lines where it can have several.
        whole = last + 1 if self.every_frame else max(last, 0)
        return whole if most is None else min(whole, most)

    def resume(self, source: str, frames: int) -> None:
        """Keep so many frames of a source of an earlier run, and go on after them; before ``open``."""
        self._resumed[source] = frames

    def is_kept(self, line: bytes) -> bool:
        """Whether a line of an earlier run stays."""
        return is_kept(line, self.frame_of, self._resumed)

    def open(self, info: StreamInfo) -> None:
        """Begin the file with the first stream; one that is gone on with stays as it is until a frame comes.

        Raises:
            UserError: It cannot be written.
        """
        with self._lock:
            if self._file is not None or self._staged is None or any(self._resumed.values()):
                return
            try:
                self._file = self._begun()
            except OSError as error:
                raise cannot_write(self._staged.path, error) from None

    def _begun(self) -> IO[bytes]:
        assert self._staged is not None and self._marking is not None
        if self._there is not None:
            self._staged.discard()  # too little to go on with
        self._notes += self._staged.begin()
        self._marking.discard()
        return self._staged.part.open("wb")

    def _gone_on_with(self) -> IO[bytes]:
        assert self._staged is not None
        if self._staged.earlier() is None:
            shutil.copyfile(self._staged.path, self._staged.part)
        else:
            self._staged.adopt()
        keep_frames(self._staged.part, self.frame_of, self._resumed)
        file = self._staged.part.open("ab")
        self._whole = file.tell()
        return file

    def write(self, result: Result) -> None:
        """Write the lines of one frame.

        Raises:
            UserError: The disk is full, for example; what is whole is kept as ``name.partial.jsonl``.
            StopRequested: Whoever read standard output has gone.
        """
        text = self.lines(result)
        with self._lock:
            try:
                if self._staged is None:
                    sys.stdout.write(text)
                    sys.stdout.flush()
                else:
                    self._append(text.encode())
            except BrokenPipeError:
                _forget_standard_output()
                raise StopRequested from None
            except OSError as error:
                raise self._failed(error) from None

    def _append(self, data: bytes) -> None:
        if self._file is None:
            if not any(self._resumed.values()):
                raise RuntimeError("the file is not open")
            self._file = self._gone_on_with()
        self._file.write(data)
        self._file.flush()
        self._whole += len(data)
        if time.monotonic() - self._synced > _SYNC:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        """Put the file under its final name; after a failure only where there is something in it."""
        with self._lock:
            file, self._file = self._file, None
            notes, self._notes = self._notes, []
            if self._staged is None or self._marking is None or file is None:
                return notes
            try:
                os.fsync(file.fileno())
                file.close()
                if ok and self._leave_part and ending is Ending.STOPPED:
                    return [*notes, self._staged.left()]
                if not ok and not self._whole:
                    self._staged.discard()
                    self._marking.discard()
                    return notes
                notes += self._staged.commit(ok)
                if ok and ending is not Ending.STOPPED:
                    self._marking.discard()
                return notes
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
