"""Records for other programs: one JSON line per frame."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.regions import Regions
from streamseg.result import Result
from streamseg.sinks.base import StopRequested
from streamseg.sinks.staging import Staged, cannot_write, check_file

STANDARD_OUTPUT = "-"


def check(path: str | os.PathLike[str], sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that records can be written to ``path``; ``-`` is standard output.

    Raises:
        UserError: It is a source itself, exists already, or cannot be written to.
    """
    if os.fspath(path) != STANDARD_OUTPUT:
        check_file(Path(path), sources, overwrite=overwrite)


def record(result: Result, *, with_source: bool = False) -> dict[str, Any]:
    """One frame's record: ``frame``, ``pts`` in seconds, ``instances``; boxes in pixels, masks as COCO run lengths.

    A model that finds regions adds ``regions``: for each class that occurs its ``label``, its ``share`` of the frame (0
    to 1) and its ``mask``. ``instances`` is then there and empty, for programs that read objects from any record.
    """
    frame, found = result.frame, result.instances
    line: dict[str, Any] = {"frame": frame.index, "pts": round(frame.seconds, 6)}
    if with_source:
        line["source"] = frame.source
    # Python's own numbers, and its rounding, which is that of the decimal digits that are written.
    rows = zip(
        found.ids.tolist(),
        found.names,
        found.scores.tolist(),
        found.boxes.tolist(),
        found.to_rle(frame.height, frame.width),
        strict=True,
    )
    line["instances"] = [
        {
            "id": identity,
            "label": label,
            "score": round(score, 4),
            "box": [round(side, 2) for side in box],
            "mask": mask,
        }
        for identity, label, score, box, mask in rows
    ]
    if result.regions is not None:
        line["regions"] = _regions(result.regions)
    return line


def _regions(found: Regions) -> list[dict[str, Any]]:
    return [
        {"label": label, "share": round(float(share), 4), "mask": mask}
        for label, share, mask in zip(found.names, found.shares, found.to_rle(), strict=True)
    ]


class RecordsSink:
    """Writes JSON lines, in the order in which the frames come; several streams may share one.

    A file appears under its name when it is whole; until then it is ``.name.part`` beside it, complete to the last
    frame. ``open`` is called once for each stream and ``close`` once for all; ``write`` from any thread.

    Args:
        path: The file; ``-`` is standard output, one line at a time.
        several_sources: Add each frame's source to its line.
        overwrite: Replace an older file, once the new one is whole.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = False
    wants_masks = True
    on_main_thread = False

    def __init__(self, path: str | os.PathLike[str], *, several_sources: bool = False, overwrite: bool = False) -> None:
        check(path, overwrite=overwrite)
        self._staged = None if os.fspath(path) == STANDARD_OUTPUT else Staged(Path(os.path.abspath(path)))
        self._with_source = several_sources
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._notes: list[str] = []
        self._whole = 0  # bytes up to the end of the last complete line

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
        """Write one line.

        Raises:
            UserError: The disk is full, for example; what is whole is kept as ``name.partial.jsonl``.
            StopRequested: Whoever read standard output has gone.
        """
        line = json.dumps(record(result, with_source=self._with_source), ensure_ascii=False) + "\n"
        with self._lock:
            if self._file is None:
                raise RuntimeError("the records are not open")
            try:
                self._file.write(line)
                self._file.flush()
                self._whole += len(line.encode())
            except BrokenPipeError:
                _forget_standard_output()
                raise StopRequested from None
            except OSError as error:
                raise self._failed(error) from None

    def close(self, ok: bool = True) -> list[str]:
        """Put the file under its final name."""
        with self._lock:
            file, self._file = self._file, None
            notes, self._notes = self._notes, []
            if self._staged is None or file is None:
                return notes
            try:
                file.close()
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
