"""Files that appear under their final name only when they are whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from streamseg.errors import UserError


def check_file(path: Path, sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that a file can be written, before anything costly begins.

    Args:
        path: The file to be.
        sources: What is read; none of it may be the file itself, through links neither.
        overwrite: Whether an older file may be replaced.

    Raises:
        UserError: It cannot, and why.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give the name of a file in it")
    folder = path.parent
    if not folder.is_dir():
        raise UserError(f"{path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{path}: the folder {folder} cannot be written to; check its permissions or give another")
    for source in sources:
        if path.exists() and os.path.exists(source) and os.path.samefile(path, source):
            raise UserError(f"{path}: is the source itself; give the output another name")
    if os.path.lexists(path) and not overwrite:
        raise UserError(f"{path}: exists already; give another name or --overwrite")


def is_full(error: BaseException) -> bool:
    """Whether the error says that there is no room left: a full disk, a quota, a file too large for its system."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cannot_write(path: Path, error: BaseException, kept: str = "") -> UserError:
    """The one line for an error of the file system or the muxer while ``path`` was written."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    advice = "free some space and run again" if is_full(error) else "check the disk and run again"
    return UserError(f"{path}: cannot be written ({reason}); {kept}{advice}")


class Staged:
    """A file on its way: written under a hidden name beside the final one, and renamed when it is whole.

    Args:
        path: The final name.

    Attributes:
        path: The final name.
        part: The hidden name that it is written under, ``.name.mp4.part``; it stays after a crash.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f".{path.name}.part")

    def begin(self) -> list[str]:
        """Make room for the part; what a crash left there is kept under a visible name, and said so."""
        try:
            if self.part.exists() and self.part.stat().st_size:
                return [f"an earlier run did not finish {self.path.name}; its part is kept as {self.rescue().name}"]
        except OSError as error:
            raise cannot_write(self.path, error) from None
        return []

    def commit(self, ok: bool, whole: Path | None = None) -> list[str]:
        """Put the finished part (or ``whole`` in its stead) under its final name.

        With ``ok`` False an older file stays, and the new one goes under ``name.partial.mp4``.
        """
        finished = whole or self.part
        if not ok and os.path.lexists(self.path):
            kept = self.rescue(finished)
            note = f"the run failed, so the older {self.path} stays; what is new is in {kept.name}"
        else:
            os.replace(finished, self.path)
            note = f"wrote {self.path}"
        if whole is not None:
            self.discard()
        return [note]

    def rescue(self, finished: Path | None = None) -> Path:
        """Move the part (or ``finished``) to the first free name: ``name.partial.mp4``, then ``name.partial-2.mp4``."""
        number = 1
        while True:
            tail = ".partial" if number == 1 else f".partial-{number}"
            kept = self.path.with_name(f"{self.path.stem}{tail}{self.path.suffix}")
            if not os.path.lexists(kept):
                os.replace(finished or self.part, kept)
                return kept
            number += 1

    def discard(self) -> None:
        """Remove the part."""
        self.part.unlink(missing_ok=True)
