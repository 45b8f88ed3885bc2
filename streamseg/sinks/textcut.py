"""Text with lines for each frame, cut where a frame ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

FrameOf = Callable[[bytes], tuple[str, int] | None]
"""The source (empty where lines do not tell) and the index of the frame that a line is about; None for none."""


def last_frames(path: Path, frame_of: FrameOf) -> dict[str, int]:
    """The index of the last frame of each source that has a whole line.

    Raises:
        OSError: The file cannot be read.
    """
    last: dict[str, int] = {}
    with path.open("rb") as file:
        for line in file:
            about = frame_of(line) if line.endswith(b"\n") else None
            if about is None:
                break  # what follows was never written whole
            last[about[0]] = about[1]
    return last


def keep_frames(path: Path, frame_of: FrameOf, frames: Mapping[str, int]) -> None:
    """Drop all lines but those of the first ``frames`` frames of each source; of sources not named, all.

    Raises:
        OSError: The file cannot be changed; it is then as it was.
    """

    def wanted(line: bytes) -> bool:
        return is_kept(line, frame_of, frames)

    at, end, cut = 0, 0, False
    with path.open("rb") as file:
        for line in file:
            at += len(line)
            if not wanted(line):
                cut = True
            elif cut:
                break  # lines of several sources lie mixed
            else:
                end = at
        else:
            os.truncate(path, end)
            return
        file.seek(0)
        new = path.with_name(f"{path.name}2")
        with new.open("wb") as copy:
            copy.writelines(line for line in file if wanted(line))
            copy.flush()
            os.fsync(copy.fileno())
    os.replace(new, path)


def is_kept(line: bytes, frame_of: FrameOf, frames: Mapping[str, int]) -> bool:
    """Whether a line is whole and one of the first ``frames`` frames of its source."""
    about = frame_of(line) if line.endswith(b"\n") else None
    if about is None:
        return False
    only = next(iter(frames.values())) if len(frames) == 1 and not about[0] else 0
    return about[1] < frames.get(about[0], only)
