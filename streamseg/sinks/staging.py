"""Files that appear under their final name only when they are whole."""

from __future__ import annotations

import contextlib
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


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can be asked to."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


class Staged:
    """A file on its way: written under a hidden name beside the final one, and renamed when it is whole.

    Args:
        path: The final name.

    Attributes:
        path: The final name.
        part: The hidden name that it is written under, ``.name.mp4.part``; it stays after a crash.
        marks: A hidden name for what it takes to go on with the part where that has no place for it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f".{path.name}.part")
        self.marks = path.with_name(f".{path.name}.part.marks")

    def begin(self) -> list[str]:
        """Make room for the part; what a crash left there is kept under a visible name, and said so."""
        try:
            if self.part.exists() and self.part.stat().st_size:
                return [f"an earlier run did not finish {self.path.name}; its part is kept as {self.rescue().name}"]
        except OSError as error:
            raise cannot_write(self.path, error) from None
        return []

    def is_unfinished(self) -> bool:
        """Whether an earlier run left something of this file that can be gone on with."""
        return self.earlier() is not None or self.marks.is_file()

    def earlier(self) -> Path | None:
        """What an earlier run left: the part, else what was whole when that run failed; None for nothing.

        What failed before the file under the final name was written does not count.
        """
        if self.part.is_file():
            return self.part
        rescued = [path for path in (self._rescued(number) for number in range(99, 0, -1)) if path.is_file()]
        if not rescued or (self.path.exists() and self.path.stat().st_mtime >= rescued[0].stat().st_mtime):
            return None
        return rescued[0]

    def adopt(self) -> None:
        """Have what ``earlier`` found as the part.

        Raises:
            OSError: It cannot be renamed.
        """
        found = self.earlier()
        if found is not None and found != self.part:
            os.replace(found, self.part)

    def commit(self, ok: bool = True, whole: Path | None = None, keep_part: bool = False) -> list[str]:
        """Put the finished part under its final name, or ``whole`` in its stead; the part then goes or is kept.

        With ``ok`` False it goes under ``name.partial.mp4``, and an older file stays.
        """
        if not ok:
            return [f"the run failed; what is new is in {self.rescue(whole).name}, {self.path.name} was not written"]
        os.replace(whole or self.part, self.path)
        sync_folder(self.path.parent)
        if whole is not None and not keep_part:
            self.discard()
        return [f"wrote {self.path}"]

    def left(self) -> str:
        """What to say where the part stays."""
        return f"{self.path.name} is not finished; run again to go on with it"

    def rescue(self, finished: Path | None = None) -> Path:
        """Move the part (or ``finished``) to the first free name: ``name.partial.mp4``, then ``name.partial-2.mp4``."""
        number = 1
        while os.path.lexists(kept := self._rescued(number)):
            number += 1
        os.replace(finished or self.part, kept)
        return kept

    def _rescued(self, number: int) -> Path:
        tail = ".partial" if number == 1 else f".partial-{number}"
        return self.path.with_name(f"{self.path.stem}{tail}{self.path.suffix}")

    def discard(self) -> None:
        """Remove the part."""
        self.part.unlink(missing_ok=True)
